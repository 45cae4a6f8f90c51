/** A kernel's trial: what it binds, what it must compute, and the ways to compute it. Made without a device, and run by `workbench.ts`. */
import type { Extent, Kernel } from "../../kernels/dispatch";
import {
  extentOf,
  GREEDY,
  type Guidance,
  type PlanHeader,
  planBytes,
  type Reveal,
  type Row,
  type Sampling,
  writePlan,
} from "../../model/pass";

export type Words = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** One dispatch: a kernel, and the arrays that it binds, by name. */
export interface TrialStep {
  readonly kernel: Kernel;
  readonly bound: readonly string[];
}

/** One way to compute a trial's outputs. */
export interface Way {
  readonly id: string;
  readonly steps: readonly TrialStep[];
  /** Run once before, and not timed: they make what the steps read. */
  readonly before?: readonly TrialStep[];
  /** Run after the steps where they are checked: they make of their outputs what can be compared. */
  readonly after?: readonly TrialStep[];
  /** What it rounds its inputs to, where that is less than f32: it is held to a bound of its own. */
  readonly rounds?: "f16" | "int8" | undefined;
}

export interface Trial {
  /** What it computes in the model: `qkv_proj`, `attention`, `lm_head`… */
  readonly role: string;
  readonly extent: Extent;
  readonly plan: Uint32Array<ArrayBuffer>;
  /** What each array holds before; a number: so many zero bytes. */
  readonly arrays: Readonly<Record<string, Words | number>>;
  /** Arrays that a model has one of in every layer: repeated calls take copies of them in turn, so that what is timed is not a cache. */
  readonly rotated: readonly string[];
  /** Arrays that are read back. */
  readonly outputs: readonly string[];
  readonly ways: readonly Way[];
  /** Compares every output with the float64 reference. */
  readonly check: (outputs: Readonly<Record<string, Words>>, way: Way) => Checked;
}

/** How a result compares with its reference. */
export interface Checked {
  /** The first output beyond the error that its arithmetic allows, in words; null where all are right. */
  readonly fault: string | null;
  /** Largest error of an output, in its own unit; null where outputs are no numbers that may be off. */
  readonly maxError: number | null;
}

/** What an output holds before, and behind its end for good. */
export const SENTINEL = -7777.5;
/** Elements behind an output that must stay as they are. */
export const MARGIN = 8;

/** An output of `length` elements and a margin, filled with the sentinel. */
export const untouched = (length: number): Float32Array<ArrayBuffer> => new Float32Array(length + MARGIN).fill(SENTINEL);

/** Distance of neighbours at 1 in f32. */
export const EPSILON = 2 ** -23;

const row = (given: Partial<Row>, i: number): Row => ({ place: i, position: i, slot: i, start: 0, limit: 0, goal: i, ...given });

export interface PlanOptions {
  readonly reveal?: Reveal;
  readonly sampling?: Partial<Sampling>;
  readonly header?: Partial<PlanHeader>;
  readonly guidance?: Guidance;
}

/** The plan of some rows, and how much it computes. Row i is at place, position and slot i where it says nothing else. */
export function planOf(given: readonly Partial<Row>[], options: PlanOptions = {}): Pick<Trial, "plan" | "extent"> {
  const { reveal = { rule: "none" }, sampling, header, guidance } = options;
  const rows = given.map(row);
  const plan = new Uint32Array(planBytes(rows.length) / 4);
  writePlan(plan, 0, rows, null, {
    reveal,
    ...(guidance && { guidance }),
    sampling: { ...GREEDY, ...sampling },
    header: { first: 0, maskId: 0xffffffff, draw: 0, ...header },
  });
  return { plan, extent: extentOf(rows) };
}

/** So many rows about which a kernel asks nothing. */
export const plainRows = (count: number): Partial<Row>[] => Array.from({ length: count }, () => ({}));

/**
 * Compares the first `length` elements with what they must be, and those behind with what was there before. NaN is beyond every tolerance.
 * Elements without tolerance do not count towards the largest error.
 */
export function compare(
  got: ArrayLike<number>,
  length: number,
  { want, tolerance }: { readonly want: (i: number) => number; readonly tolerance: (i: number) => number },
): Checked {
  let fault: string | null = null;
  let maxError = 0;
  for (let i = 0; i < length; i++) {
    const [expected, allowed] = [want(i), tolerance(i)];
    const off = Math.abs((got[i] as number) - expected);
    if (allowed > 0) maxError = Math.max(maxError, off);
    if (!(off <= allowed)) fault ??= `element ${i}: expected ${expected} ± ${allowed.toPrecision(2)}, came ${got[i]}`;
  }
  for (let i = length; i < got.length; i++) {
    if (got[i] !== SENTINEL) fault ??= `element ${i}, behind the end: expected it untouched, came ${got[i]}`;
  }
  return { fault, maxError };
}

/** What can only be right or wrong. */
export const exactly = (fault: string | null): Checked => ({ fault, maxError: null });
