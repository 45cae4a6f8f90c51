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
