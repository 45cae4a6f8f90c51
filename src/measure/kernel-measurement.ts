/** Times of single kernels into rows against their floors, and into the forwards that they add up to. Runs nothing. */
import type { Kernel } from "../kernels/dispatch";
import { type FloorTerms, floorNs, type Work } from "./roofline";
import { spread } from "./statistics";
import type { Checked, Trial, Way } from "./trials/trial";
import type { BoundBy, Calibration, Spread } from "./types";

/** One kernel at one number of rows. */
export interface KernelMeasurement {
  /** WGSL file stem; of a way of several kernels that of the one that does most. */
  readonly kernel: string;
  readonly variant: string;
  readonly role: string;
  readonly rows: number;
  readonly shape: Readonly<Record<string, number>>;
  /** Of its weights, else f32. */
  readonly dtype: string;
  /** Calls in a forward of these rows; 0 where only an option calls it. */
  readonly calls: number;
  /** Whether it is the variant that runs; the others are there because all variants were asked for. */
  readonly chosen: boolean;
  /** Of one call; null where it was wrong, or the clock saw nothing. */
  readonly ns: Spread | null;
  readonly flops: number;
  readonly bytes: number;
  readonly loads: number;
  readonly gflops: number | null;
  readonly gbps: number | null;
  /** FLOP/byte */
  readonly intensity: number;
  readonly floorNs: number;
  /** ns of each ceiling by itself; the floor is the largest of the first three, plus the last. */
  readonly terms: FloorTerms;
  readonly boundBy: BoundBy;
  readonly percentOfRoof: number | null;
  readonly correct: boolean;
  readonly fault: string | null;
  /** Largest error against float64, in the outputs' unit; null where outputs are tokens or ranks. */
  readonly maxError: number | null;
}

/** A forward as the sum of its kernels. */
export interface ForwardMeasurement {
  readonly rows: number;
  /** null where a kernel of it has no time. */
  readonly ns: number | null;
  readonly floorNs: number;
  readonly percentOfRoof: number | null;
  /** The kernel furthest from its floor, by the time that it would give back. */
  readonly weakest: {
    readonly kernel: string;
    readonly role: string;
    readonly percentOfRoof: number;
    /** ns of a forward that it takes beyond its floor. */
    readonly lostNs: number;
    readonly reason: string;
  } | null;
}

/** A way that was checked and, if it was right, timed. */
export interface Tested {
  readonly trial: Trial;
  readonly way: Way;
  readonly role: string;
  readonly rows: number;
  readonly calls: number;
  readonly chosen: boolean;
  readonly checked: Checked;
  readonly ns: readonly number[];
  readonly dtype: string;
}

/** Work of one call of a way. */
function workOf({ steps }: Way, { extent }: Trial): Work {
  const parts = steps.map(({ kernel }) => kernel.work(extent));
  const sum = (pick: (work: Work) => number) => parts.reduce((total, work) => total + pick(work), 0);
  return { flops: sum((w) => w.flops), bytes: sum((w) => w.bytes), loads: sum((w) => w.loads) };
}

/** A tested way against its floor. */
export function measurementOf(tested: Tested, calibration: Calibration): KernelMeasurement {
  const { trial, way, role, rows, calls, chosen, checked, dtype } = tested;
  const flopsOf = (kernel: Kernel): number => kernel.work(trial.extent).flops;
  const kernel = way.steps.map((step) => step.kernel).reduce((most, each) => (flopsOf(each) > flopsOf(most) ? each : most));
  const work = workOf(way, trial);
  const ns = tested.ns.length > 0 ? spread(tested.ns) : null;
  const floor = floorNs(work, calibration);
  const { flops, bytes, loads } = work;
  return {
    ...{ kernel: kernel.name, variant: kernel.variant, role, rows, shape: kernel.shape(trial.extent), dtype, calls, chosen, ns },
    ...{ flops, bytes, loads },
    gflops: ns && flops / ns.median,
    gbps: ns && bytes / ns.median,
    intensity: bytes > 0 ? flops / bytes : 0,
    floorNs: floor.ns,
    terms: floor.terms,
    boundBy: floor.boundBy,
    percentOfRoof: ns && (100 * floor.ns) / ns.median,
    correct: checked.fault === null,
    fault: checked.fault,
    maxError: checked.maxError,
  };
}

/** The sum of a forward's kernels, in the variants that run. */
export function forwardOf(rows: number, kernels: readonly KernelMeasurement[]): ForwardMeasurement {
  const own = kernels.filter((kernel) => kernel.rows === rows && kernel.chosen && kernel.calls > 0);
  const floor = own.reduce((sum, kernel) => sum + kernel.calls * kernel.floorNs, 0);
  const timed = own.flatMap((kernel) => (kernel.ns === null ? [] : [{ ...kernel, ns: kernel.ns }]));
  const ns = timed.length === own.length ? timed.reduce((sum, kernel) => sum + kernel.calls * kernel.ns.median, 0) : null;
  const lost = (kernel: (typeof timed)[number]): number => kernel.calls * (kernel.ns.median - kernel.floorNs);
  const [first] = [...timed].sort((a, b) => lost(b) - lost(a));
  return {
    rows,
    ns,
    floorNs: floor,
    percentOfRoof: ns && (100 * floor) / ns,
    weakest: first
      ? {
          kernel: first.kernel,
          role: first.role,
          percentOfRoof: first.percentOfRoof as number,
          lostNs: lost(first),
          reason: reasonOf(first),
        }
      : null,
  };
}

const WHAT: Readonly<Record<BoundBy, string>> = {
  compute: "its arithmetic",
  memory: "the bytes it moves",
  issue: "the loads it issues",
  launch: "launching it",
};

/** Below this share of its time no ceiling explains it. */
const NEAR_PERCENT = 50;

/** Why a kernel takes as long as it does, as far as the ceilings tell. */
export function reasonOf({ ns, terms, boundBy }: Pick<KernelMeasurement, "ns" | "terms" | "boundBy">): string {
  if (ns === null) return "it has no time";
  const share = (term: number): number => Math.round((100 * term) / ns.median);
  if (share(terms[boundBy]) >= NEAR_PERCENT)
    return `${WHAT[boundBy]} would take ${share(terms[boundBy])} % of its time by itself`;
  const shares = (["compute", "memory", "issue", "launch"] as const).map((name) => `${WHAT[name]} ${share(terms[name])} %`);
  return `no ceiling is near (of its time, ${shares.join(", ")}): what it waits for is latency, too few invocations, or code that does neither`;
}
