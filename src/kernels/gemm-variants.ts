/** The matrix products among the ways to run a linear layer: register tiles for CPU adapters, tiles in workgroup memory for GPUs. */
import gemmInt8 from "../../shaders/gemm_int8.wgsl?raw";
import gemmLane from "../../shaders/gemm_lane.wgsl?raw";
import gemmLane4x8 from "../../shaders/gemm_lane_4x8.wgsl?raw";
import gemmLane8x4 from "../../shaders/gemm_lane_8x4.wgsl?raw";
import gemmLane16x8 from "../../shaders/gemm_lane_16x8.wgsl?raw";
import gemmReg from "../../shaders/gemm_reg.wgsl?raw";
import gemmTile from "../../shaders/gemm_tile.wgsl?raw";
import gemmTileHalf from "../../shaders/gemm_tile_half.wgsl?raw";
import gemmTileLarge from "../../shaders/gemm_tile_large.wgsl?raw";
import gemmWide from "../../shaders/gemm_wide.wgsl?raw";
import columnsApart from "../../shaders/lib/columns_apart.wgsl?raw";
import columnsQuad from "../../shaders/lib/columns_quad.wgsl?raw";
import eightColumns from "../../shaders/lib/eight_columns.wgsl?raw";
import inputsEight from "../../shaders/lib/inputs_eight.wgsl?raw";
import inputsFour from "../../shaders/lib/inputs_four.wgsl?raw";
import spread from "../../shaders/lib/spread.wgsl?raw";
import type { LinearVariant } from "./linear-variants";

/** Inputs go round a subgroup, four at a load; an invocation's eight columns lie apart, so that neighbours read neighbours. */
const lane = (algorithm: string, source: string, rows: number): LinearVariant => ({
  id: algorithm,
  algorithm,
  source,
  parts: [spread, inputsFour, columnsApart],
  features: ["subgroups"],
  subgroup: 4,
  rows,
  columns: 64,
  invocations: 8,
  loads: (octets, weight, scale) => octets * (2 * rows + 8 * weight) + (octets / 4) * 8 * scale,
  consts: {},
});

/** The same for wider subgroups: inputs eight at a load, and two times four columns that one load takes each. */
const quadLane = (algorithm: string, source: string, rows: number): LinearVariant => ({
  ...lane(algorithm, source, rows),
  id: `${algorithm}_quad`,
  quads: true,
  parts: [inputsEight, columnsQuad],
  subgroup: 8,
  loads: (octets, weight, scale) => octets * (rows + 8 * weight) + (octets / 4) * 8 * scale,
});

/** Four columns an invocation, so that a load serves more rows. */
const fourLane = (algorithm: string, source: string, rows: number): LinearVariant => ({
  ...quadLane(algorithm, source, rows),
  id: algorithm,
  parts: [inputsEight],
  storage: 128,
  invocations: 16,
  loads: (octets, weight, scale) => octets * (rows + 4 * weight) + (octets / 4) * 4 * scale,
});

const VARIANTS: readonly LinearVariant[] = [
  {
    id: "gemm_reg",
    algorithm: "gemm_reg",
    source: gemmReg,
    parts: [eightColumns],
    rows: 8,
    columns: 64,
    invocations: 8,
    loads: (octets, weight, scale) => octets * (64 + 8 * weight + 8 * scale),
    consts: { WIDTH: 8 },
  },
  lane("gemm_lane", gemmLane, 8),
  lane("gemm_lane_16x8", gemmLane16x8, 16),
  quadLane("gemm_lane", gemmLane, 8),
  quadLane("gemm_lane_4x8", gemmLane4x8, 4),
  fourLane("gemm_lane_8x4", gemmLane8x4, 8),
  {
    id: "gemm_wide",
    algorithm: "gemm_wide",
    source: gemmWide,
    storage: 2048,
    rows: 16,
    columns: 128,
    invocations: 64,
    loads: (octets, weight, scale) => octets * 2 * weight + (octets / 4) * (8 + 2 * scale),
    consts: {},
  },
  {
    id: "gemm_tile",
    algorithm: "gemm_tile",
    source: gemmTile,
    parts: [eightColumns],
    storage: 12_416,
    rows: 32,
    columns: 64,
    invocations: 64,
    loads: (octets, weight, scale) => (octets / 4) * (16 + 4 * weight + scale),
    consts: {},
  },
  {
    id: "gemm_tile_large",
    algorithm: "gemm_tile_large",
    source: gemmTileLarge,
    parts: [eightColumns],
    storage: 8256,
    rows: 64,
    columns: 64,
    invocations: 64,
    loads: (octets, weight, scale) => (octets / 2) * (16 + 2 * weight + scale),
    consts: {},
  },
  {
    id: "gemm_tile_half",
    algorithm: "gemm_tile_half",
    source: gemmTileHalf,
    parts: [eightColumns],
    features: ["f16"],
    rounds: "f16",
    storage: 6208,
    rows: 32,
    columns: 64,
    invocations: 64,
    loads: (octets, weight, scale) => (octets / 4) * (16 + 4 * weight + scale),
    consts: {},
  },
  {
    id: "gemm_int8",
    algorithm: "gemm_int8",
    source: gemmInt8,
    parts: [eightColumns],
    needs: ["packed_4x8_integer_dot_product"],
    rounds: "int8",
    formats: ["q4", "q8"],
    storage: 3872,
    rows: 32,
    columns: 64,
    invocations: 64,
    loads: (octets, weight, scale) => (octets / 4) * (64 + 4 * weight + scale),
    consts: {},
  },
];

export const GEMM_VARIANTS: readonly LinearVariant[] = VARIANTS.map((variant) => ({ ...variant, rowsFirst: true }));
