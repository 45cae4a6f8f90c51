/** Linear layers: output[t, n] (+)= Σ_k input[t, k] · weight[n, k] (+ bias[n]), over every weight format. Which variant runs is a pure choice. */
import linearStore from "../../shaders/lib/linear_store.wgsl?raw";
import normNone from "../../shaders/lib/norm_none.wgsl?raw";
import normScale from "../../shaders/lib/norm_scale.wgsl?raw";
import plan from "../../shaders/lib/plan.wgsl?raw";
import { ensure } from "../errors";
import type { DeviceProfile } from "../gpu/profile";
import type { Extent, Grid, Kernel, Work } from "./dispatch";
import { canRun, LINEAR_VARIANTS, type LinearVariant } from "./linear-variants";
import { linearKey, rowClass, seededTuning, type Tuning } from "./tuning";
import { planeConsts, type WeightFormat, weightBytes, weightPart } from "./weight";

export type { LinearVariant };

export interface LinearShape {
  readonly format: WeightFormat;
  /** K, padded to 32: also the row length of the input. */
  readonly inFeatures: number;
  /** N; gated, gates and ups together. */
  readonly outFeatures: number;
  /** Columns of the plane, padded. */
  readonly columns: number;
  /** First output column and output row length; 0 and outFeatures unless several layers share an output. */
  readonly outOffset?: number;
  readonly outStride?: number;
  readonly bias?: boolean;
  /** Add to what the output holds. */
  readonly residual?: boolean;
  /** The plane's columns are gates and ups by turns of 32, and the outputs silu(gate) · up: half as many. No bias. */
  readonly gated?: boolean;
  /** Normalise the input on the way (RMS norm with a gain); its padding must be zero. Only by variants that {@link normalizes} names. */
  readonly norm?: InputNorm | undefined;
}

export interface InputNorm {
  /** Features, without padding. */
  readonly size: number;
  readonly eps: number;
  /** Read the plan's source rows instead of the first ones. */
  readonly gather: boolean;
}

/** Whether a variant can normalise its input on the way. */
export const normalizes = ({ gain }: LinearVariant): boolean => gain !== undefined;

/** Every variant that a device can run for a weight format. */
export const linearVariants = (profile: DeviceProfile, format: WeightFormat): readonly LinearVariant[] =>
  LINEAR_VARIANTS.filter((variant) => (variant.formats?.includes(format) ?? true) && canRun(variant, profile));

/** @throws `bad-option` for an id that names no variant. */
export function linearVariant(id: string): LinearVariant {
  const variant = LINEAR_VARIANTS.find((candidate) => candidate.id === id);
  const known = () => LINEAR_VARIANTS.map((candidate) => candidate.id).join(", ");
  ensure(variant, "bad-option", () => `linear variant "${id}": expected one of ${known()}; tune again`);
  return variant;
}

/** Rows from which a matrix product beats matrix-vector products: measured on SwiftShader and lavapipe; on GPUs the tile's quarter. */
const GEMM_ROWS = { lane: 8, reg: 4, gpu: 8 } as const;

/** One row has a variant of its own; more take the one whose `shared` rows share weights, half filled or not: as fast, and one kernel less to compile. */
const vectorProduct = (algorithm: string, rows: number, shared: number): LinearVariant =>
  linearVariant(rows > 1 ? `${algorithm}_${shared}` : algorithm);

/** Narrow lanes (SwiftShader) have few registers and cheap neighbours; wide ones (lavapipe) spill sooner and pay by the load. */
function laneProduct({ subgroupMinSize }: DeviceProfile, least: number): string {
  if (subgroupMinSize >= 8) return least < 16 ? "gemm_lane_quad" : "gemm_lane_8x4";
  return least < 16 ? "gemm_lane" : "gemm_lane_16x8";
}

/** The variant of a device that nobody has measured, for a class of rows. */
export function defaultLinear(profile: DeviceProfile, _format: WeightFormat, rows: number): LinearVariant {
  const least = rowClass(rows);
  if (profile.software) {
    const shared = profile.features.includes("subgroups") && profile.subgroupMinSize >= 4;
    if (shared && least < GEMM_ROWS.lane) return vectorProduct("gemv_lane", least, 4);
    if (!shared && least < GEMM_ROWS.reg) return vectorProduct("gemv_reg", least, 2);
    return linearVariant(shared ? laneProduct(profile, least) : "gemm_reg");
  }
  if (least >= GEMM_ROWS.gpu) return linearVariant(least < 32 ? "gemm_wide" : least < 512 ? "gemm_tile" : "gemm_tile_large");
  return vectorProduct("gemv_split", least, 4);
}

/** What a choice looks at. */
export interface LinearQuery {
  readonly format: WeightFormat;
  readonly rows: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
}

/**
 * The variant for so many rows of a layer: what `tuning` says of its shape, or of its format and rows; else what is shipped for the architecture;
 * else the default. The same for all row counts of a class.
 * @throws `bad-option` for a tuned variant that is unknown, or that the device cannot run.
 */
export function chooseLinear(profile: DeviceProfile, tuning: Tuning, query: LinearQuery): LinearVariant {
  const { format, rows } = query;
  const keys = [linearKey(query), linearKey({ format, rows })];
  const tuned = keys.map((key) => tuning[key]).find((id) => id !== undefined);
  if (tuned !== undefined) {
    const variant = linearVariant(tuned);
    const runs = linearVariants(profile, format).includes(variant);
    ensure(
      runs,
      "bad-option",
      () => `linear variant "${tuned}": tuned for ${keys[0]}, but this device cannot run it; tune again`,
    );
    return variant;
  }
  // What is shipped goes by the device's name: a feature may have been withheld from it.
  const table = seededTuning(profile);
  const seeded = keys.map((key) => table[key]).find((id) => id !== undefined);
  const variant = linearVariants(profile, format).find(({ id }) => id === seeded);
  return variant ?? defaultLinear(profile, format, rows);
}

/** How often `rows` rows read the weights of the plane: once for a matrix product, once for each group of rows of a matrix-vector product. */
export const weightReads = ({ algorithm, rows: group }: LinearVariant, rows: number): number =>
  algorithm.startsWith("gemv") ? Math.ceil(rows / group) : 1;

/** Workgroups along the columns: pairs of them lie 32 apart, so that whole turns of 64 are covered. */
const columnGroups = ({ outFeatures }: LinearShape, { columns }: LinearVariant): number =>
  Math.ceil((Math.ceil(outFeatures / 64) * 64) / columns);

/** Matrix products go through the rows first, so that workgroups that follow one another read the same weights. */
function gridOf(shape: LinearShape, variant: LinearVariant, rows: number): Grid {
  const [across, down] = [columnGroups(shape, variant), Math.ceil(rows / variant.rows)];
  return variant.rowsFirst ? [down, across, 1] : [across, down, 1];
}

function workOf(shape: LinearShape, variant: LinearVariant, { rows }: Extent): Work {
  const { inFeatures, outFeatures, format, norm, gated = false } = shape;
  const groups = columnGroups(shape, variant) * Math.ceil(rows / variant.rows);
  const { octetLoads, scaleLoads } = weightPart(format);
  const weights = weightBytes(format, inFeatures, outFeatures) * weightReads(variant, rows);
  const outputs = gated ? outFeatures / 2 : outFeatures;
  return {
    flops: rows * (2 * outFeatures * inFeatures + (gated ? 5 * outputs : 0) + (norm ? 4 * norm.size : 0)),
    bytes: weights + 4 * rows * (inFeatures + outputs * (shape.residual ? 2 : 1)) + (norm ? 4 * norm.size : 0),
    loads: groups * variant.invocations * variant.loads(inFeatures / 8, octetLoads, scaleLoads),
  };
}

/**
 * The kernel of a linear layer. Bindings: words, scales, input, output, bias; with a norm also its gain.
 * @throws `bad-option` for a norm that the variant cannot take on, and for a bias before a gate.
 */
export function linear(variant: LinearVariant, shape: LinearShape): Kernel {
  const {
    format,
    inFeatures,
    outFeatures,
    columns,
    outOffset = 0,
    outStride = outFeatures,
    bias = false,
    residual = false,
    gated = false,
    norm,
  } = shape;
  const { id, algorithm, gain } = variant;
  const { source, quads } = weightPart(format);
  ensure(!norm || gain !== undefined, "bad-option", () => `${id} takes inputs as they are: normalise them by rmsnorm before`);
  ensure(!gated || !bias, "bad-option", () => `${id}: a gated layer has no bias`);
  const normParts = norm ? [normScale, gain as string] : gain === undefined ? [] : [normNone];
  const names = [format, ...(id === algorithm ? [] : [id.slice(algorithm.length + 1)]), ...(norm ? ["norm"] : [])];
  return {
    name: algorithm,
    variant: [...names, ...(gated ? ["gated"] : [])].join(" "),
    wgsl: {
      source: variant.source,
      parts: [variant.quads ? quads : source, linearStore, plan, ...normParts, ...(variant.parts ?? [])],
      consts: {
        ...variant.consts,
        IN: inFeatures,
        ...planeConsts(format, inFeatures, columns, variant.quads),
        OUT: outFeatures,
        OUT_OFFSET: outOffset,
        OUT_STRIDE: outStride,
        BIAS: bias,
        RESIDUAL: residual,
        GATED: gated,
        ...(norm && { NORM_SIZE: norm.size, NORM_EPS: norm.eps, NORM_GATHER: norm.gather }),
      },
      features: variant.features ?? [],
    },
    bindings: ["read", "read", "read", "write", "read", ...(norm ? (["read"] as const) : [])],
    grid: ({ rows }) => gridOf(shape, variant, rows),
    shape: ({ rows }) => ({ T: rows, N: outFeatures, K: inFeatures }),
    work: (extent) => workOf(shape, variant, extent),
  };
}
