/** The matrix products among the ways to run a linear layer: register tiles for CPU adapters, tiles in workgroup memory for GPUs. */
import gemmLane from "../../shaders/gemm_lane.wgsl?raw";
import gemmReg from "../../shaders/gemm_reg.wgsl?raw";
import gemmTile from "../../shaders/gemm_tile.wgsl?raw";
import gemmTileLarge from "../../shaders/gemm_tile_large.wgsl?raw";
import gemmWide from "../../shaders/gemm_wide.wgsl?raw";
import eightColumns from "../../shaders/lib/eight_columns.wgsl?raw";
import spread from "../../shaders/lib/spread.wgsl?raw";
import type { LinearVariant } from "./linear-variants";

export const GEMM_VARIANTS: readonly LinearVariant[] = [
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
  {
    id: "gemm_lane",
    algorithm: "gemm_lane",
    source: gemmLane,
    parts: [spread, eightColumns],
    features: ["subgroups"],
    subgroup: 4,
    rows: 8,
    columns: 64,
    invocations: 8,
    loads: (octets, weight, scale) => octets * (16 + 8 * weight + 8 * scale),
    consts: { WIDTH: 8 },
  },
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
];
