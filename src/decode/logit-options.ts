/** The options that change logits before anything is drawn, or tell them: penalties, bias, log-probabilities. */
import { ensure } from "../errors";
import { MOST_BIASES, MOST_TOPS } from "../kernels/answer";
import type { Sampling } from "../model/pass";

export interface LogitOptions {
  /**
   * Above 1 makes tokens that are there already less likely: a positive logit is divided by it, a negative one multiplied. Counts every known token of
   * prompt and answer, once (llama.cpp's `repeat_penalty` over the whole context). 1 is off.
   */
  repetitionPenalty?: number;
  /** Taken off the logit of every token that the answer holds, −2 to 2 (OpenAI's). 0 is off. */
  presencePenalty?: number;
  /** Taken off for each time that the answer holds the token, −2 to 2 (OpenAI's). 0 is off. */
  frequencyPenalty?: number;
  /** Added to the logits of token ids, −100 to 100 each (OpenAI's). */
  logitBias?: Readonly<Record<number, number>>;
  /** Log-probabilities of the tokens of the answer, and of so many of the most probable beside each, 0 to 20. Of the distribution before temperature and filters, after penalties and bias. */
  logprobs?: number;
}

/** Names of these options. */
export const LOGIT_OPTIONS = ["repetitionPenalty", "presencePenalty", "frequencyPenalty", "logitBias", "logprobs"] as const;

function checkNumber(name: string, value: unknown, low: number, high: number): void {
  if (value === undefined) return;
  const fits = typeof value === "number" && value >= low && value <= high;
  ensure(fits, "bad-option", () => `${name}: expected a number from ${low} to ${high}, came ${JSON.stringify(value)}`);
}

/** @throws `bad-option` naming the option, what was expected, what came */
export function checkLogitOptions(options: LogitOptions & { readonly speculate?: unknown }): void {
  checkNumber("repetitionPenalty", options.repetitionPenalty, 0.01, 100);
  checkNumber("presencePenalty", options.presencePenalty, -2, 2);
  checkNumber("frequencyPenalty", options.frequencyPenalty, -2, 2);
  checkNumber("logprobs", options.logprobs, 0, MOST_TOPS);
  ensure(
    options.logprobs === undefined || Number.isInteger(options.logprobs),
    "bad-option",
    () => `logprobs: expected an integer from 0 to ${MOST_TOPS}, came ${options.logprobs}`,
  );
  const { logitBias } = options;
  if (logitBias !== undefined) {
    const list = typeof logitBias === "object" && logitBias !== null ? Object.entries(logitBias) : null;
    ensure(list, "bad-option", () => `logitBias: expected { id: bias }, came ${JSON.stringify(logitBias)}`);
    ensure(list.length <= MOST_BIASES, "bad-option", () => `logitBias: expected at most ${MOST_BIASES} ids, came ${list.length}`);
    for (const [id, value] of list) checkNumber(`logitBias of ${id}`, value, -100, 100);
  }
  const used = LOGIT_OPTIONS.filter((name) => options[name] !== undefined);
  ensure(
    used.length === 0 || options.speculate === undefined,
    "bad-option",
    () => `${used.join(", ")}: not together with speculate, which checks drafts by the plain distribution; leave one of them out`,
  );
}

/** What they are to a pass. */
export function logitSettings(options: LogitOptions, vocabSize: number): Pick<Sampling, "penalties" | "bias" | "tops"> {
  const { repetitionPenalty: repetition = 1, presencePenalty: presence = 0, frequencyPenalty: frequency = 0 } = options;
  const bias = Object.entries(options.logitBias ?? {}).map(([id, value]) => [Number(id), value] as const);
  const bad = bias.find(([id]) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
  ensure(!bad, "bad-option", () => `logitBias: expected ids from 0 to ${vocabSize - 1}, came ${bad?.[0]}`);
  const penalized = repetition !== 1 || presence !== 0 || frequency !== 0;
  return {
    ...(penalized ? { penalties: { repetition, presence, frequency } } : {}),
    ...(bias.length > 0 ? { bias } : {}),
    ...(options.logprobs ? { tops: options.logprobs } : {}),
  };
}
