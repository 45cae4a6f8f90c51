/** Closed forms of the bytes that forwards move and the dispatches they are, beside `cost.ts` for FLOP: what the recorded dispatches add up to, exactly. */
import { pad32 } from "../kernels/layer";
import type { ModelConfig } from "../model/config";
import type { Layout, PlaneLayout } from "./layout";

/** What stands between logits and answers. */
export interface AnswerShape {
  /** Ids that are never drawn. Default 0. */
  readonly suppressed?: number;
  /** Top-k, top-p or min-p is on. Default off. */
  readonly filtered?: boolean;
}

/** Equal forwards, bodies alone. */
export interface BodyShape {
  readonly forwards: number;
  /** Rows of each (T). */
  readonly rows: number;
  /** Σ over the forwards of distinct cache rows that are seen. */
  readonly span: number;
}

/** Times that a product of so many rows reads its weights. */
const reads = (rows: number, { productRows }: Layout): number => (rows < productRows ? rows : 1);

/** Bytes of an [outFeatures, inFeatures] product of so many rows: weights, input, output, the output once more where it is added to. */
function linearBytes(layout: Layout, rows: number, inFeatures: number, plane: PlaneLayout, residual = false): number {
  const { bitsPerWeight, outFeatures } = plane;
  const weights = ((inFeatures * outFeatures * bitsPerWeight) / 8) * reads(rows, layout);
  return weights + layout.activationBytes * rows * (inFeatures + outFeatures * (residual ? 2 : 1));
}

/**
 * Bytes of the layers of equal forwards. Per layer, with W = (H + 2K)E and activations of a byte: norms 2·a(2T + 1)D, products, rotation a·T(2W + E),
 * attention 2·K·E cache values a row of the span and a·2·T·H·E, gate 3·a·T·F; before the layers the embedding: a weight row and an activation row.
 */
export function bodyBytes(config: ModelConfig, layout: Layout, { forwards, rows, span }: BodyShape): number {
  const { numAttentionHeads: H, numKeyValueHeads: K, headDim: E, intermediateSize: F, hiddenSize: D } = config;
  const { activationBytes: a, cacheBytes } = layout;
  const sum = (planes: readonly PlaneLayout[]): number =>
    planes.reduce((total, plane) => total + linearBytes(layout, rows, pad32(D), plane), 0);
  const norms = 2 * a * (2 * rows + 1) * D;
  const rotation = a * rows * (2 * (H + 2 * K) * E + E);
  const attention = 2 * a * rows * H * E;
  const output = linearBytes(layout, rows, pad32(H * E), { bitsPerWeight: layout.oBits, outFeatures: D }, true);
  const down = linearBytes(layout, rows, pad32(F), { bitsPerWeight: layout.downBits, outFeatures: D }, true);
  const layer = norms + sum(layout.qkvProj) + rotation + attention + output + sum(layout.gateUpProj) + 3 * a * rows * F + down;
  const embedding = rows * D * (layout.embedBits / 8 + a);
  return forwards * (embedding + config.numHiddenLayers * layer) + config.numHiddenLayers * 2 * cacheBytes * K * E * span;
}

/** Pieces in which the head computes so many rows. */
function chunks(rows: number, { headRows }: Layout): number[] {
  if (rows === 0) return [];
  if (rows <= headRows) return [rows];
  return [...Array.from({ length: Math.floor(rows / headRows) }, () => headRows), rows % headRows].filter((size) => size > 0);
}

/**
 * Bytes of a head over so many rows, answers and reveal included: norm a(2T + 1)D, product, per row a·V of statistics with their partials; suppression
 * 4 bytes an id and row, filters another a·V.
 */
export function headBytes(config: ModelConfig, layout: Layout, rows: number, answer: AnswerShape = {}): number {
  const { hiddenSize: D, vocabSize: V } = config;
  const { suppressed = 0, filtered = false } = answer;
  const { activationBytes: a, partialBytes } = layout;
  const chunk = (size: number): number =>
    a * (2 * size + 1) * D +
    linearBytes(layout, size, pad32(D), { bitsPerWeight: layout.headBits, outFeatures: V }) +
    (suppressed > 0 ? 4 * suppressed * (size + 1) : 0) +
    (filtered ? size * (a * V + 4) : 0) +
    size * (a * V + 2 * partialBytes + layout.answerBytes);
  return chunks(rows, layout).reduce((sum, size) => sum + chunk(size), 0) + rows * layout.revealBytes;
}

/** Dispatches of a forward without its head. */
export const bodyDispatches = (config: ModelConfig, { qkvProj, gateUpProj }: Layout): number =>
  1 + config.numHiddenLayers * (7 + qkvProj.length + gateUpProj.length);

/** Dispatches of a head over so many rows, in so many groups that are revealed apart. */
export function headDispatches(
  layout: Layout,
  rows: number,
  groups: number,
  { suppressed = 0, filtered }: AnswerShape = {},
): number {
  if (rows === 0) return 0;
  return chunks(rows, layout).length * (4 + (suppressed > 0 ? 1 : 0) + (filtered ? 1 : 0)) + groups;
}
