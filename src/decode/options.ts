/** Options of `generate`, in the papers' words. An unknown or inconsistent one throws `bad-option` before any work. */

import type { ChatMessage } from "../text/chat";

export type CacheMode = "none" | "prefix" | "dual" | "block" | "sub-block";
export type Remasking = "low_confidence" | "random" | "entropy" | "topk_margin";
export type Preset = "llada" | "fast-dllm" | "fast-dllm-v2" | "dream" | "sdar" | "dllm";

export interface SamplingOptions {
  /** 0 is greedy. Default 0. */
  temperature?: number;
  /** 0 is off. */
  topK?: number;
  /** 1 is off. */
  topP?: number;
  /** 0 is off. */
  minP?: number;
  /** Unsigned 32-bit. Default 0. */
  seed?: number;
}

export interface GenerateOptions extends SamplingOptions {
  /** AR: most new tokens (default 128). Diffusion: same as `genLength`. */
  maxNewTokens?: number;
  /** Diffusion: length of the masked canvas after the prompt. */
  genLength?: number;
  blockLength?: number;
  /** Fast-dLLM v2: length of the sub-block that is decoded at a time. */
  subBlockLength?: number;
  /** Fixed schedule: forwards for the whole of genLength. Excludes `threshold`, `factor`, `ebGamma`. */
  steps?: number;
  cache?: CacheMode;
  remasking?: Remasking;
  /** Reveal every position whose confidence is ≥ threshold (at least one). */
  threshold?: number;
  factor?: number;
  /** Entropy bound in nats. */
  ebGamma?: number;
  /** Classifier-free guidance of a masked diffusion model, 0 is off; needs cache none and room for two canvases. */
  cfgScale?: number;
  preset?: Preset;
  /** Stop strings. */
  stop?: readonly string[];
  /** Further stop ids beside the model's own. */
  stopIds?: readonly number[];
  ignoreEos?: boolean;
  /** Record every forward's rows and reveals in the result. */
  trace?: boolean;
  signal?: AbortSignal;
}

export type { ChatMessage };
/** A text, a chat, ids, or a canvas with `null` where a position is to be filled. */
export type Prompt =
  | string
  | readonly ChatMessage[]
  | { readonly ids: readonly number[] }
  | { readonly canvas: readonly (number | null)[] };
