/**
 * Kernels of a real run timed in turns with a sentinel, until the median is known well enough: costs in FLOP that the sentinel would have done
 * meanwhile, which a busy or throttled machine leaves as they are. It does not know what they may cost.
 */
import { ensure } from "../errors";
import { timePasses } from "../gpu/timestamps";
import type { Dispatch } from "../kernels/dispatch";
import type { Engine } from "../model/engine";
import { keyOfKernel } from "./kernel-table";
import { type TimedCalls, WALL_QUANTUM_NS } from "./kernel-times";
import { type Floor, floorNs } from "./roofline";
import { prepareSentinel, type Sentinel } from "./sentinel";
import { bootstrapInterval95, type Interval, spread } from "./statistics";
import type { BoundBy, Calibration, Spread } from "./types";

/** A median with its scatter, and the 95 % interval of the median (bootstrap). */
export interface Estimate extends Spread {
  readonly interval95: Interval;
}

/** One kernel in one forward of a phase, timed beside the sentinel. */
export interface PairedKernel {
  readonly kernel: string;
  readonly variant: string;
  readonly role: string;
  readonly phase: string;
  /** Of the forward that was timed, the middle one of its phase. */
  readonly shape: Readonly<Record<string, number>>;
  /** In that forward. */
  readonly calls: number;
  /** Of one call, by the clock. */
  readonly ns: Spread;
  /** FLOP that the sentinel does in the time of one call: the cost that budgets are made in. */
  readonly sentinelFlops: Estimate;
  /** Least time of one call over its time, % , the roof being taken at the speed that the sentinel had beside it. */
  readonly percentOfRoof: Estimate;
  readonly boundBy: BoundBy;
  readonly samples: number;
}

export interface PairedProfile {
  readonly kernels: readonly PairedKernel[];
  /** Speed of the sentinel beside them, FLOP/ns. */
  readonly sentinelFlopsPerNs: Spread;
  readonly quantumNs: number | null;
}

export interface PairedOptions {
  /** Half the width of the interval of a median, as a share of it, at which a kernel is known well enough. Default 0.02. */
  readonly precision?: number | undefined;
  /** Sampling goes on no longer than this, ms, although a kernel is not known so well; at least {@link LEAST_SAMPLES} are taken. Default 20 000. */
  readonly patienceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A forward whose kernels are to be timed. */
export interface PairedForward {
  readonly phase: string;
  readonly dispatches: readonly Dispatch[];
  readonly plans: Uint32Array<ArrayBuffer>;
}

const LEAST_SAMPLES = 7;
const MOST_SAMPLES = 101;
/** Samples between two looks at the interval. */
const LOOK_EVERY = 4;
/** A pass of a sample lasts at least so many steps of the clock, … */
const RESOLVED_QUANTA = 60;
/** … and so long, ns: what begins and ends a pass is below a hundredth of it. */
const LEAST_NS = 2e6;
const MOST_CALLS = 2000;

interface Subject extends TimedCalls {
  readonly phase: string;
  readonly first: Dispatch;
  readonly floor: Floor;
  calls: number;
  readonly ns: number[];
  readonly costs: number[];
  readonly rates: number[];
  settled: boolean;
}

function subjectsOf(forwards: readonly PairedForward[], calibration: Calibration): Subject[] {
  return forwards.flatMap(({ phase, dispatches, plans }) => {
    const groups = new Map<string, Dispatch[]>();
    for (const dispatch of dispatches) {
      const key = keyOfKernel({ ...dispatch, phase }) + JSON.stringify(dispatch.shape);
      groups.set(key, [...(groups.get(key) ?? []), dispatch]);
    }
    return [...groups.values()].map((group): Subject => {
      const first = group[0] as Dispatch;
      const state = { calls: 1, ns: [], costs: [], rates: [], settled: false };
      return { phase, first, dispatches: group, plans, floor: floorNs(first, calibration), ...state };
    });
  });
}

/** Finds how many calls a sample takes. */
async function tuneCalls(engine: Engine, subject: Subject, leastNs: number): Promise<void> {
  for (let tries = 0; tries < 12; tries++) {
    const [ns = 0] = await timePasses(engine.gpu, [engine.repeat(subject.dispatches, subject.calls)]);
    if (ns >= leastNs || subject.calls >= MOST_CALLS) return;
    const growth = ns > 0 ? (1.2 * leastNs) / ns : 8;
    subject.calls = Math.min(MOST_CALLS, Math.ceil(subject.calls * Math.min(8, Math.max(1.25, growth))));
  }
}

async function sampleOnce(engine: Engine, subject: Subject, sentinel: Sentinel, repeats: number): Promise<void> {
  const { dispatches, plans, calls } = subject;
  engine.restorePlans(plans);
  const passes = [sentinel.fill(repeats), engine.repeat(dispatches, calls), sentinel.fill(repeats)];
  const [before = 0, ns = 0, after = 0] = await timePasses(engine.gpu, passes);
  if (before <= 0 || ns <= 0 || after <= 0) return;
  const rate = (2 * repeats * sentinel.flops) / (before + after);
  subject.ns.push(ns / calls);
  subject.rates.push(rate);
  subject.costs.push((ns / calls) * rate);
}

/** Whether the median of the costs is known to a share of `precision`. */
function isSettled({ costs }: Subject, precision: number): boolean {
  if (costs.length >= MOST_SAMPLES) return true;
  if (costs.length < LEAST_SAMPLES || (costs.length - LEAST_SAMPLES) % LOOK_EVERY !== 0) return false;
  const { low, high } = bootstrapInterval95(costs);
  return (high - low) / 2 <= precision * spread(costs).median;
}

const estimateOf = (samples: readonly number[]): Estimate => ({ ...spread(samples), interval95: bootstrapInterval95(samples) });

function kernelOf(subject: Subject, calibration: Calibration): PairedKernel {
  const { first, phase, dispatches, floor, ns, costs } = subject;
  const { kernel, variant, role, shape } = first;
  ensure(
    costs.length > 0,
    "gpu-validation",
    () => `${kernel} (${role}): the clock saw none of its passes of ${subject.calls} calls; measure again`,
  );
  // The floor holds for the machine as it was calibrated: in FLOP of the sentinel then, it holds now too.
  const reference = (calibration.sentinelFlopsPerNs ?? calibration.flopsPerNs.f32).median;
  return {
    ...{ kernel, variant, role, phase, shape },
    calls: dispatches.length,
    ns: spread(ns),
    sentinelFlops: estimateOf(costs),
    percentOfRoof: estimateOf(costs.map((cost) => (100 * floor.ns * reference) / cost)),
    boundBy: floor.boundBy,
    samples: costs.length,
  };
}

/**
 * Times the kernels of the forwards. The engine's canvas and cache are garbage after.
 * @throws RidgepointError `gpu-validation`: the clock saw nothing; `abort`
 */
export async function pairKernels(
  engine: Engine,
  forwards: readonly PairedForward[],
  calibration: Calibration,
  { precision = 0.02, patienceMs = 20_000, signal }: PairedOptions,
): Promise<PairedProfile> {
  const { gpu } = engine;
  const quantumNs = gpu.profile.timestampQuantumNs;
  const leastNs = Math.max(LEAST_NS, RESOLVED_QUANTA * (quantumNs ?? WALL_QUANTUM_NS));
  const subjects = subjectsOf(forwards, calibration);
  const sentinel = await prepareSentinel(gpu);
  try {
    const repeats = Math.max(1, Math.ceil(leastNs / 2 / LEAST_NS));
    for (const subject of subjects) {
      engine.restorePlans(subject.plans);
      await tuneCalls(engine, subject, leastNs);
    }
    const until = performance.now() + patienceMs;
    for (let round = 0; round < MOST_SAMPLES * 2; round++) {
      const left = subjects.filter(({ settled }) => !settled);
      if (left.length === 0 || (round >= LEAST_SAMPLES && performance.now() > until)) break;
      for (const subject of left) {
        ensure(!signal?.aborted, "abort", "pairKernels: aborted");
        await sampleOnce(engine, subject, sentinel, repeats);
        subject.settled = isSettled(subject, precision);
      }
    }
    gpu.check();
    const kernels = subjects.map((subject) => kernelOf(subject, calibration));
    return { kernels, sentinelFlopsPerNs: spread(subjects.flatMap(({ rates }) => rates)), quantumNs };
  } finally {
    sentinel.dispose();
  }
}
