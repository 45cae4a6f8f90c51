/** Linear layers: output[t, n] (+)= Σ_k input[t, k] · weight[n, k] (+ bias[n]), over every weight format. Which variant runs is a pure choice. */
import gemmLane from "../../shaders/gemm_lane.wgsl?raw";
import gemmReg from "../../shaders/gemm_reg.wgsl?raw";
import gemmTile from "../../shaders/gemm_tile.wgsl?raw";
import gemvLane from "../../shaders/gemv_lane.wgsl?raw";
import gemvReg from "../../shaders/gemv_reg.wgsl?raw";
import gemvSplit from "../../shaders/gemv_split.wgsl?raw";
import eightColumns from "../../shaders/lib/eight_columns.wgsl?raw";
import linearStore from "../../shaders/lib/linear_store.wgsl?raw";
import plan from "../../shaders/lib/plan.wgsl?raw";
import spread from "../../shaders/lib/spread.wgsl?raw";
import type { DeviceProfile } from "../gpu/profile";
import type { Extent, Kernel, Work } from "./dispatch";
import { type WeightFormat, weightBytes, weightPart } from "./weight";

export interface LinearShape {
  readonly format: WeightFormat;
  /** K, padded to 32: also the row length of the input. */
  readonly inFeatures: number;
  /** N */
  readonly outFeatures: number;
  /** Columns of the plane, padded. */
  readonly columns: number;
  /** First output column and output row length; 0 and outFeatures unless several layers share an output. */
  readonly outOffset?: number;
  readonly outStride?: number;
  readonly bias?: boolean;
  /** Add to what the output holds. */
  readonly residual?: boolean;
}

export type LinearAlgorithm = "gemv_reg" | "gemv_lane" | "gemv_split" | "gemm_reg" | "gemm_lane" | "gemm_tile";

interface Geometry {
  readonly source: string;
  /** Outputs of a workgroup: rows × columns. */
  readonly rows: number;
  readonly columns: number;
  readonly invocations: number;
  /** 32-bit loads of an invocation over `octets` of the input, given loads a weight octet and a scale. */
  readonly loads: (octets: number, weightLoads: number, scaleLoads: number) => number;
  readonly consts: Readonly<Record<string, number>>;
  /** Parts of the algorithm's own. */
  readonly parts?: readonly string[];
  /** Inputs go round a subgroup. */
  readonly subgroups?: boolean;
}

const GEOMETRY: Readonly<Record<LinearAlgorithm, Geometry>> = {
  gemv_reg: {
    source: gemvReg,
    rows: 1,
    columns: 32,
    invocations: 8,
    loads: (octets, weight, scale) => octets * (8 + 4 * weight) + (octets / 4) * 4 * scale,
    consts: { WIDTH: 8 },
  },
  gemv_lane: {
    source: gemvLane,
    parts: [spread],
    rows: 1,
    columns: 64,
    invocations: 8,
    loads: (octets, weight, scale) => octets * (2 + 8 * weight) + (octets / 4) * 8 * scale,
    consts: { WIDTH: 8 },
    subgroups: true,
  },
  gemv_split: {
    source: gemvSplit,
    rows: 1,
    columns: 32,
    invocations: 256,
    loads: (octets, weight, scale) => (octets * (8 + weight) + (octets / 4) * scale) / 8,
    consts: { WIDTH: 32, SPLIT: 8 },
  },
  gemm_reg: {
    source: gemmReg,
    parts: [eightColumns],
    rows: 8,
    columns: 64,
    invocations: 8,
    loads: (octets, weight, scale) => octets * (64 + 8 * weight + 8 * scale),
    consts: { WIDTH: 8 },
  },
  gemm_lane: {
    source: gemmLane,
    parts: [spread, eightColumns],
    rows: 8,
    columns: 64,
    invocations: 8,
    loads: (octets, weight, scale) => octets * (16 + 8 * weight + 8 * scale),
    consts: { WIDTH: 8 },
    subgroups: true,
  },
  gemm_tile: {
    source: gemmTile,
    rows: 32,
    columns: 32,
    invocations: 64,
    loads: (octets, weight, scale) => (octets / 4) * (16 + 2 * weight + scale),
    consts: {},
  },
};

/** Rows from which a matrix product beats as many matrix-vector products: measured on SwiftShader; on GPUs the tile's quarter. */
const GEMM_ROWS = { cpu: 4, gpu: 8 } as const;

/** The algorithm for so many rows on a device. */
export function linearAlgorithm(profile: DeviceProfile, rows: number): LinearAlgorithm {
  if (profile.software) {
    const shared = profile.features.includes("subgroups") && profile.subgroupMinSize >= 4;
    if (rows < GEMM_ROWS.cpu) return shared ? "gemv_lane" : "gemv_reg";
    return shared ? "gemm_lane" : "gemm_reg";
  }
  return rows < GEMM_ROWS.gpu ? "gemv_split" : "gemm_tile";
}

function workOf(shape: LinearShape, geometry: Geometry, { rows }: Extent): Work {
  const { inFeatures, outFeatures, format } = shape;
  const groups = Math.ceil(outFeatures / geometry.columns) * Math.ceil(rows / geometry.rows);
  const { octetLoads, scaleLoads } = weightPart(format);
  const weights = weightBytes(format, inFeatures, outFeatures) * (geometry.rows === 1 ? rows : 1);
  return {
    flops: 2 * rows * outFeatures * inFeatures,
    bytes: weights + 4 * rows * (inFeatures + outFeatures * (shape.residual ? 2 : 1)),
    loads: groups * geometry.invocations * geometry.loads(inFeatures / 8, octetLoads, scaleLoads),
  };
}

/** The kernel of a linear layer. Bindings: words, scales, input, output, bias. */
export function linear(algorithm: LinearAlgorithm, shape: LinearShape): Kernel {
  const geometry = GEOMETRY[algorithm];
  const {
    format,
    inFeatures,
    outFeatures,
    columns,
    outOffset = 0,
    outStride = outFeatures,
    bias = false,
    residual = false,
  } = shape;
  return {
    name: algorithm,
    variant: format,
    wgsl: {
      source: geometry.source,
      parts: [weightPart(format).source, linearStore, plan, ...(geometry.parts ?? [])],
      consts: {
        ...geometry.consts,
        IN: inFeatures,
        COLUMNS: columns,
        OUT: outFeatures,
        OUT_OFFSET: outOffset,
        OUT_STRIDE: outStride,
        BIAS: bias,
        RESIDUAL: residual,
      },
      features: geometry.subgroups ? ["subgroups"] : [],
    },
    bindings: ["read", "read", "read", "write", "read"],
    grid: ({ rows }) => [Math.ceil(outFeatures / geometry.columns), Math.ceil(rows / geometry.rows), 1],
    shape: ({ rows }) => ({ T: rows, N: outFeatures, K: inFeatures }),
    work: (extent) => workOf(shape, geometry, extent),
  };
}
