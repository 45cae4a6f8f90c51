/** Options and a prompt to a decoder: every default in one place. Whatever is unknown or inconsistent throws before any work. */
import { ensure } from "../errors";
import type { ModelConfig } from "../model/config";
import type { Metric, Sampling } from "../model/pass";
import { autoregressive } from "./autoregressive";
import { Canvas, NO_TOKEN } from "./canvas";
import { CACHES, checkOptions, METRICS, PRESETS } from "./check-options";
import type { Constraint, ConstraintContext } from "./constraint";
import type { Decoder, DecoderContext } from "./decoder";
import { logitSettings } from "./logit-options";
import type { GenerateOptions } from "./options";
import { resolveBlock } from "./resolve-block";
import { overflow } from "./resolve-diffusion";
import { resolveMasked } from "./resolve-masked";
import { guideDiffusion, type Speculating, speculateAutoregressive } from "./speculative-options";

/** What a generation runs. */
export interface Resolved extends Partial<Pick<Speculating, "speculation" | "other">> {
  readonly canvas: Canvas;
  readonly decoder: (context: DecoderContext) => Decoder;
  /** Classifier-free guidance is on: passes have a second, unconditional half. */
  readonly guided: boolean;
  readonly sampling: Sampling;
  readonly metric: Metric;
  readonly stopIds: ReadonlySet<number>;
  readonly stopStrings: readonly string[];
  /** Log-probabilities of the answer's tokens are wanted in the result. */
  readonly logprobs: boolean;
  /** Most tokens of the answer. */
  readonly answerLength: number;
  /** What the answer must be, and what an automaton must know of the model. */
  readonly constrained?: { readonly constraint: Constraint } & Omit<ConstraintContext, "vocabulary">;
}

/** What of a model the options are checked against. */
export interface ResolveContext {
  readonly config: ModelConfig;
  /** Positions of the cache. */
  readonly contextLength: number;
  /** Rows of the whole cache where it has room for several sequences; default `contextLength`. What guessed states lie in. */
  readonly slots?: number | undefined;
  /** Rows of one pass. */
  readonly maxRows: number;
  /** Ids below it have a piece; the rest of the vocabulary is padding and can never be drawn. */
  readonly usedVocabSize: number;
  /** The other model of a speculation. */
  readonly other?: ResolveContext | undefined;
}

/** A prompt as ids; `null` marks a place to be filled. */
export type PromptIds = readonly (number | null)[];

const DEFAULT_TOKENS = 128;
const TOKENS_PER_SUBMIT = 4;

/** Ids that have no probability: rows of the vocabulary that are padding, and the mask. */
export function suppressedIds({ config, usedVocabSize }: Pick<ResolveContext, "config" | "usedVocabSize">): number[] {
  const { family, vocabSize, maskTokenId } = config;
  const unused = Array.from({ length: Math.max(0, vocabSize - usedVocabSize) }, (_, i) => usedVocabSize + i);
  return family === "ar" || maskTokenId === null ? unused : [...new Set([maskTokenId, ...unused])];
}

/**
 * Resolves options for a model.
 * @throws `bad-option` for a name or value that is unknown, inconsistent or of another family; `context-overflow` when the canvas does not fit
 */
export function resolve(prompt: PromptIds, options: GenerateOptions, context: ResolveContext): Resolved {
  const { config } = context;
  const { family } = config;
  checkOptions(options, family);
  const hole = prompt.indexOf(null);
  ensure(prompt.length > 0, "bad-option", "prompt: expected at least one token, came none");
  ensure(
    hole < 0 || family === "mdlm",
    "bad-option",
    () => `canvas: only a masked diffusion model fills holes, this one is of family "${family}"`,
  );
  ensure(
    hole !== 0 || !config.shift,
    "bad-option",
    "canvas: a model with shift predicts a place from the one before: the first must be known",
  );
  const isId = (id: unknown): boolean => Number.isInteger(id) && (id as number) >= 0 && (id as number) < config.vocabSize;
  const badId = prompt.find((id) => id !== null && !isId(id));
  ensure(badId === undefined, "bad-option", () => `prompt: expected ids from 0 to ${config.vocabSize - 1}, came ${badId}`);
  const badStop = options.stopIds?.find((id) => !isId(id));
  ensure(badStop === undefined, "bad-option", () => `stopIds: expected ids from 0 to ${config.vocabSize - 1}, came ${badStop}`);
  const promptLength = hole < 0 ? prompt.length : hole;
  const room = context.contextLength - promptLength;
  ensure(room > 0 && prompt.length <= context.contextLength, "context-overflow", () => overflow(prompt.length, 1, context));
  const rules = PRESETS[options.preset ?? "llada"];
  const maskId = config.maskTokenId ?? NO_TOKEN;
  const sampling: Sampling = {
    temperature: options.temperature ?? 0,
    topK: options.topK ?? 0,
    topP: options.topP ?? 1,
    minP: options.minP ?? 0,
    seed: options.seed ?? 0,
    tempered: rules.tempered,
    suppress: suppressedIds(context),
    ...logitSettings(options, config.vocabSize),
  };
  const stopIds = new Set(options.ignoreEos ? (options.stopIds ?? []) : [...config.eosTokenIds, ...(options.stopIds ?? [])]);
  const shared = {
    sampling,
    stopIds,
    stopStrings: options.stop ?? [],
    metric: METRICS[options.remasking ?? "low_confidence"],
    logprobs: options.logprobs !== undefined,
  };
  const { genLength = "auto", speculate } = options;
  if (family === "ar") {
    const maxNewTokens = genLength === "auto" ? (options.maxNewTokens ?? Math.min(DEFAULT_TOKENS, room)) : genLength;
    ensure(maxNewTokens <= room, "context-overflow", () => overflow(promptLength, maxNewTokens, context));
    const canvas = new Canvas(prompt as number[], promptLength, maskId);
    const speculating =
      speculate?.kind === "prompt-lookup" || speculate?.kind === "draft"
        ? speculateAutoregressive(speculate, { canvas, maxNewTokens, context })
        : null;
    const decoder = (at: DecoderContext) => autoregressive(at, { maxNewTokens, tokensPerSubmit: TOKENS_PER_SUBMIT });
    const constrained = options.constraint && {
      constraint: options.constraint,
      vocabSize: config.vocabSize,
      endIds: [...new Set([...config.eosTokenIds, ...(options.stopIds ?? [])])],
      mayEnd: stopIds.size > 0,
    };
    const settings = { ...shared, ...(constrained && { constrained }) };
    return { ...settings, canvas, decoder, guided: false, answerLength: maxNewTokens, ...speculating };
  }
  const { cache } = options;
  ensure(
    cache === undefined || CACHES[family].includes(cache),
    "bad-option",
    () => `cache: expected ${CACHES[family].join(", ")} for family "${family}", came ${cache}`,
  );
  const made = { shared, prompt, promptLength, rules, context, options };
  const resolved = family === "mdlm" ? resolveMasked(made) : resolveBlock(made);
  if (speculate?.kind !== "guide") return resolved;
  const end = promptLength + resolved.answerLength;
  return { ...resolved, ...guideDiffusion(resolved.decoder, { canvas: resolved.canvas, end, context }) };
}
