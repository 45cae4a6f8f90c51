/** The variants of attention, and which one a pass takes: a pure choice by device, rows, keys and shape. */
import { ensure } from "../errors";
import type { DeviceProfile } from "../gpu/profile";
import { type AttentionShape, type AttentionVariant, packsOf } from "./attention";
import { lanesOf } from "./lanes";
import { rowClass, seededTuning, type Tuning } from "./tuning";

/** Most pieces that keys are split into. */
export const MOST_PARTS = 16;

const lanesVariant = (pairs: 4 | 8, parts: number, spread: boolean): AttentionVariant => ({
  id: [`pairs${pairs}`, ...(spread ? ["spread"] : []), ...(parts > 1 ? [`split${parts}`] : [])].join("_"),
  algorithm: "lanes",
  pairs,
  parts,
  spread,
  half: false,
});

const tileVariant = (half: boolean): AttentionVariant => ({
  id: half ? "tile_f16" : "tile",
  algorithm: "tile",
  pairs: 32,
  parts: 1,
  spread: false,
  half,
});

/** Every variant there is. */
export const ATTENTION_VARIANTS: readonly AttentionVariant[] = [
  ...([4, 8] as const).flatMap((pairs) =>
    [false, true].flatMap((spread) => [1, 4, MOST_PARTS].map((parts) => lanesVariant(pairs, parts, spread))),
  ),
  tileVariant(false),
  tileVariant(true),
];

/** Rows beyond which no pass is split: the end of a class of rows. Bounds the room for pieces. */
export const SPLIT_ROWS = 15;

/** A pass, as far as the choice looks at it. */
export interface AttentionQuery {
  readonly rows: number;
  /** Visible keys a row, on average. */
  readonly keys: number;
  readonly shape: AttentionShape;
  /** Rows have holes, or see intervals that lie apart: such passes are not split. Default: no. */
  readonly sparse?: boolean | undefined;
}

/** Key counts at which a choice may change. */
export const KEY_CLASSES = [1, 128, 512, 2048] as const;
export type KeyClass = (typeof KEY_CLASSES)[number];

/** The largest class that is not above so many keys (1 for none). */
export const keyClass = (keys: number): KeyClass => KEY_CLASSES.findLast((least) => least <= keys) ?? 1;

/** Key of a pass's class, e.g. `attention f32 9/3x64 1 512`: format, heads and their dimension, rows, keys; `sparse` behind them. */
export function attentionKey({ rows, keys, shape, sparse = false }: AttentionQuery): string {
  const { numAttentionHeads, numKeyValueHeads, headDim, cache = "f32" } = shape;
  return `attention ${cache} ${numAttentionHeads}/${numKeyValueHeads}x${headDim} ${rowClass(rows)} ${keyClass(keys)}${sparse ? " sparse" : ""}`;
}

/** What a tile holds of a head in WebGPU's least workgroup memory. */
const TILE_HEAD_DIM = 128;

/** Whether a device can run a variant on so many rows. */
function canRun({ algorithm, parts, spread }: AttentionVariant, profile: DeviceProfile, query: AttentionQuery): boolean {
  const { rows, shape, sparse } = query;
  if (spread && lanesOf(profile).variant !== "subgroup") return false;
  if (parts > 1 && (sparse || rows > SPLIT_ROWS)) return false;
  return algorithm !== "tile" || shape.headDim <= TILE_HEAD_DIM;
}

/** Every variant that a device can run on a pass. */
export const attentionVariants = (profile: DeviceProfile, query: AttentionQuery): readonly AttentionVariant[] =>
  ATTENTION_VARIANTS.filter((variant) => canRun(variant, profile, query));

/** @throws `bad-option` for an id that names no variant. */
export function attentionVariant(id: string): AttentionVariant {
  const variant = ATTENTION_VARIANTS.find((candidate) => candidate.id === id);
  const known = () => ATTENTION_VARIANTS.map((candidate) => candidate.id).join(", ");
  ensure(variant, "bad-option", () => `attention variant "${id}": expected one of ${known()}; tune again`);
  return variant;
}

/** Workgroups from which a device is busy without splitting. */
const BUSY = { cpu: 4, gpu: 64 } as const;
/** Pairs from which a GPU's tiles are mostly full. */
const TILE_LEAST = 96;

/** Rows from which linear layers are matrix products: norms are dispatches of their own there, and a layer is to stay within eight. */
const MATRIX_ROWS = 8;

/** The variant of a device that nobody has measured. The same for all rows and keys of their classes. */
export function defaultAttention(profile: DeviceProfile, { rows, keys, shape, sparse }: AttentionQuery): AttentionVariant {
  const least = rowClass(rows);
  const packs = packsOf(least, shape);
  const { variant } = lanesOf(profile);
  const spread = profile.software && variant === "subgroup";
  // One variant for all rows that lie apart: each more is a pipeline to compile at load.
  const wide = profile.software && (packs > 1 || sparse === true);
  if (!profile.software && 4 * packs >= TILE_LEAST && shape.headDim <= TILE_HEAD_DIM) return tileVariantOf(shape);
  const workgroups = Math.ceil(packs / (wide ? 2 : 1)) * shape.numKeyValueHeads;
  const idle = workgroups < (profile.software ? BUSY.cpu : BUSY.gpu) && least < (profile.software ? 2 : MATRIX_ROWS) && !sparse;
  const long = keyClass(keys);
  const parts = !idle || long < 512 ? 1 : profile.software || long < 2048 ? 4 : 16;
  const id = [`pairs${wide ? 8 : 4}`, ...(spread ? ["spread"] : []), ...(parts > 1 ? [`split${parts}`] : [])].join("_");
  return attentionVariant(id);
}

/** What is in f16 already loses nothing in a tile of f16. */
const tileVariantOf = ({ cache = "f32" }: AttentionShape): AttentionVariant =>
  attentionVariant(cache === "f16" ? "tile_f16" : "tile");

/**
 * The variant for a pass: what `tuning` says of its class, else what is shipped for the architecture, else the default.
 * @throws `bad-option` for a tuned variant that is unknown, or that the device cannot run.
 */
export function chooseAttention(profile: DeviceProfile, tuning: Tuning, query: AttentionQuery): AttentionVariant {
  const key = attentionKey(query);
  const runnable = attentionVariants(profile, query);
  const tuned = tuning[key];
  if (tuned !== undefined) {
    const variant = attentionVariant(tuned);
    ensure(
      runnable.includes(variant),
      "bad-option",
      () => `attention variant "${tuned}": tuned for ${key}, but this device cannot run it there; tune again`,
    );
    return variant;
  }
  const seeded = seededTuning(profile)[key];
  return runnable.find(({ id }) => id === seeded) ?? defaultAttention(profile, query);
}
