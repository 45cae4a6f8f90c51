/** How a model lies in memory: what a byte count needs beside the model's shape. The engine's own layout, and the plain fp16 one of the papers. */
import { bindingBytes, type DeviceProfile } from "../gpu/profile";
import { ANSWER_BYTES, PARTIAL_BYTES, statsGeometry } from "../kernels/answer";
import { type AttentionShape, qkvWidth } from "../kernels/attention";
import { chooseAttention } from "../kernels/attention-variants";
import { type CacheFormat, cacheRowBytes } from "../kernels/cache";
import { chooseLinear, normalizes, weightReads } from "../kernels/linear";
import { pad32 } from "../kernels/sizes";
import { type WeightFormat, weightPart } from "../kernels/weight";
import type { ModelConfig } from "../model/config";
import { columnsWithin } from "../model/planes";
import { attentionShapeOf, capacityOf } from "../model/scratch";

/** One plane of a projection: layers that share an input lie in one plane where their formats are equal. */
export interface PlaneLayout {
  /** Scales included. */
  readonly bitsPerWeight: number;
  readonly outFeatures: number;
  /** How often a product of so many rows reads the plane. */
  readonly reads: (rows: number) => number;
  /** Whether a product of so many rows normalises its input on the way; never where several planes share it. */
  readonly normalizes: (rows: number) => boolean;
}

/** Sizes of what moves. */
export interface Layout {
  readonly embedBits: number;
  /** Shards of the vocabulary that the embedding lies in: each a dispatch that writes the rows of its tokens. */
  readonly embedShards: number;
  readonly qkvProj: readonly PlaneLayout[];
  readonly oProj: PlaneLayout;
  /** Gate and up. */
  readonly gateUpProj: PlaneLayout;
  readonly downProj: PlaneLayout;
  /** Shards of the vocabulary. */
  readonly lmHead: readonly PlaneLayout[];
  /** Bytes of an activation, and of a cached key or value. */
  readonly activationBytes: number;
  readonly cacheBytes: number;
  /** Pieces that the keys of so many rows are split into, each row seeing so many; `sparse` where rows see intervals that lie apart. */
  readonly attentionParts: (rows: number, keys: number, sparse: boolean) => number;
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

type Widths = Pick<
  ModelConfig,
  "hiddenSize" | "numAttentionHeads" | "numKeyValueHeads" | "headDim" | "intermediateSize" | "vocabSize"
>;

/** Every projection by its padded inputs and its outputs. */
function projections(config: Widths, layers: (inFeatures: number, outFeatures: number) => PlaneLayout) {
  const { hiddenSize: D, numAttentionHeads: H, headDim: E, intermediateSize: F } = config;
  return {
    qkvProj: [layers(pad32(D), qkvWidth({ ...config, slots: 0, packs: 0 }))],
    oProj: layers(pad32(H * E), D),
    gateUpProj: layers(pad32(D), 2 * F),
    downProj: layers(pad32(F), D),
  };
}

/** What a layout depends on besides the model's shape. */
export interface LayoutOptions {
  readonly formats: WeightFormats;
  readonly contextLength: number;
  /** How keys and values are stored. Default f32. */
  readonly cacheType?: CacheFormat | undefined;
}

/** The engine's layout of a model on an untuned device, with activations in f32. */
export function engineLayout(
  profile: DeviceProfile,
  config: ModelConfig,
  { formats, contextLength, cacheType = "f32" }: LayoutOptions,
): Layout {
  const { partials } = statsGeometry(profile, config.vocabSize);
  const capacity = capacityOf(config, contextLength, { bindingBytes: bindingBytes(profile) });
  const shape: AttentionShape = attentionShapeOf(config, capacity, cacheType);
  const plane =
    (format: WeightFormat) =>
    (inFeatures: number, outFeatures: number): PlaneLayout => {
      const variant = (rows: number) => chooseLinear(profile, {}, { format, rows, inFeatures, outFeatures });
      return {
        bitsPerWeight: weightPart(format).bitsPerWeight,
        outFeatures,
        reads: (rows) => weightReads(variant(rows), rows),
        normalizes: (rows) => normalizes(variant(rows)),
      };
    };
  const { hiddenSize, vocabSize } = config;
  const shards = (format: WeightFormat): number[] => {
    const most = columnsWithin(format, pad32(hiddenSize), bindingBytes(profile));
    return Array.from({ length: Math.ceil(vocabSize / most) }, (_, i) => Math.min(most, vocabSize - i * most));
  };
  return {
    ...projections(config, plane(formats.layers)),
    lmHead: shards(formats.head).map((tokens) => plane(formats.head)(pad32(hiddenSize), tokens)),
    embedBits: weightPart(formats.embed).bitsPerWeight,
    embedShards: shards(formats.embed).length,
    activationBytes: 4,
    cacheBytes: cacheRowBytes(cacheType, config.headDim) / config.headDim,
    attentionParts: (rows, keys, sparse) => chooseAttention(profile, {}, { rows, keys, shape, sparse }).parts,
    headRows: capacity.logits,
    partialBytes: partials * PARTIAL_BYTES,
    answerBytes: ANSWER_BYTES,
    revealBytes: ANSWER_BYTES + 8,
  };
}

/** Everything in numbers of `bytes` (2: fp16, as in the papers), each operand moved once a kernel, answers free. */
export function plainLayout(config: Widths, bytes = 2): Layout {
  const bitsPerWeight = 8 * bytes;
  const plane = (_: number, outFeatures: number): PlaneLayout => ({
    bitsPerWeight,
    outFeatures,
    reads: () => 1,
    normalizes: () => false,
  });
  return {
    ...projections(config, plane),
    lmHead: [plane(config.hiddenSize, config.vocabSize)],
    embedBits: bitsPerWeight,
    embedShards: 1,
    activationBytes: bytes,
    cacheBytes: bytes,
    attentionParts: () => 1,
    headRows: Number.POSITIVE_INFINITY,
    partialBytes: 0,
    answerBytes: 0,
    revealBytes: 0,
  };
}
