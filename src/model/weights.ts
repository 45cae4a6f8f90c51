/** Weights on the device: what the forward pass binds. How they got there is `upload.ts`. */
import type { WeightFormat } from "../kernels/weight";

/** A linear layer's weight as planes (`planes.ts`), maybe one of several that share an output. */
export interface LinearWeights {
  readonly format: WeightFormat;
  /** K, padded to 32. */
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Columns of the plane, padded. */
  readonly columns: number;
  readonly words: GPUBuffer;
  /** f16 pairs for q4 and q8; a few zero bytes for float formats. */
  readonly scales: GPUBuffer;
  /** f32 [outFeatures] */
  readonly bias: GPUBuffer | null;
  /** First output column. */
  readonly outOffset: number;
}

export interface LayerWeights {
  readonly inputLayernorm: GPUBuffer;
  readonly postAttentionLayernorm: GPUBuffer;
  /** f32 [2, headDim]: gains of q and k, where the architecture has them. */
  readonly headNorm: GPUBuffer | null;
  /** Stacked q, k, v: one entry when their formats are equal. */
  readonly qkvProj: readonly LinearWeights[];
  readonly oProj: LinearWeights;
  /** Gate and up by turns of 32 columns: `gatedColumn`. outFeatures are those of both. */
  readonly gateUpProj: LinearWeights;
  readonly downProj: LinearWeights;
}

export interface ModelWeights {
  /** Shards of the vocabulary, in order: one where a binding holds it all. */
  readonly embedTokens: readonly LinearWeights[];
  readonly layers: readonly LayerWeights[];
  readonly norm: GPUBuffer;
  /** Shards of the vocabulary, in order; the embedding's own where they are tied. */
  readonly lmHead: readonly LinearWeights[];
  /** Every buffer above once, for freeing. */
  readonly buffers: readonly GPUBuffer[];
}
