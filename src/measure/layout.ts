/** How a model lies in memory: what a byte count needs beside the model's shape. The engine's own layout, and the plain fp16 one of the papers. */
import type { DeviceProfile } from "../gpu/profile";
import { ANSWER_BYTES, PARTIAL_BYTES, statsGeometry } from "../kernels/answer";
import { qkvWidth } from "../kernels/layer";
import { chooseLinear, weightReads } from "../kernels/linear";
import { type WeightFormat, weightPart } from "../kernels/weight";
import type { ModelConfig } from "../model/config";
import { capacityOf } from "../model/scratch";

/** One plane of a stacked projection: layers that share an input lie in one plane where their formats are equal. */
export interface PlaneLayout {
  /** Scales included. */
  readonly bitsPerWeight: number;
  readonly outFeatures: number;
}

/** Sizes of what moves, and the two row counts at which weights are read again. */
export interface Layout {
  readonly embedBits: number;
  readonly qkvProj: readonly PlaneLayout[];
  readonly oBits: number;
  readonly gateUpProj: readonly PlaneLayout[];
  readonly downBits: number;
  readonly headBits: number;
  /** Bytes of an activation, and of a cached key or value. */
  readonly activationBytes: number;
  readonly cacheBytes: number;
  /** Fewer rows than this are matrix-vector products: each reads the weights anew. 1: never. */
  readonly productRows: number;
  /** Rows that the head computes at a time, reading its weights anew; infinite: all. */
  readonly headRows: number;
  /** Bytes an answered row moves beside its logits: partial statistics (written and read), the answer, what the reveal reads and writes of it. */
  readonly partialBytes: number;
  readonly answerBytes: number;
  readonly revealBytes: number;
}

/** Plane formats of a loaded model; the layers' are all equal. */
export interface WeightFormats {
  readonly embed: WeightFormat;
  readonly layers: WeightFormat;
  readonly head: WeightFormat;
}

type Widths = Pick<ModelConfig, "numAttentionHeads" | "numKeyValueHeads" | "headDim" | "intermediateSize">;

const stacked = (config: Widths, bitsPerWeight: number) => ({
  qkvProj: [{ bitsPerWeight, outFeatures: qkvWidth({ ...config, slots: 0, packs: 0 }) }],
  oBits: bitsPerWeight,
  gateUpProj: [{ bitsPerWeight, outFeatures: 2 * config.intermediateSize }],
  downBits: bitsPerWeight,
});

/** The engine's layout of a model on a device, with caches and activations in f32. */
export function engineLayout(
  profile: DeviceProfile,
  config: ModelConfig,
  { formats, contextLength }: { readonly formats: WeightFormats; readonly contextLength: number },
): Layout {
  const { partials } = statsGeometry(profile, config.vocabSize);
  const capacity = capacityOf(config, contextLength);
  let productRows = 1;
  while (
    weightReads(chooseLinear(profile, {}, { format: formats.layers, rows: productRows, inFeatures: 0, outFeatures: 0 }), 64) > 1
  )
    productRows++;
  return {
    ...stacked(config, weightPart(formats.layers).bitsPerWeight),
    embedBits: weightPart(formats.embed).bitsPerWeight,
    headBits: weightPart(formats.head).bitsPerWeight,
    activationBytes: 4,
    cacheBytes: 4,
    productRows,
    headRows: capacity.logits,
    partialBytes: partials * PARTIAL_BYTES,
    answerBytes: ANSWER_BYTES,
    revealBytes: ANSWER_BYTES + 8,
  };
}

/** Everything in numbers of `bytes` (2: fp16, as in the papers), each operand moved once a kernel, answers free. */
export function plainLayout(config: Widths, bytes = 2): Layout {
  const bits = 8 * bytes;
  return {
    ...stacked(config, bits),
    embedBits: bits,
    headBits: bits,
    activationBytes: bytes,
    cacheBytes: bytes,
    productRows: 1,
    headRows: Number.POSITIVE_INFINITY,
    partialBytes: 0,
    answerBytes: 0,
    revealBytes: 0,
  };
}
