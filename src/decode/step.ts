/** What a decoder yields and what a generation returns. One vocabulary for all families. */

import type { TopToken } from "../model/pass";

/** A position made known: canvas position, token id, confidence (or the ranking metric's value in a trace). */
export interface Revealed {
  readonly position: number;
  readonly id: number;
  readonly confidence: number;
  /** Nats, of the distribution before temperature and filters; absent where the token is not the one that its forward proposed. */
  readonly logProbability?: number | undefined;
  /** With `logprobs`: the most probable tokens of that distribution, best first. */
  readonly top?: readonly TopToken[] | undefined;
}

/** A token of the answer with what the model made of it, in the forward that revealed it. */
export interface TokenLogprob {
  readonly id: number;
  readonly logProbability: number;
  readonly top: readonly TopToken[];
}

/**
 * `prefill` keeps K/V of the prompt, `full` computes the whole canvas, `suffix` block + suffix (prefix cache), `block` the active block,
 * `commit` a clean block (or, for AR, one decoded token) and keeps its K/V, `draft` proposes tokens with the other model of a speculation, `verify` checks
 * proposals with an autoregressive model.
 */
export type ForwardKind = "prefill" | "full" | "suffix" | "block" | "commit" | "draft" | "verify";

/** One model forward, as `--trace` and `replay` print it. `rows` are canvas positions. */
export interface ForwardTrace {
  readonly kind: ForwardKind;
  readonly rows: readonly number[];
  readonly revealed: readonly Revealed[];
  /** 2 with classifier-free guidance, else absent. */
  readonly forwards?: number;
}

export interface Step {
  /** Whole canvas, prompt included; the mask id where nothing is known. */
  readonly canvas: readonly number[];
  readonly revealed: readonly Revealed[];
  /** Text of the answer so far: whole characters only; for diffusion, up to the first masked position unless all is known. */
  readonly text: string;
  /** What `text` gained since the last step ("" while diffusion fills holes). */
  readonly delta: string;
  /** Forwards so far (NFE). */
  readonly forwards: number;
  /** Rows computed so far. */
  readonly rows: number;
}

export type FinishReason = "stop" | "length" | "abort";

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
}

/** Times in ns of wall clock, on the page. `ttftNs`: until the first revealed token was known to the host. */
export interface Timings {
  readonly ttftNs: number;
  readonly prefillNs: number;
  readonly decodeNs: number;
  readonly wallNs: number;
  /** llama-server's names, so that existing tools read them. */
  readonly prompt_n: number;
  readonly prompt_ms: number;
  readonly prompt_per_second: number;
  readonly predicted_n: number;
  readonly predicted_ms: number;
  readonly predicted_per_second: number;
  /** Filled by a profile: sum of roofline floors, of kernel times, of GPU time between submit start and end of its forwards. */
  readonly sumOfFloorsNs?: number;
  readonly sumOfKernelsNs?: number;
  readonly stepNs?: number;
}

/** How well the drafts of a run with `speculate` were met. */
export interface SpeculationResult {
  /** Proposed tokens that were checked (for self-speculation: guessed steps). */
  readonly drafted: number;
  readonly accepted: number;
  /** accepted / drafted, 0 where nothing was drafted. */
  readonly acceptanceRate: number;
  /** Forwards spent on proposals alone. */
  readonly draftForwards: number;
  /** Forwards that checked proposals. */
  readonly verifyForwards: number;
}

export interface GenerationResult {
  /** New ids, cut after a stop id: the answer. */
  readonly ids: readonly number[];
  /** Whole canvas at the end, prompt included. */
  readonly canvas: readonly number[];
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly usage: Usage;
  readonly timings: Timings;
  /** Number of forwards, all kinds (NFE). */
  readonly forwards: number;
  readonly forwardsByKind: Readonly<Partial<Record<ForwardKind, number>>>;
  /** Answer tokens / forwards. */
  readonly tokensPerForward: number;
  readonly rowsPerForward: number;
  readonly tokensPerSecond: number;
  /** FLOP and byte of the whole generation, counted from its dispatches, over the answer's tokens. */
  readonly flopsPerToken: number;
  readonly bytesPerToken: number;
  readonly arithmeticIntensity: number;
  readonly dispatches: number;
  readonly submits: number;
  /** Times that the host waited for answers, and bytes of them that came back. */
  readonly readbacks: number;
  readonly bytesRead: number;
  /** Forwards that were planned ahead and computed for nothing: behind a stop id, or with nothing left to reveal. Not among `forwards`. */
  readonly droppedForwards: number;
  /** Only with `logprobs`: of each of `ids`. */
  readonly logprobs?: readonly TokenLogprob[];
  /** Only with `speculate`. */
  readonly speculation?: SpeculationResult;
  /** Only with `trace: true`. */
  readonly trace?: readonly ForwardTrace[];
}
