/** Dispatches of a run that are repeated to be timed, on clocks that do not see a single one. It does not know what their times are set against. */
import type { Forwarded } from "../decode/runner";
import { timePasses } from "../gpu/timestamps";
import type { Dispatch } from "../kernels/dispatch";
import type { Engine } from "../model/engine";
import { spread } from "./statistics";

/** Calls of one kernel and shape in one forward: the same work on every layer's weights, so that what is repeated is not what the caches hold. */
export interface TimedCalls {
  readonly dispatches: readonly Dispatch[];
  /** The plans that they read. */
  readonly plans: Uint32Array<ArrayBuffer>;
}

/** Time of one call in ns, and how far off it may be (95 %): what the clock's step and the samples' scatter leave open. */
export interface CallTime {
  readonly ns: number;
  readonly errorNs: number;
}

/** A difference of passes is this many steps of the clock, … */
const RESOLVED_QUANTA = 100;
/** … and no shorter than this, on a fine clock, ns. */
const LEAST_NS = 3e5;
/** Longest pass of a sample, ns: below any watchdog. */
const LONGEST_NS = 2e7;
const MOST_CALLS = 1000;
const ROUNDS = 5;
/** What a wall clock is taken to resolve, ns. */
export const WALL_QUANTUM_NS = 1e5;

const keyOf = ({ kernel, variant, role, shape }: Dispatch): string => `${kernel}|${variant}|${role}|${JSON.stringify(shape)}`;

/** The distinct calls of forwards that were run with `timing: "step"`, by key. */
export function distinctCalls(forwards: readonly Forwarded[]): Map<string, TimedCalls> {
  const distinct = new Map<string, TimedCalls>();
  for (const { dispatches, plans } of forwards) {
    if (!plans) continue;
    const own = new Map<string, Dispatch[]>();
    for (const dispatch of dispatches) {
      const key = keyOf(dispatch);
      if (!distinct.has(key)) own.set(key, [...(own.get(key) ?? []), dispatch]);
    }
    for (const [key, list] of own) distinct.set(key, { dispatches: list, plans });
  }
  return distinct;
}

/**
 * Times one call of each, by the difference of two repeat counts in a pass: what surrounds a pass cancels. The canvas and the cache are garbage after.
 * @param quantumNs step of the clock; null where there is none but the host's
 */
async function timeCalls(engine: Engine, calls: TimedCalls, quantumNs: number | null): Promise<CallTime> {
  const { dispatches, plans } = calls;
  const quantum = quantumNs ?? WALL_QUANTUM_NS;
  engine.restorePlans(plans);
  const [once = 0] = await timePasses(engine.gpu, [engine.repeat(dispatches, 1)]);
  const wanted = Math.min(Math.max(RESOLVED_QUANTA * quantum, LEAST_NS), LONGEST_NS);
  const few = Math.max(1, Math.min(MOST_CALLS, Math.ceil(wanted / (2 * Math.max(once, 1000)))));
  const samples: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [short = 0, long = 0] = await timePasses(engine.gpu, [
      engine.repeat(dispatches, few),
      engine.repeat(dispatches, 3 * few),
    ]);
    samples.push((long - short) / (2 * few));
  }
  const { median, mad } = spread(samples);
  // Each of the four ends is uniform within a step: σ = q/√3. A MAD of a normal is σ/1.4826, a median of n scatters by 1.25 σ/√n.
  const clock = quantum / Math.sqrt(3) / (2 * few);
  const scatter = (1.25 * 1.4826 * mad) / Math.sqrt(ROUNDS);
  return { ns: Math.max(0, median), errorNs: 2 * Math.hypot(clock, scatter) };
}

/** The time of a call of every dispatch of the forwards, looked up by dispatch. */
export async function kernelTimes(
  engine: Engine,
  forwards: readonly Forwarded[],
): Promise<(dispatch: Dispatch) => CallTime | undefined> {
  const times = new Map<string, CallTime>();
  const { timestampQuantumNs } = engine.gpu.profile;
  for (const [key, calls] of distinctCalls(forwards)) times.set(key, await timeCalls(engine, calls, timestampQuantumNs));
  return (dispatch) => times.get(keyOf(dispatch));
}
