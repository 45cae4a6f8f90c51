/** One `ModelConfig` for every architecture: differences between them are data here, never branches in the forward pass. */

export type Family = "ar" | "mdlm" | "block";

export interface RopeScaling {
  readonly type: "llama3";
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositionEmbeddings: number;
}

export interface ModelConfig {
  /** `llama | qwen2 | qwen3 | llada | dream | fast-dllm-v2` */
  readonly architecture: string;
  readonly family: Family;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  /** Rows of the embedding, and of the logits. */
  readonly vocabSize: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling | null;
  /** Explicit per-frequency divisors (GGUF `rope_freqs.weight`), length headDim/2, or null. */
  readonly ropeFrequencyFactors: readonly number[] | null;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  readonly qkvBias: boolean;
  readonly qkNorm: boolean;
  /** GGUF llama/llada store q and k rows interleaved; the loader undoes it. */
  readonly permutedQueryKey: boolean;
  /** Row i−1 of the logits predicts position i (always true for `ar`). */
  readonly shift: boolean;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  readonly maskTokenId: number | null;
  /** Training block of a block-diffusion model, else null. */
  readonly blockLength: number | null;
}
