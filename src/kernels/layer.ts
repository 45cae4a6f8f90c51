/** The kernels between the linear layers: embedding, norm, rotary position and cache write, attention. */
import attentionSource from "../../shaders/attention.wgsl?raw";
import embedSource from "../../shaders/embed.wgsl?raw";
import plan from "../../shaders/lib/plan.wgsl?raw";
import rmsnormSource from "../../shaders/rmsnorm.wgsl?raw";
import ropeCacheSource from "../../shaders/rope_cache.wgsl?raw";
import type { Kernel } from "./dispatch";
import type { Lanes } from "./lanes";
import { type WeightFormat, weightPart } from "./weight";

/** Next multiple of 32: row length of an activation. */
export const pad32 = (n: number): number => Math.ceil(n / 32) * 32;

/** Columns of a table of embeddings, maybe a part of the vocabulary. */
export interface EmbedShape {
  readonly format: WeightFormat;
  /** Columns of the plane, padded. */
  readonly columns: number;
  /** Tokens, and the first one: those of others are left alone. */
  readonly outFeatures: number;
  readonly outOffset: number;
}

/** Bindings: words, scales, canvas, output. */
export function embed({ format, columns, outFeatures, outOffset }: EmbedShape, hiddenSize: number): Kernel {
  const wide = pad32(hiddenSize);
  const { source, bitsPerWeight, octetLoads, scaleLoads } = weightPart(format);
  const consts = { WIDE: wide, COLUMNS: columns, WIDTH: 16, FIRST: outOffset, TOKENS: outFeatures };
  return {
    name: "embed",
    variant: format,
    wgsl: { source: embedSource, parts: [source, plan], consts },
    bindings: ["read", "read", "read", "write"],
    grid: ({ rows }) => [Math.ceil(wide / 128), rows, 1],
    shape: ({ rows }) => ({ T: rows, D: hiddenSize }),
    work: ({ rows }) => ({
      flops: 0,
      // Each row is one shard's: counted with the first, for which tokens fall where is not known beforehand.
      bytes: outOffset === 0 ? rows * ((hiddenSize * bitsPerWeight) / 8 + 4 * hiddenSize) : 0,
      loads: rows * (wide / 8) * (octetLoads + scaleLoads + 2),
    }),
  };
}

/** Bindings: input, gain, output. With `gather`, reads the plan's source rows. */
export function rmsnorm(lanes: Lanes, size: number, eps: number, gather: boolean): Kernel {
  return {
    name: "rmsnorm",
    variant: gather ? `${lanes.variant}-gather` : lanes.variant,
    wgsl: {
      source: rmsnormSource,
      parts: [lanes.part, plan],
      consts: { ...lanes.consts, SIZE: size, STRIDE: pad32(size), EPS: eps, GATHER: gather },
      features: lanes.features,
    },
    bindings: ["read", "read", "write"],
    grid: ({ rows }) => [1, rows, 1],
    shape: ({ rows }) => ({ T: rows, D: size }),
    work: ({ rows }) => ({ flops: 4 * rows * size, bytes: 8 * rows * size + 4 * size, loads: rows * size * 3 }),
  };
}

export interface AttentionShape {
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  /** Rows of the cache. */
  readonly slots: number;
  /** Capacity of the query buffer in packs of four (row, head) pairs a key/value head. */
  readonly packs: number;
}

/** Packs of four (row, head) pairs that `rows` rows fill, for each key/value head. */
export const packsOf = (rows: number, { numAttentionHeads, numKeyValueHeads }: AttentionShape): number =>
  Math.ceil((rows * (numAttentionHeads / numKeyValueHeads)) / 4);

/** Row length of the stacked query, key and value projections. */
export const qkvWidth = (s: AttentionShape): number => (s.numAttentionHeads + 2 * s.numKeyValueHeads) * s.headDim;

/** Bindings: qkv, turns, head_gain, query, keys, values. */
export function ropeCache(lanes: Lanes, shape: AttentionShape, headNorm: { eps: number } | null): Kernel {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim } = shape;
  const width = qkvWidth(shape);
  const rotated = (heads + kvHeads) * headDim;
  return {
    name: "rope_cache",
    variant: headNorm ? `${lanes.variant}-headnorm` : lanes.variant,
    wgsl: {
      source: ropeCacheSource,
      parts: [lanes.part, plan],
      consts: {
        ...lanes.consts,
        HEADS: heads,
        KV_HEADS: kvHeads,
        HEAD_DIM: headDim,
        QKV_STRIDE: pad32(width),
        PACKS: shape.packs,
        SLOTS: shape.slots,
        HEAD_NORM: headNorm !== null,
        EPS: headNorm?.eps ?? 0,
      },
      features: lanes.features,
    },
    bindings: ["read", "read", "read", "write", "write", "write"],
    grid: ({ rows }) => [heads + 2 * kvHeads, rows, 1],
    shape: ({ rows }) => ({ T: rows, H: heads, K: kvHeads, E: headDim }),
    work: ({ rows }) => ({
      flops: rows * rotated * (headNorm ? 7 : 3),
      bytes: 8 * rows * width + 4 * rows * headDim,
      loads: rows * (width + rotated * (headNorm ? 4 : 2)),
    }),
  };
}

/** Bindings: query, keys, values, output. With `sparse`, rows leave out what their hole says, and keys that no row sees are skipped: a
 * variant, so that the others pay nothing for it. */
export function attention(lanes: Lanes, shape: AttentionShape, sparse = false): Kernel {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim } = shape;
  const share = Math.ceil(headDim / lanes.count);
  return {
    name: "attention",
    variant: sparse ? `${lanes.variant}-sparse` : lanes.variant,
    wgsl: {
      source: attentionSource,
      parts: [lanes.part, plan],
      consts: {
        ...lanes.consts,
        HEADS: heads,
        KV_HEADS: kvHeads,
        HEAD_DIM: headDim,
        PACKS: shape.packs,
        SLOTS: shape.slots,
        OUT_STRIDE: pad32(heads * headDim),
        SPARSE: sparse,
        SCALE: Math.LOG2E / Math.sqrt(headDim),
      },
      features: lanes.features,
    },
    bindings: ["read", "read", "read", "write"],
    grid: ({ rows }) => [packsOf(rows, shape), kvHeads, 1],
    shape: ({ rows, span }) => ({ T: rows, S: span, H: heads, K: kvHeads, E: headDim }),
    work: ({ rows, visible, span }) => {
      const chunks = Math.ceil(visible / rows / (4 * lanes.count));
      const invocations = packsOf(rows, shape) * kvHeads * lanes.count;
      return {
        flops: 4 * headDim * heads * visible,
        bytes: 4 * (2 * kvHeads * span * headDim + 2 * rows * heads * headDim),
        loads: invocations * chunks * (8 * headDim + 4 * lanes.count * share),
      };
    },
  };
}
