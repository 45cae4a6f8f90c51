/**
 * Kernels of a real run timed in turns with a sentinel, until their costs are known well enough: in FLOP that the sentinel would have done meanwhile,
 * which a busy or throttled machine leaves as they are. It does not know what they may cost.
 */
import { ensure } from "../errors";
import { timePasses } from "../gpu/timestamps";
import type { Dispatch } from "../kernels/dispatch";
import type { Engine } from "../model/engine";
import { keyOfKernel } from "./kernel-table";
import { type TimedCalls, WALL_QUANTUM_NS } from "./kernel-times";
import { type Floor, floorNs } from "./roofline";
import { prepareSentinel, type Sentinel } from "./sentinel";
import { bootstrapInterval95, type Interval, median, spread } from "./statistics";
import type { BoundBy, Calibration, Spread } from "./types";

/** An estimate, and the 95 % interval it lies in (bootstrap). */
export interface Estimate {
  readonly value: number;
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
  readonly samples: readonly PairedSample[];
}

/** One pass of calls between two of the sentinel. */
export interface PairedSample {
  /** Of a call. */
  readonly ns: number;
  /** Of a FLOP of the sentinel, before and after. */
  readonly flopNs: number;
}

export interface PairedProfile {
  readonly kernels: readonly PairedKernel[];
  /** Speed of the sentinel beside them, FLOP/ns. */
  readonly sentinelFlopsPerNs: Spread;
  readonly quantumNs: number | null;
}

export interface PairedOptions {
  /** Half the width of the interval of a cost, as a share of it, at which a kernel is known well enough. Default 0.02. */
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

const LEAST_SAMPLES = 9;
const MOST_SAMPLES = 61;
const RESAMPLES = 200;
/** A kernel below this share of its phase is sampled in passes that are this much shorter: it decides nothing. */
const SMALL = { share: 0.03, shorter: 8 };
/** A pass of a sample lasts at least so many steps of the clock, … */
const RESOLVED_QUANTA = 120;
/** … and so long, ns: on a CPU, whose scheduler cuts in at every dispatch, shorter passes scatter by their own length. */
const LEAST_NS = 8e6;
const MOST_CALLS = 2000;

interface Subject extends TimedCalls {
  readonly phase: string;
  readonly first: Dispatch;
  readonly floor: Floor;
  calls: number;
  /** ns of a call, roughly. */
  callNs: number;
  /** Dispatches of the sentinel before and after: together they last as long as the calls, so that both are disturbed alike. */
  repeats: number;
  readonly samples: PairedSample[];
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
      const state = { calls: 1, callNs: 0, repeats: 1, samples: [], settled: false };
      return { phase, first, dispatches: group, plans, floor: floorNs(first, calibration), ...state };
    });
  });
}

/** Finds how many calls a sample takes, and how many dispatches of the sentinel last as long. */
async function tuneCalls(engine: Engine, subject: Subject, sentinel: Sentinel, leastNs: number): Promise<void> {
  engine.restorePlans(subject.plans);
  for (let tries = 0; tries < 12; tries++) {
    const [ns = 0, beside = 0] = await timePasses(engine.gpu, [
      engine.repeat(subject.dispatches, subject.calls),
      sentinel.fill(subject.repeats),
    ]);
    if (ns >= leastNs || subject.calls >= MOST_CALLS) {
      subject.callNs = ns / subject.calls;
      const each = Math.max(beside / subject.repeats, 1);
      subject.repeats = Math.max(1, Math.round(ns / 2 / each));
      return;
    }
    const growth = ns > 0 ? (1.2 * leastNs) / ns : 8;
    subject.calls = Math.min(MOST_CALLS, Math.ceil(subject.calls * Math.min(8, Math.max(1.25, growth))));
  }
}

/** Whether a kernel takes a share of its phase that matters. */
function isLarge(subject: Subject, all: readonly Subject[]): boolean {
  const nsOf = ({ callNs, dispatches }: Subject): number => callNs * dispatches.length;
  const whole = all.filter(({ phase }) => phase === subject.phase).reduce((sum, one) => sum + nsOf(one), 0);
  return nsOf(subject) >= SMALL.share * whole;
}

/** Takes one sample; what the clock could not see is dropped. */
async function sampleOnce(engine: Engine, subject: Subject, sentinel: Sentinel): Promise<void> {
  const { dispatches, plans, calls, repeats } = subject;
  engine.restorePlans(plans);
  const passes = [sentinel.fill(repeats), engine.repeat(dispatches, calls), sentinel.fill(repeats)];
  const [before = 0, ns = 0, after = 0] = await timePasses(engine.gpu, passes);
  if (before <= 0 || ns <= 0 || after <= 0) return;
  subject.samples.push({ ns: ns / calls, flopNs: (before + after) / (2 * repeats * sentinel.flops) });
}

/** FLOP of the sentinel in the time of a call: the median over samples. */
function costOf({ samples }: Subject): Estimate {
  const costs = samples.map(({ ns, flopNs }) => ns / flopNs);
  return { value: median(costs), interval95: bootstrapInterval95(costs, { resamples: RESAMPLES }) };
}

/** Whether the cost is known to a share of `precision`. */
function isSettled(subject: Subject, precision: number): boolean {
  const { length } = subject.samples;
  if (length >= MOST_SAMPLES) return true;
  if (length < LEAST_SAMPLES) return false;
  const { value, interval95 } = costOf(subject);
  return (interval95.high - interval95.low) / 2 <= precision * value;
}

function kernelOf(subject: Subject, calibration: Calibration): PairedKernel {
  const { first, phase, dispatches, floor, samples } = subject;
  const { kernel, variant, role, shape } = first;
  ensure(
    samples.length > 0,
    "gpu-validation",
    () => `${kernel} (${role}): the clock saw none of its passes of ${subject.calls} calls; measure again`,
  );
  // The floor holds for the machine as it was calibrated: in FLOP of the sentinel then, it holds now too.
  const least = floor.ns * (calibration.sentinelFlopsPerNs ?? calibration.flopsPerNs.f32).median;
  const cost = costOf(subject);
  const { low, high } = cost.interval95;
  return {
    ...{ kernel, variant, role, phase, shape },
    calls: dispatches.length,
    ns: spread(samples.map(({ ns }) => ns)),
    sentinelFlops: cost,
    percentOfRoof: { value: (100 * least) / cost.value, interval95: { low: (100 * least) / high, high: (100 * least) / low } },
    boundBy: floor.boundBy,
    samples,
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
    for (const subject of subjects) await tuneCalls(engine, subject, sentinel, leastNs / SMALL.shorter);
    for (const subject of subjects.filter((one) => isLarge(one, subjects))) await tuneCalls(engine, subject, sentinel, leastNs);
    const until = performance.now() + patienceMs;
    for (let round = 0; round < MOST_SAMPLES; round++) {
      const left = subjects.filter(({ settled }) => !settled);
      if (left.length === 0 || (round >= LEAST_SAMPLES && performance.now() > until)) break;
      for (const subject of left) {
        ensure(!signal?.aborted, "abort", "pairKernels: aborted");
        await sampleOnce(engine, subject, sentinel);
        subject.settled = isSettled(subject, precision);
      }
    }
    gpu.check();
    const kernels = subjects.map((subject) => kernelOf(subject, calibration));
    const rates = subjects.flatMap(({ samples }) => samples.map(({ flopNs }) => 1 / flopNs));
    return { kernels, sentinelFlopsPerNs: spread(rates), quantumNs };
  } finally {
    sentinel.dispose();
  }
}
