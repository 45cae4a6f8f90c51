/** What an engine does end to end, as far as it is compared: greedy continuation of a prompt. It knows no engine. */
import type { Engine } from "../protocol";

export interface Prompt {
  readonly ids: readonly number[];
  /** Text that every tokenizer of the model cuts into these ids. */
  readonly text: string;
}

export interface Continuation {
  /** Prompt tokens that the engine says it has read. */
  readonly promptTokens: number;
  /** Until the first token was known, ns. */
  readonly firstNs: number;
  /** From there until the last, ns. */
  readonly restNs: number;
  /** Null where the engine tells text alone. */
  readonly ids: readonly number[] | null;
  readonly text: string | null;
}

export interface Generator {
  readonly engine: Engine;
  readonly name: string;
  /** Why it is a CPU path, which takes no part in the ratios; null where it runs on the GPU. */
  readonly cpu: string | null;
  /** Continues by so many tokens, ends of text ignored. */
  readonly continue: (prompt: Prompt, tokens: number) => Promise<Continuation>;
  readonly close: () => void | Promise<void>;
}
