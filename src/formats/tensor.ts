/** A named tensor as a byte range of a source: what every weight format is parsed into. */
import type { ByteSource } from "./byte-source";

/** Element types as stored on disk. `q*` are ggml's blocks of 32. */
export type StoredDtype = "f32" | "f16" | "bf16" | "q4_0" | "q4_1" | "q5_0" | "q5_1" | "q8_0";

export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  /** Outermost first, row-major: a linear layer is `[outFeatures, inFeatures]` (GGUF's reversed order is undone). */
  readonly shape: readonly number[];
  readonly source: ByteSource;
  /** Absolute byte range `[start, end)` in `source`. */
  readonly start: number;
  readonly end: number;
}

/** A parsed checkpoint, before anything is uploaded. */
export interface Checkpoint {
  readonly format: "safetensors" | "gguf";
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Hugging Face `config.json`, where there is one. */
  readonly config: Readonly<Record<string, unknown>> | null;
  /** GGUF metadata (arrays as plain arrays, u64 as number when safe), empty for safetensors. */
  readonly metadata: ReadonlyMap<string, unknown>;
  /** Sidecar texts by file name: `tokenizer.json`, `tokenizer_config.json`, `chat_template.jinja`, `generation_config.json`. */
  readonly sidecars: ReadonlyMap<string, string>;
}

/** A {@link Checkpoint} that also tells of tensors it cannot read, so that they can be listed and refused by name. */
export interface OpenedCheckpoint extends Checkpoint {
  /** Element type, as the file names it, of every tensor whose type is none of {@link StoredDtype}. Not in `tensors`. */
  readonly unsupported: ReadonlyMap<string, string>;
}

/** Elements in a block and bytes of a block, by type: 1 element for plain numbers, 32 for ggml's blocks. */
export const BLOCK: Readonly<Record<StoredDtype, { readonly elements: number; readonly bytes: number }>> = {
  f32: { elements: 1, bytes: 4 },
  f16: { elements: 1, bytes: 2 },
  bf16: { elements: 1, bytes: 2 },
  q4_0: { elements: 32, bytes: 18 },
  q4_1: { elements: 32, bytes: 20 },
  q5_0: { elements: 32, bytes: 22 },
  q5_1: { elements: 32, bytes: 24 },
  q8_0: { elements: 32, bytes: 34 },
};

/** Bytes of one stored row of `elements` values, a multiple of the type's block (checked when the file was parsed). */
export function rowBytes(dtype: StoredDtype, elements: number): number {
  return (elements / BLOCK[dtype].elements) * BLOCK[dtype].bytes;
}

/** Product of dimensions as an exact number, or null when it exceeds 2^53 − 1 or a dimension is no non-negative integer. */
export function elementCount(shape: readonly (number | bigint)[]): number | null {
  let product = 1n;
  for (const size of shape) {
    if (typeof size === "number" && !(Number.isSafeInteger(size) && size >= 0)) return null;
    product *= BigInt(size);
    if (product > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  }
  return Number(product);
}
