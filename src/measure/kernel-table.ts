/**
 * Timed dispatches into the kernel table: one row per kernel, variant, role, phase and shape, each against its roof. It does not know how
 * the times were taken; it knows how coarse the clock was, and gives no number where the clock could not see.
 */
import { RidgepointError } from "../errors";
import { type Arithmetic, dominant, type FloorTerms, floorNs } from "./roofline";
import type { BoundBy, Calibration, KernelRow, PhaseRow } from "./types";

/** One dispatch and its GPU time; the counts are those of its row of the kernel table. */
export interface TimedDispatch {
  readonly kernel: string;
  readonly variant: string;
  readonly role: string;
  readonly phase: string;
  readonly shape: Readonly<Record<string, number>>;
  readonly flops: number;
  readonly bytes: number;
  readonly loads: number;
  readonly workingSetBytes?: number;
  readonly arithmetic?: Arithmetic;
  /** null where the clock gave nothing; 0 is a time below one quantum and counts. */
  readonly ns: number | null;
  /** How far off `ns` may be, where it was measured so. */
  readonly errorNs?: number;
}

export interface KernelTableOptions {
  /** Throw, instead of marking the row, when a row is above its roof. */
  readonly strict?: boolean;
  /** Smallest step of the given times. Default: the calibration's quantum; smaller for times taken as differences of repeat counts. */
  readonly quantumNs?: number;
}

/** A row above this is above its roof, if the clock's noise does not explain it. */
const ABOVE_ROOF_PERCENT = 105;
/** A sum is resolved when it is this many standard deviations of its quantisation error. */
const RESOLVED_SIGMAS = 4;

interface Sum {
  readonly first: TimedDispatch;
  calls: number;
  /** null as soon as one call has no time. */
  ns: number | null;
  /** null where no call has one. Calls of one shape share a measurement: their errors add up. */
  errorNs: number | null;
  flops: number;
  bytes: number;
  loads: number;
  floorNs: number;
  terms: Record<keyof FloorTerms, number>;
}

/**
 * Sums dispatches into rows, longest first (rows without a time last, in order of first call).
 *
 * A sum of n quantised times has a quantisation error of q √(n/6) (each end is uniform within one quantum q), one of times with an error of
 * their own half of these; a row whose time is not {@link RESOLVED_SIGMAS} times that has `ns`, `gflops`, `gbps`, `percentOfRoof` and `share` null.
 * @throws RidgepointError `gpu-validation` with `strict`, when a row passes 105 % of its roof by more than that error.
 */
export function kernelTable(
  dispatches: readonly TimedDispatch[],
  calibration: Calibration,
  options: KernelTableOptions = {},
): KernelRow[] {
  const sums = new Map<string, Sum>();
  for (const dispatch of dispatches) {
    const key = keyOf(dispatch);
    let sum = sums.get(key);
    if (!sum) {
      sum = {
        first: dispatch,
        calls: 0,
        ns: 0,
        errorNs: null,
        flops: 0,
        bytes: 0,
        loads: 0,
        floorNs: 0,
        terms: { compute: 0, memory: 0, issue: 0, launch: 0 },
      };
      sums.set(key, sum);
    }
    add(sum, dispatch, calibration);
  }
  const rows = [...sums.values()].map((sum) => rowOf(sum, options.quantumNs ?? calibration.quantumNs ?? 0));
  if (options.strict) rows.forEach(refuseAboveRoof);
  return withShares(rows);
}

function add(sum: Sum, dispatch: TimedDispatch, calibration: Calibration): void {
  const floor = floorNs(dispatch, calibration);
  sum.calls++;
  sum.ns = sum.ns === null || dispatch.ns === null ? null : sum.ns + dispatch.ns;
  if (dispatch.errorNs !== undefined) sum.errorNs = (sum.errorNs ?? 0) + dispatch.errorNs;
  sum.flops += dispatch.flops;
  sum.bytes += dispatch.bytes;
  sum.loads += dispatch.loads;
  sum.floorNs += floor.ns;
  for (const name of ["compute", "memory", "issue", "launch"] as const) sum.terms[name] += floor.terms[name];
}

function rowOf(sum: Sum, quantumNs: number): KernelRow {
  const { kernel, variant, role, phase, shape } = sum.first;
  const noiseNs = sum.errorNs === null ? quantumNs * Math.sqrt(sum.calls / 6) : sum.errorNs / 2;
  const ns = sum.ns !== null && sum.ns > 0 && sum.ns >= RESOLVED_SIGMAS * noiseNs ? sum.ns : null;
  const above = ns !== null && (sum.floorNs / (ns + 2 * noiseNs)) * 100 > ABOVE_ROOF_PERCENT;
  return {
    kernel,
    variant,
    role,
    phase,
    shape,
    calls: sum.calls,
    ns,
    flops: sum.flops,
    bytes: sum.bytes,
    loads: sum.loads,
    gflops: ns && sum.flops / ns,
    gbps: ns && sum.bytes / ns,
    percentOfRoof: ns && (sum.floorNs / ns) * 100,
    boundBy: dominant(sum.terms),
    share: null,
    floorNs: sum.floorNs,
    ...(ns !== null && sum.errorNs !== null ? { errorNs: sum.errorNs } : {}),
    ...(above ? { aboveRoof: true as const } : {}),
  };
}

function refuseAboveRoof(row: KernelRow): void {
  if (!row.aboveRoof) return;
  const shape = Object.entries(row.shape).map(([name, value]) => `${name}=${value}`);
  throw new RidgepointError(
    "gpu-validation",
    `${row.kernel} (${row.role}, ${shape.join(" ")}): ${row.percentOfRoof?.toFixed(0)} % of its ${row.boundBy} roof, expected at most ` +
      `${ABOVE_ROOF_PERCENT} %: its FLOPs, bytes or loads are counted wrong, or the device was calibrated while busy; calibrate again`,
  );
}

function withShares(rows: readonly KernelRow[]): KernelRow[] {
  const total = rows.reduce((sum, row) => sum + (row.ns ?? 0), 0);
  return rows
    .map((row) => ({ ...row, share: row.ns === null ? null : row.ns / total }))
    .sort((a, b) => (b.ns ?? -1) - (a.ns ?? -1));
}

/**
 * Merges the rows of several runs (prompts) of one model: the same kernel, variant, role, phase and shape become one row. With
 * `shapes: "together"` rows that differ in shape only (a decode step's growing cache) become one too, under the first one's shape.
 * What binds is taken from the part with the most floor.
 */
export function mergeKernelRows(
  tables: readonly (readonly KernelRow[])[],
  { shapes = "apart" }: { readonly shapes?: "apart" | "together" } = {},
): KernelRow[] {
  return withShares(groupRows(tables.flat(), shapes === "apart" ? keyOf : keyOfKernel).map(mergeGroup));
}

/** Rows of equal key together, in order of first appearance. */
export function groupRows(rows: readonly KernelRow[], key: (row: KernelRow) => string): [KernelRow, ...KernelRow[]][] {
  const groups = new Map<string, [KernelRow, ...KernelRow[]]>();
  for (const row of rows) {
    const group = groups.get(key(row));
    if (group) group.push(row);
    else groups.set(key(row), [row]);
  }
  return [...groups.values()];
}

function mergeGroup(parts: readonly [KernelRow, ...KernelRow[]]): KernelRow {
  const total = (pick: (row: KernelRow) => number) => parts.reduce((sum, row) => sum + pick(row), 0);
  const floor = (row: KernelRow) => row.floorNs ?? ((row.percentOfRoof ?? 0) / 100) * (row.ns ?? 0);
  const [flops, bytes, floors] = [total((row) => row.flops), total((row) => row.bytes), total(floor)];
  const ns = parts.every((row) => row.ns !== null) ? total((row) => row.ns ?? 0) : null;
  const boundBy: BoundBy | null = parts.reduce((best, row) => (floor(row) > floor(best) ? row : best)).boundBy;
  const { errorNs: _, ...first } = parts[0];
  const withError = ns !== null && parts.every((row) => row.errorNs !== undefined);
  return {
    ...first,
    ...(withError ? { errorNs: total((row) => row.errorNs ?? 0) } : {}),
    calls: total((row) => row.calls),
    ns,
    flops,
    bytes,
    loads: total((row) => row.loads),
    gflops: ns && flops / ns,
    gbps: ns && bytes / ns,
    percentOfRoof: ns && (floors / ns) * 100,
    boundBy,
    floorNs: floors,
    ...(parts.some((row) => row.aboveRoof) ? { aboveRoof: true as const } : {}),
  };
}

/** What the decoder knows of a phase beside its dispatches. */
export type PhaseCounts = Readonly<Record<string, { readonly tokens: number; readonly forwards: number }>>;

/** Sums dispatches by phase, in order of appearance; `ns` is null where a dispatch of the phase has no time. */
export function phaseTable(dispatches: readonly TimedDispatch[], counts: PhaseCounts = {}): PhaseRow[] {
  const phases = new Map<string, TimedDispatch[]>();
  for (const dispatch of dispatches) {
    const parts = phases.get(dispatch.phase);
    if (parts) parts.push(dispatch);
    else phases.set(dispatch.phase, [dispatch]);
  }
  return [...phases].map(([name, parts]) => ({
    name,
    ns: parts.every((part) => part.ns !== null) ? parts.reduce((sum, part) => sum + (part.ns ?? 0), 0) : null,
    flops: parts.reduce((sum, part) => sum + part.flops, 0),
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
    tokens: counts[name]?.tokens ?? 0,
    forwards: counts[name]?.forwards ?? 0,
  }));
}

type Identity = Pick<KernelRow, "kernel" | "variant" | "role" | "phase" | "shape">;

/** What makes rows the same kernel at work, whatever its shape. */
export const keyOfKernel = ({ kernel, variant, role, phase }: Identity): string => JSON.stringify([kernel, variant, role, phase]);

const keyOf = (row: Identity): string =>
  keyOfKernel(row) + JSON.stringify(Object.entries(row.shape).sort(([a], [b]) => (a < b ? -1 : 1)));
