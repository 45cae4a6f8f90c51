/** Options of `generate`, in the papers' words. An unknown or inconsistent one throws `bad-option` before any work. */

import type { ChatMessage } from "../text/chat";
import type { MaskedCache } from "./caches";
import type { Constraint } from "./constraint";
import type { LogitOptions } from "./logit-options";
import type { PolicyName, PolicyOptions } from "./policies/index";
import type { Speculation } from "./speculative-options";

/** Masked diffusion: none to frozen (see `caches.ts`). Block diffusion: block is exact, sub-block (with shift) recomputes the sub-block alone. */
export type CacheMode = MaskedCache | "block" | "sub-block";
export type Remasking = "low_confidence" | "random" | "entropy" | "topk_margin" | "sequential";
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

export interface GenerateOptions extends SamplingOptions, LogitOptions {
  /** AR: most new tokens (default 128). Diffusion: same as `genLength`, or with `genLength: "auto"` the longest answer. */
  maxNewTokens?: number;
  /**
   * Diffusion: length of the masked canvas after the prompt. "auto": the canvas grows by a block until a stop id is on it, up to `maxNewTokens` (default:
   * what the context has room for); a masked diffusion model then sees no masks beyond the block that it fills.
   */
  genLength?: number | "auto";
  blockLength?: number;
  /** Fast-dLLM v2: length of the sub-block that is decoded at a time. */
  subBlockLength?: number;
  /**
   * Fixed schedule: forwards for the whole of genLength. Excludes `factor`, `ebGamma`, `policy`. With `threshold` it is SDAR's dynamic rule: a pass
   * reveals all above the threshold if these are at least the schedule's count, else the count's most confident.
   */
  steps?: number;
  cache?: CacheMode;
  /** Caches of masked diffusion: every so many passes of a block (of the run: delayed) are full again. 0 is never; default 8 for delayed, else 0. */
  refreshInterval?: number;
  /** Cache vicinity: places recomputed on either side of the block. Default 16. */
  cacheWindow?: number;
  /** Caches vicinity and delayed: full passes at the start. Default 4 and 2. */
  cacheWarmup?: number;
  /** Masked diffusion: of the masks after the block only so many are there at all (DPad). Default: all. */
  suffixWindow?: number;
  /** Chance of a mask behind the suffix window to be kept, falling off as a Gaussian as wide as the window. Default 0. */
  suffixDensity?: number;
  /** What a schedule ranks by; sequential reveals from the left. */
  remasking?: Remasking;
  /** Reveal every position whose confidence is ≥ threshold (at least one). */
  threshold?: number;
  factor?: number;
  /** Entropy bound in nats. */
  ebGamma?: number;
  /** Classifier-free guidance of a masked diffusion model, 0 is off; needs cache none and room for two canvases. */
  cfgScale?: number;
  preset?: Preset;
  /**
   * A rule or decoder of `src/decode/policies` in place of the rules above, by name or with its numbers: `{ name: "hierarchical", low: 0.3 }`. Excludes
   * `steps`, `threshold`, `factor`, `ebGamma`, `remasking`.
   */
  policy?: PolicyName | PolicyOptions;
  /** Block diffusion without shift: blocks lie on ⌊(position + gridOffset) / blockLength⌋; "prompt" starts them at the prompt's end. Default 0. */
  gridOffset?: number | "prompt";
  /** Block diffusion without shift: whether the last block's clean keys and values are computed too, as the references do. Default false. */
  commitLast?: boolean;
  /** Block diffusion without shift: a block's clean rows go along with the next block's first pass: the same tokens, one forward less a block. */
  fusedCommit?: boolean;
  /** Diffusion: end with the block that completes an answer with a stop id. Default true, unless holes of a given canvas are filled. */
  earlyStop?: boolean;
  /** Tokens are guessed and checked, several a forward: by prompt lookup, by another model, by the model itself, or checked by a guide. */
  speculate?: Speculation;
  /**
   * Autoregressive models: what the answer must be. It ends where nothing may follow, and is cut off by `maxNewTokens` like any other. The first use fetches
   * a WebAssembly library, which a page's policy must allow (`wasm-unsafe-eval`).
   */
  constraint?: Constraint;
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
