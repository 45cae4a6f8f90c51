/** Closed forms of the bytes that forwards move and the dispatches they are, beside `cost.ts` for FLOP: what the recorded dispatches add up to, exactly. */
import { pad32 } from "../kernels/sizes";
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

/** Whether so many rows are normalised on the way into these planes. */
const fusesNorm = (planes: readonly PlaneLayout[], rows: number): boolean =>
  planes.length === 1 && (planes[0] as PlaneLayout).normalizes(rows);

interface Product {
  readonly rows: number;
  readonly inFeatures: number;
  readonly plane: PlaneLayout;
  /** Outputs, where they are not the plane's. */
  readonly outputs?: number;
  /** The output is added to: read once more. */
  readonly residual?: boolean;
}

/** Bytes of a product: weights, input, output. */
function productBytes({ activationBytes: a }: Layout, { rows, inFeatures, plane, outputs, residual }: Product): number {
  const weights = ((inFeatures * plane.outFeatures * plane.bitsPerWeight) / 8) * plane.reads(rows);
  return weights + a * rows * (inFeatures + (outputs ?? plane.outFeatures) * (residual ? 2 : 1));
}

/** Bytes of a norm of `size` features: the gain, and the rows in and out where it is a dispatch of its own. */
const normBytes = ({ activationBytes: a }: Layout, size: number, rows: number, fused: boolean): number =>
  a * size * (fused ? 1 : 2 * rows + 1);

/**
 * Bytes of the layers of equal forwards. Per layer, with W = (H + 2K)E and activations of a byte: two norms, a·(2T + 1)D each or the gain alone where the
 * product takes the norm on; products, gate and up with F outputs; rotation a·T(W + HE + E) and the cache values of its rows; attention 2·K·E cache values a row of the span and a·2·T·H·E;
 * before the layers the embedding: a weight row and an activation row.
 */
export function bodyBytes(config: ModelConfig, layout: Layout, { forwards, rows, span }: BodyShape): number {
  const { numAttentionHeads: H, numKeyValueHeads: K, headDim: E, intermediateSize: F, hiddenSize: D } = config;
  const { activationBytes: a, cacheBytes, qkvProj, oProj, gateUpProj, downProj } = layout;
  const [wide, ...others] = [pad32(D), pad32(H * E), pad32(F)];
  const bytes = (inFeatures: number, plane: PlaneLayout, more: Partial<Product> = {}): number =>
    productBytes(layout, { rows, inFeatures, plane, ...more });
  const norms = normBytes(layout, D, rows, fusesNorm(qkvProj, rows)) + normBytes(layout, D, rows, fusesNorm([gateUpProj], rows));
  const inward = qkvProj.reduce((sum, plane) => sum + bytes(wide, plane), 0) + bytes(wide, gateUpProj, { outputs: F });
  const outward = [oProj, downProj].map((plane, i) => bytes(others[i] as number, plane, { residual: true }));
  const rotation = a * rows * ((2 * H + 2 * K) * E + E) + cacheBytes * rows * 2 * K * E;
  const attention = 2 * a * rows * H * E;
  const layer = norms + inward + rotation + attention + outward.reduce((x, y) => x + y);
  const embedding = rows * D * (layout.embedBits / 8 + a);
  return forwards * (embedding + config.numHiddenLayers * layer) + config.numHiddenLayers * 2 * cacheBytes * K * E * span;
}

/** Dispatches and bytes that splitting keys into pieces adds to a forward: they are written, E sums with a peak and a total each, and read again. */
export function splitCost(config: ModelConfig, rows: number, parts: number): { dispatches: number; bytes: number } {
  if (parts === 1) return { dispatches: 0, bytes: 0 };
  const { numHiddenLayers, numAttentionHeads: H, headDim: E } = config;
  return { dispatches: numHiddenLayers, bytes: numHiddenLayers * 2 * 4 * rows * H * parts * (E + 2) };
}

/** Pieces in which the head computes so many rows. */
function chunks(rows: number, { headRows }: Layout): number[] {
  if (rows === 0) return [];
  if (rows <= headRows) return [rows];
  return [...Array.from({ length: Math.floor(rows / headRows) }, () => headRows), rows % headRows].filter((size) => size > 0);
}

/**
 * Bytes of a head over so many rows, answers and reveal included: norm a(2T + 1)D or its gain alone, product, per row a·V of statistics with their partials; suppression
 * 4 bytes an id and row, filters another a·V.
 */
export function headBytes(config: ModelConfig, layout: Layout, rows: number, answer: AnswerShape = {}): number {
  const { hiddenSize: D, vocabSize: V } = config;
  const { suppressed = 0, filtered = false } = answer;
  const { activationBytes: a, partialBytes, lmHead } = layout;
  const chunk = (size: number): number =>
    normBytes(layout, D, size, fusesNorm(lmHead, size)) +
    lmHead.reduce((sum, plane) => sum + productBytes(layout, { rows: size, inFeatures: pad32(D), plane }), 0) +
    (suppressed > 0 ? 4 * suppressed * (size + 1) : 0) +
    (filtered ? size * (a * V + 4) : 0) +
    size * (a * V + 2 * partialBytes + layout.answerBytes);
  return chunks(rows, layout).reduce((sum, size) => sum + chunk(size), 0) + rows * layout.revealBytes;
}

/** Dispatches of a norm and the products behind it. */
const normedDispatches = (planes: readonly PlaneLayout[], rows: number): number =>
  planes.length + (fusesNorm(planes, rows) ? 0 : 1);

/** Dispatches of a forward of so many rows without its head: a layer has rotation, attention and two outward products besides. */
export const bodyDispatches = (config: ModelConfig, { embedShards, qkvProj, gateUpProj }: Layout, rows: number): number =>
  embedShards + config.numHiddenLayers * (4 + normedDispatches(qkvProj, rows) + normedDispatches([gateUpProj], rows));

/** Dispatches of a head over so many rows, in so many groups that are revealed apart. */
export function headDispatches(
  layout: Layout,
  rows: number,
  groups: number,
  { suppressed = 0, filtered }: AnswerShape = {},
): number {
  if (rows === 0) return 0;
  const beside = 2 + (suppressed > 0 ? 1 : 0) + (filtered ? 1 : 0);
  return chunks(rows, layout).reduce((sum, size) => sum + normedDispatches(layout.lmHead, size) + beside, 0) + groups;
}
