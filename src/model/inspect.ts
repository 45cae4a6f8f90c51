/** A checkpoint's headers into a description and a memory plan. It reads no weights and needs no GPU. */
import type { ByteSource } from "../formats/byte-source";
import { openCheckpoint } from "../formats/checkpoint";
import type { StoredTensor } from "../formats/tensor";
import { type Family, type ModelConfig, readConfig } from "./config";
import { type PlaneFormat, planeFormatFor, planeShape } from "./planes";

export interface PlanOptions {
  /** Positions the cache holds. Default: the model's, at most 2048. */
  readonly contextLength?: number;
  /** Sequences at a time. Default 1. */
  readonly batch?: number;
  /** Element type of the cache. */
  readonly cacheType?: "f32";
  /** Format of float weights, as in `loadModel`. */
  readonly quantize?: PlaneFormat;
  /** Rows of the largest forward, of all sequences. Default: the context, at most 256 rows a sequence. */
  readonly rows?: number;
}

/** Bytes on the GPU. `scratchBytes` is an estimate: activations of the largest forward, and its logits. */
export interface MemoryPlan {
  readonly weightBytes: number;
  readonly cacheBytes: number;
  readonly scratchBytes: number;
}

const F32_BYTES = 4;
const DEFAULT_CONTEXT = 2048;
const DEFAULT_ROWS = 256;

/**
 * Plans the memory of a model before it is loaded: matrices as padded planes, vectors as f32, K and V of every layer.
 * Throws `bad-tensor` when a matrix cannot be quantized as asked.
 */
export function planMemory(
  config: ModelConfig,
  tensors: ReadonlyMap<string, StoredTensor>,
  options: PlanOptions = {},
): MemoryPlan {
  const { batch = 1, quantize } = options;
  const contextLength = options.contextLength ?? Math.min(config.maxPositionEmbeddings, DEFAULT_CONTEXT);
  const rows = options.rows ?? batch * Math.min(contextLength, DEFAULT_ROWS);
  let weightBytes = 0;
  for (const { dtype, shape } of tensors.values()) {
    const [outFeatures = 1, inFeatures] = shape;
    weightBytes +=
      inFeatures === undefined
        ? outFeatures * F32_BYTES
        : planeShape(planeFormatFor(dtype, quantize), inFeatures, outFeatures).bytes;
  }
  const keyWidth = config.numKeyValueHeads * config.headDim;
  const queryWidth = config.numAttentionHeads * config.headDim;
  const cacheBytes = 2 * config.numHiddenLayers * batch * contextLength * keyWidth * F32_BYTES;
  // Residual, normed and projected states; q, k, v and the attention's output; gate and up; logits.
  const rowFloats = 3 * config.hiddenSize + 2 * queryWidth + 2 * keyWidth + 2 * config.intermediateSize + config.vocabSize;
  return { weightBytes, cacheBytes, scratchBytes: rows * rowFloats * F32_BYTES };
}

export interface TensorDescription {
  readonly name: string;
  /** As stored; a ggml or safetensors type name when it is not supported. */
  readonly dtype: string;
  /** Outermost first; null when the type is not supported. */
  readonly shape: readonly number[] | null;
  /** In the file; null when the type is not supported. */
  readonly bytes: number | null;
}

export interface CheckpointDescription {
  readonly format: "safetensors" | "gguf";
  readonly architecture: string;
  readonly family: Family;
  readonly config: ModelConfig;
  /** Weights, in the file's order; those of unsupported type last. */
  readonly tensors: readonly TensorDescription[];
  readonly plan: MemoryPlan;
}

/**
 * Describes the checkpoint that `files` form, from headers alone.
 * Tensors of a type that cannot be loaded are listed, not refused. Throws what `openCheckpoint` and `readConfig` throw.
 */
export async function describeCheckpoint(
  files: readonly ByteSource[],
  options: PlanOptions & { readonly signal?: AbortSignal } = {},
): Promise<CheckpointDescription> {
  const checkpoint = await openCheckpoint(files, options.signal);
  const config = readConfig(checkpoint);
  const supported = [...checkpoint.tensors.values()].map(({ name, dtype, shape, start, end }) => ({
    name,
    dtype,
    shape,
    bytes: end - start,
  }));
  const refused = [...checkpoint.unsupported].map(([name, dtype]) => ({ name, dtype, shape: null, bytes: null }));
  return {
    format: checkpoint.format,
    architecture: config.architecture,
    family: config.family,
    config,
    tensors: [...supported, ...refused],
    plan: planMemory(config, checkpoint.tensors, options),
  };
}
