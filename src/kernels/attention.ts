/** Rotary position with the cache write, and attention over the cache in every variant. Knows rows and intervals, not what decodes with them. */
import attentionSource from "../../shaders/attention.wgsl?raw";
import reduceSource from "../../shaders/attention_reduce.wgsl?raw";
import tileSource from "../../shaders/attention_tile.wgsl?raw";
import attendedSplit from "../../shaders/lib/attended_split.wgsl?raw";
import attendedWhole from "../../shaders/lib/attended_whole.wgsl?raw";
import fourPairs from "../../shaders/lib/four_pairs.wgsl?raw";
import plan from "../../shaders/lib/plan.wgsl?raw";
import queryPlain from "../../shaders/lib/query_plain.wgsl?raw";
import querySpread from "../../shaders/lib/query_spread.wgsl?raw";
import spread from "../../shaders/lib/spread.wgsl?raw";
import tileF16 from "../../shaders/lib/tile_f16.wgsl?raw";
import tileF32 from "../../shaders/lib/tile_f32.wgsl?raw";
import ropeCacheSource from "../../shaders/rope_cache.wgsl?raw";
import { type CacheFormat, cachePart, cacheRowBytes } from "./cache";
import type { Extent, Kernel } from "./dispatch";
import type { Lanes } from "./lanes";
import { pad32 } from "./sizes";

export interface AttentionShape {
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  /** Even. */
  readonly headDim: number;
  /** Rows of the cache. */
  readonly slots: number;
  /** Capacity of the query buffer in packs of four (row, head) pairs a key/value head. */
  readonly packs: number;
  /** How keys and values are stored. Default f32. */
  readonly cache?: CacheFormat;
}

/** One hand-written kernel with one set of constants. */
export interface AttentionVariant {
  readonly id: string;
  readonly algorithm: "lanes" | "tile";
  /** (Row, head) pairs that share what a workgroup reads. */
  readonly pairs: 4 | 8 | 32;
  /** Pieces that the keys are split into; more than one take a second dispatch. */
  readonly parts: number;
  /** Queries go round a subgroup. */
  readonly spread: boolean;
  /** A tile is staged in f16. */
  readonly half: boolean;
}

/** What every device can run. */
export const PLAIN_ATTENTION: AttentionVariant = {
  id: "pairs4",
  algorithm: "lanes",
  pairs: 4,
  parts: 1,
  spread: false,
  half: false,
};

/** Packs of four (row, head) pairs that `rows` rows fill, for each key/value head. */
export const packsOf = (rows: number, { numAttentionHeads, numKeyValueHeads }: AttentionShape): number =>
  Math.ceil((rows * (numAttentionHeads / numKeyValueHeads)) / 4);

/** Row length of the stacked query, key and value projections. */
export const qkvWidth = (s: AttentionShape): number => (s.numAttentionHeads + 2 * s.numKeyValueHeads) * s.headDim;

/** Floats of the pieces that a split pass leaves behind: sums, peak and total of every head, row and piece. */
export const piecesOf = (rows: number, parts: number, { numAttentionHeads, headDim }: AttentionShape): number =>
  rows * numAttentionHeads * parts * (headDim + 2);

/** Bytes of the cache that `slots` slots take on one side, keys or values. */
export const cacheSideBytes = ({ numKeyValueHeads, headDim, cache = "f32" }: AttentionShape, slots: number): number =>
  numKeyValueHeads * slots * cacheRowBytes(cache, headDim);

const named = (...names: readonly (string | false)[]): string => names.filter(Boolean).join("-");
const formatName = ({ cache = "f32" }: AttentionShape): string | false => cache !== "f32" && cache;

/** Bindings: qkv, turns, head_gain, query, keys, values. */
export function ropeCache(lanes: Lanes, shape: AttentionShape, headNorm: { eps: number } | null): Kernel {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, cache = "f32" } = shape;
  const width = qkvWidth(shape);
  const rotated = (heads + kvHeads) * headDim;
  return {
    name: "rope_cache",
    variant: named(lanes.variant, headNorm !== null && "headnorm", formatName(shape)),
    wgsl: {
      source: ropeCacheSource,
      parts: [lanes.part, plan, cachePart(cache).write],
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
      bytes: 4 * rows * (width + heads * headDim + headDim) + 2 * cacheSideBytes(shape, rows),
      loads: rows * (width + rotated * (headNorm ? 4 : 2)) * (cache === "q8" ? 2 : 1),
    }),
  };
}

/** Bytes of one pass: visible keys and values once, queries once, and what comes out. */
const attentionBytes = (shape: AttentionShape, { rows, span }: Extent, outputBytes: number): number =>
  2 * cacheSideBytes(shape, span) + 4 * rows * shape.numAttentionHeads * shape.headDim + outputBytes;

/** What every attention kernel is told of its shape. */
function commonConsts({ numAttentionHeads, numKeyValueHeads, headDim, packs, slots }: AttentionShape) {
  const scale = Math.LOG2E / Math.sqrt(headDim);
  return { HEADS: numAttentionHeads, KV_HEADS: numKeyValueHeads, HEAD_DIM: headDim, PACKS: packs, SLOTS: slots, SCALE: scale };
}

const shapeOf = ({ numAttentionHeads: H, numKeyValueHeads: K, headDim: E }: AttentionShape, { rows, span }: Extent) => ({
  T: rows,
  S: span,
  H,
  K,
  E,
});

const outStride = ({ numAttentionHeads, headDim }: AttentionShape): number => pad32(numAttentionHeads * headDim);

/**
 * Scores and sums in registers. With `sparse`, rows leave out what their hole says, and keys that no row sees are skipped: a variant, so that the others
 * pay nothing for it. Bindings: query, keys, values, output; split into parts, pieces in place of the output.
 */
function lanesAttention(lanes: Lanes, shape: AttentionShape, variant: AttentionVariant, sparse: boolean): Kernel {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, cache = "f32" } = shape;
  const { pairs, parts, spread: spreads } = variant;
  const turns = Math.ceil(headDim / 2 / (8 * lanes.count));
  const { read, keyLoads, valueLoads } = cachePart(cache);
  const groups = (rows: number): number => Math.ceil(packsOf(rows, shape) / (pairs / 4));
  const whole = parts === 1;
  return {
    name: "attention",
    variant: named(
      lanes.variant,
      pairs > 4 && String(pairs),
      spreads && "spread",
      !whole && `split${parts}`,
      sparse && "sparse",
      formatName(shape),
    ),
    wgsl: {
      source: attentionSource,
      parts: [
        lanes.part,
        plan,
        fourPairs,
        read,
        whole ? attendedWhole : attendedSplit,
        ...(spreads ? [querySpread, spread] : [queryPlain]),
      ],
      consts: {
        ...lanes.consts,
        ...commonConsts(shape),
        WIDE: pairs > 4,
        PARTS: parts,
        SPARSE: sparse,
        ...(whole ? { OUT_STRIDE: outStride(shape) } : {}),
      },
      features: lanes.features,
    },
    bindings: ["read", "read", "read", "write"],
    grid: ({ rows }) => [groups(rows), kvHeads, parts * turns],
    shape: (extent) => shapeOf(shape, extent),
    work: (extent) => {
      const { rows, visible } = extent;
      const steps = Math.ceil(visible / rows / (4 * lanes.count));
      const queryLoads = (headDim * pairs) / (spreads ? 4 : 1);
      const values = 4 * lanes.count * Math.ceil(headDim / 2 / lanes.count) * valueLoads;
      return {
        flops: 4 * headDim * heads * visible,
        bytes: attentionBytes(shape, extent, 4 * (whole ? rows * heads * headDim : piecesOf(rows, parts, shape))),
        loads: groups(rows) * kvHeads * lanes.count * steps * (turns * (headDim * keyLoads + queryLoads) + values),
      };
    },
  };
}

/** Joins the pieces of a split pass. Bindings: pieces, output. */
export function attentionReduce(shape: AttentionShape, parts: number): Kernel {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim } = shape;
  return {
    name: "attention_reduce",
    variant: `split${parts}`,
    wgsl: {
      source: reduceSource,
      parts: [plan],
      consts: { HEADS: heads, KV_HEADS: kvHeads, HEAD_DIM: headDim, PARTS: parts, OUT_STRIDE: outStride(shape), WIDTH: 16 },
    },
    bindings: ["read", "write"],
    grid: ({ rows }) => [heads, rows, 1],
    shape: ({ rows }) => ({ T: rows, H: heads, E: headDim, P: parts }),
    work: ({ rows }) => ({
      flops: 0,
      bytes: 4 * (piecesOf(rows, parts, shape) + rows * heads * headDim),
      loads: rows * heads * parts * (16 * 3 + 2 * headDim),
    }),
  };
}

/** (Row, head) pairs of a tile. */
const TILE_PAIRS = 32;
/** Workgroup memory for keys or values: WebGPU's least is 16 KiB in all, and weights, peaks and totals take 5. */
const TILE_BYTES = 8 * 1024;

/** Keys that a tile holds. */
const tileKeys = (headDim: number, half: boolean): 16 | 32 =>
  32 * Math.ceil(headDim / 4) * (half ? 8 : 16) <= TILE_BYTES ? 32 : 16;

/** Keys and values staged in workgroup memory. Bindings: query, keys, values, output. */
function tileAttention(shape: AttentionShape, { half }: AttentionVariant): Kernel {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, cache = "f32" } = shape;
  const { read, keyLoads, valueLoads } = cachePart(cache);
  const groups = (rows: number): number => Math.ceil((rows * (heads / kvHeads)) / TILE_PAIRS);
  return {
    name: "attention_tile",
    variant: named(half ? "f16" : "f32", formatName(shape) && `cache_${cache}`),
    wgsl: {
      source: tileSource,
      parts: [plan, fourPairs, read, queryPlain, half ? tileF16 : tileF32],
      consts: { ...commonConsts(shape), SPARSE: true, OUT_STRIDE: outStride(shape), KEYS: tileKeys(headDim, half) },
    },
    bindings: ["read", "read", "read", "write"],
    grid: ({ rows }) => [groups(rows), kvHeads, 1],
    shape: (extent) => shapeOf(shape, extent),
    work: (extent) => ({
      flops: 4 * headDim * heads * extent.visible,
      bytes: attentionBytes(shape, extent, 4 * extent.rows * heads * headDim),
      // Queries once for each tile of keys by each of eight columns.
      loads:
        groups(extent.rows) *
        kvHeads *
        extent.span *
        ((8 * TILE_PAIRS * headDim) / tileKeys(headDim, half) + (headDim / 4) * (keyLoads + 2 * valueLoads)),
    }),
  };
}

export interface AttentionOptions {
  /** Default: what every device can run. */
  readonly variant?: AttentionVariant;
  /** Rows have holes, or see intervals that lie apart. Default: no. */
  readonly sparse?: boolean;
}

/** The kernel of an attention variant; behind a split one goes {@link attentionReduce}. */
export function attention(
  lanes: Lanes,
  shape: AttentionShape,
  { variant = PLAIN_ATTENTION, sparse = false }: AttentionOptions = {},
): Kernel {
  return variant.algorithm === "tile" ? tileAttention(shape, variant) : lanesAttention(lanes, shape, variant, sparse);
}
