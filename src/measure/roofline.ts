/**
 * Work and ceilings into the least time it can take. It measures nothing and draws nothing (`roofline-figure.ts` does).
 *
 * floor = max(FLOP ÷ FMA rate, byte ÷ bandwidth, loads ÷ issue rate) + dispatch cost. Williams, Waterman, Patterson 2009, with two
 * ceilings more: a shader is often bound by how fast it issues loads, and a small one by how fast it is launched.
 */
import type { BoundBy, Calibration } from "./types";

/** What one dispatch does, as its row of the kernel table counts it. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
  /** 32-bit buffer loads, summed over invocations. */
  readonly loads: number;
  /** Bytes that compete for the caches while it runs. Default `bytes`: every buffer once, as if nothing else was touched. */
  readonly workingSetBytes?: number;
  /** Arithmetic of the inner product. Default `f32`. */
  readonly arithmetic?: Arithmetic;
}

export type Arithmetic = keyof Calibration["flopsPerNs"];

/** The terms of a floor in ns; their largest names what binds. */
export interface FloorTerms {
  readonly compute: number;
  readonly memory: number;
  readonly issue: number;
  readonly launch: number;
}

export interface Floor {
  readonly ns: number;
  readonly boundBy: BoundBy;
  readonly terms: FloorTerms;
}

/** FLOP/ns of an arithmetic; where the device has no such unit (or it was not measured), f32's. */
export function peakFlopsPerNs(calibration: Calibration, arithmetic: Arithmetic = "f32"): number {
  return (calibration.flopsPerNs[arithmetic] ?? calibration.flopsPerNs.f32).median;
}

/**
 * Best byte/ns at a working set: the fastest level measured at that size or larger, of the sizes measured. Sizes between two levels take
 * the smaller (faster) one, so that the result is an upper bound and never rises with the size.
 */
export function bandwidthAt(calibration: Calibration, workingSetBytes: number): number {
  const { levels, read, copy } = calibration.bytesPerNs;
  const sizes = levels.map((level) => level.workingSetBytes).sort((a, b) => a - b);
  const size = sizes.filter((bytes) => bytes <= workingSetBytes).at(-1) ?? sizes[0] ?? 0;
  const rates = levels.filter((level) => level.workingSetBytes >= size).map((level) => level.median);
  return Math.max(read.median, copy.median, ...rates);
}

/** Each term of the floor of one dispatch. */
export function floorTerms(work: Work, calibration: Calibration): FloorTerms {
  return {
    compute: work.flops / peakFlopsPerNs(calibration, work.arithmetic),
    memory: work.bytes / bandwidthAt(calibration, work.workingSetBytes ?? work.bytes),
    issue: work.loads / calibration.loadsPerNs.median,
    launch: calibration.dispatchNs.median,
  };
}

/** The term that binds. Ties go to compute, then memory, then issue. */
export function dominant(terms: FloorTerms): BoundBy {
  const order = ["compute", "memory", "issue", "launch"] as const;
  return order.reduce((best, name) => (terms[name] > terms[best] ? name : best));
}

/** The least ns one dispatch of this work can take on this device, and which ceiling says so. */
export function floorNs(work: Work, calibration: Calibration): Floor {
  const terms = floorTerms(work, calibration);
  return { ns: Math.max(terms.compute, terms.memory, terms.issue) + terms.launch, boundBy: dominant(terms), terms };
}

/** Floor ÷ measured time × 100. Above 100 the work is counted wrong, or the ceiling was measured too low. */
export function percentOfRoof(work: Work, ns: number, calibration: Calibration): number {
  return (floorNs(work, calibration).ns / ns) * 100;
}

export interface RoofOptions {
  readonly arithmetic?: Arithmetic;
  /** Default: beyond the largest measured level. */
  readonly workingSetBytes?: number;
}

/** GFLOP/s that a kernel of this intensity (FLOP/byte) can reach under the two classical roofs. */
export function attainable(intensity: number, calibration: Calibration, options: RoofOptions = {}): number {
  const { arithmetic, workingSetBytes = Number.POSITIVE_INFINITY } = options;
  return Math.min(peakFlopsPerNs(calibration, arithmetic), intensity * bandwidthAt(calibration, workingSetBytes));
}

/** Intensity in FLOP/byte at which the two classical roofs meet. */
export function ridgePoint(calibration: Calibration, options: RoofOptions = {}): number {
  const { arithmetic, workingSetBytes = Number.POSITIVE_INFINITY } = options;
  return peakFlopsPerNs(calibration, arithmetic) / bandwidthAt(calibration, workingSetBytes);
}
