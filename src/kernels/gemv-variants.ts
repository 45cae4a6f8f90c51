/** Matrix-vector products, for one row or a few that share what is read of the weights: rows of the table of `linear-variants.ts`. */
import gemvLaneSource from "../../shaders/gemv_lane.wgsl?raw";
import gemvRegSource from "../../shaders/gemv_reg.wgsl?raw";
import gemvSplitSource from "../../shaders/gemv_split.wgsl?raw";
import normScalar from "../../shaders/lib/norm_scalar.wgsl?raw";
import normVector from "../../shaders/lib/norm_vector.wgsl?raw";
import spread from "../../shaders/lib/spread.wgsl?raw";
import type { LinearVariant } from "./linear-variants";

/** The id says how many rows share, where it is more than one. */
const rowId = (algorithm: string, rows: number): string => (rows === 1 ? algorithm : `${algorithm}_${rows}`);

const gemvReg = (rows: number): LinearVariant => ({
  id: rowId("gemv_reg", rows),
  algorithm: "gemv_reg",
  source: gemvRegSource,
  gain: normVector,
  rows,
  columns: 32,
  invocations: 8,
  loads: (octets, weight, scale) => octets * (8 * rows + 4 * weight) + (octets / 4) * 4 * scale,
  consts: { WIDTH: 8, ROWS: rows },
});

const gemvLane = (rows: number): LinearVariant => ({
  id: rowId("gemv_lane", rows),
  algorithm: "gemv_lane",
  source: gemvLaneSource,
  parts: [spread],
  gain: normScalar,
  features: ["subgroups"],
  subgroup: 4,
  rows,
  columns: 64,
  invocations: 8,
  loads: (octets, weight, scale) => octets * (2 * rows + 8 * weight) + (octets / 4) * 8 * scale,
  consts: { WIDTH: 8, ROWS: rows },
});

const gemvSplit = (rows: number): LinearVariant => ({
  id: rowId("gemv_split", rows),
  algorithm: "gemv_split",
  source: gemvSplitSource,
  gain: normVector,
  storage: 4 * rows * 8 * (32 + 1),
  rows,
  columns: 32,
  invocations: 256,
  loads: (octets, weight, scale) => (octets * (8 * rows + weight) + (octets / 4) * scale) / 8,
  consts: { WIDTH: 32, SPLIT: 8, ROWS: rows },
});

export const GEMV_VARIANTS: readonly LinearVariant[] = [
  ...[1, 2].map((rows) => gemvReg(rows)),
  ...[1, 2, 4].map((rows) => gemvLane(rows)),
  ...[1, 2, 4, 8].map((rows) => gemvSplit(rows)),
];
