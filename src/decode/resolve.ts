/** Options and a prompt to a decoder: every default in one place. Whatever is unknown or inconsistent throws before any work. */
import { ensure } from "../errors";
import type { ModelConfig } from "../model/config";
import type { Metric, Sampling } from "../model/pass";
import { autoregressive } from "./autoregressive";
import { blockDiffusion } from "./block-diffusion";
import { Canvas, NO_TOKEN } from "./canvas";
import { CACHES, checkOptions, METRICS, PRESETS } from "./check-options";
import type { Decoder, DecoderContext } from "./decoder";
import { maskedDiffusion } from "./masked-diffusion";
import type { GenerateOptions } from "./options";
import { dllmSchedule, dreamSchedule, lladaSchedule, type ScheduleName } from "./schedule";
import type { Selection } from "./selection";
import { shiftedBlockDiffusion } from "./shifted-block-diffusion";

/** What a generation runs. */
export interface Resolved {
  readonly canvas: Canvas;
  readonly decoder: (context: DecoderContext) => Decoder;
  /** Classifier-free guidance is on: passes have a second, unconditional half. */
  readonly guided: boolean;
  readonly sampling: Sampling;
  readonly metric: Metric;
  readonly stopIds: ReadonlySet<number>;
  readonly stopStrings: readonly string[];
  /** Most tokens of the answer. */
  readonly answerLength: number;
}

/** What of a model the options are checked against. */
export interface ResolveContext {
  readonly config: ModelConfig;
  /** Positions of the cache. */
  readonly contextLength: number;
  /** Rows of one pass. */
  readonly maxRows: number;
  /** Ids below it have a piece; the rest of the vocabulary is padding and can never be drawn. */
  readonly usedVocabSize: number;
}

/** A prompt as ids; `null` marks a place to be filled. */
export type PromptIds = readonly (number | null)[];

const DEFAULT_TOKENS = 128;
const DEFAULT_GEN_LENGTH = 64;
const TOKENS_PER_SUBMIT = 4;

function selectionOf(options: GenerateOptions, strict: boolean): Selection {
  const metric = METRICS[options.remasking ?? "low_confidence"];
  const { threshold, factor, ebGamma } = options;
  if (threshold !== undefined || factor !== undefined) {
    ensure(
      metric === "confidence",
      "bad-option",
      () => `remasking: threshold and factor test the confidence; expected low_confidence, came ${options.remasking}`,
    );
  }
  if (threshold !== undefined) return { rule: "threshold", threshold, strict, metric };
  if (factor !== undefined) return { rule: "factor", factor, metric };
  if (ebGamma !== undefined) return { rule: "eb", gamma: ebGamma, metric };
  return { rule: "schedule", metric };
}

/** Divides with no remainder, or says which option to change. */
function divide(name: string, total: number, part: number, of: string): number {
  ensure(
    total % part === 0,
    "bad-option",
    () => `${name}: expected a multiple of ${of} ${part}, came ${total}; change one of them`,
  );
  return total / part;
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
  const unused = Array.from(
    { length: Math.max(0, config.vocabSize - context.usedVocabSize) },
    (_, i) => context.usedVocabSize + i,
  );
  const sampling: Sampling = {
    temperature: options.temperature ?? 0,
    topK: options.topK ?? 0,
    topP: options.topP ?? 1,
    minP: options.minP ?? 0,
    seed: options.seed ?? 0,
    tempered: rules.tempered,
    suppress: family === "ar" ? unused : [...new Set([maskId, ...unused])],
  };
  const stopIds = new Set(options.ignoreEos ? (options.stopIds ?? []) : [...config.eosTokenIds, ...(options.stopIds ?? [])]);
  const shared = { sampling, stopIds, stopStrings: options.stop ?? [], metric: METRICS[options.remasking ?? "low_confidence"] };
  const length = options.genLength ?? options.maxNewTokens;
  if (family === "ar") {
    const maxNewTokens = length ?? Math.min(DEFAULT_TOKENS, room);
    ensure(maxNewTokens <= room, "context-overflow", () => overflow(promptLength, maxNewTokens, context));
    const canvas = new Canvas(prompt as number[], promptLength, maskId);
    const decoder = (at: DecoderContext) => autoregressive(at, { maxNewTokens, tokensPerSubmit: TOKENS_PER_SUBMIT });
    return { ...shared, canvas, decoder, guided: false, answerLength: maxNewTokens };
  }
  const { cache } = options;
  ensure(
    cache === undefined || CACHES[family].includes(cache),
    "bad-option",
    () => `cache: expected ${CACHES[family].join(", ")} for family "${family}", came ${cache}`,
  );
  const selection = selectionOf(options, rules.strict);
  const made = { ...shared, prompt, promptLength, selection, schedule: rules.schedule, context, options };
  return family === "mdlm" ? resolveMasked(made) : resolveBlock(made);
}

interface Made extends Pick<Resolved, "sampling" | "stopIds" | "stopStrings" | "metric"> {
  readonly prompt: PromptIds;
  readonly promptLength: number;
  readonly selection: Selection;
  readonly schedule: ScheduleName;
  readonly context: ResolveContext;
  readonly options: GenerateOptions;
}

const overflow = (prompt: number, more: number, { contextLength }: ResolveContext): string =>
  `context: a prompt of ${prompt} tokens and ${more} new ones need ${prompt + more} positions, ${contextLength} are there; shorten the prompt or genLength, or load with a larger contextLength`;

function schedules(name: ScheduleName, steps: number): (masks: number) => number[] {
  if (name === "dllm") return (masks) => dllmSchedule(masks, steps);
  if (name === "dream") return (masks) => dreamSchedule(masks, steps, { clamp: true });
  return (masks) => lladaSchedule(masks, steps);
}

const shares = ({ sampling, stopIds, stopStrings, metric }: Made) => ({ sampling, stopIds, stopStrings, metric });

function resolveMasked(made: Made): Resolved {
  const { prompt, promptLength, selection, context, options } = made;
  const { config } = context;
  const given = prompt.length - promptLength;
  const asked = options.genLength ?? options.maxNewTokens;
  ensure(
    given === 0 || asked === undefined || asked === given,
    "bad-option",
    () => `genLength: the canvas has ${given} places after its first hole, came ${asked}; leave it out`,
  );
  const genLength = given > 0 ? given : (asked ?? DEFAULT_GEN_LENGTH);
  ensure(promptLength + genLength <= context.contextLength, "context-overflow", () => overflow(promptLength, genLength, context));
  const guidance = options.cfgScale ?? 0;
  const uncached = guidance === 0 || (options.cache ?? "none") === "none";
  ensure(uncached, "bad-option", () => `cfgScale: guidance recomputes both canvases; expected cache none, came ${options.cache}`);
  const both = 2 * (promptLength + genLength);
  const room = Math.min(context.contextLength, context.maxRows);
  ensure(
    guidance === 0 || both <= room,
    "context-overflow",
    () => `cfgScale: two canvases need ${both} positions, ${room} are there; load with a larger contextLength`,
  );
  const blockLength = options.blockLength ?? (given > 0 ? given : Math.min(genLength, config.blockLength ?? 32));
  const blocks = divide("genLength", genLength, blockLength, "blockLength");
  const steps = options.steps ?? genLength;
  const scheduled = selection.rule === "schedule";
  const perBlock = scheduled ? divide("steps", steps, blocks, "the number of blocks,") : 0;
  ensure(
    steps <= genLength,
    "bad-option",
    () => `steps: a forward reveals at least one token; expected at most genLength ${genLength}, came ${steps}`,
  );
  const canvas = new Canvas(
    prompt.map((id) => id ?? (config.maskTokenId as number)),
    promptLength,
    config.maskTokenId as number,
  );
  canvas.extend(promptLength + genLength);
  const decoder = (at: DecoderContext) =>
    maskedDiffusion(at, {
      blockLength,
      cache: (options.cache ?? "none") as "none" | "prefix" | "dual",
      refresh: 0,
      guidance,
      shift: config.shift,
      selection,
      schedule: scheduled ? schedules(made.schedule, perBlock) : null,
      earlyStop: given === 0 && made.stopIds.size > 0,
    });
  return { ...shares(made), canvas, decoder, guided: guidance > 0, answerLength: genLength };
}

function resolveBlock(made: Made): Resolved {
  const { prompt, promptLength, selection, context, options } = made;
  const { config } = context;
  const blockLength = options.blockLength ?? (config.blockLength as number);
  const genLength =
    options.genLength ??
    options.maxNewTokens ??
    Math.max(blockLength, Math.floor(DEFAULT_GEN_LENGTH / blockLength) * blockLength);
  const blocks = divide("genLength", genLength, blockLength, "blockLength");
  const prefilled = Math.floor(promptLength / blockLength) * blockLength;
  // The grid is absolute: the canvas ends with the block that holds the last place, and the shifted decoder writes one place more.
  const end = Math.ceil((promptLength + genLength) / blockLength) * blockLength;
  ensure(end + (config.shift ? 1 : 0) <= context.contextLength, "context-overflow", () =>
    overflow(promptLength, end - promptLength + 1, context),
  );
  const subBlockLength = options.subBlockLength ?? (options.cache === "sub-block" ? Math.min(8, blockLength) : blockLength);
  divide("blockLength", blockLength, subBlockLength, "subBlockLength");
  const subBlocks = options.subBlockLength !== undefined || options.cache === "sub-block";
  ensure(
    !subBlocks || config.shift,
    "bad-option",
    "subBlockLength, cache sub-block: only for a block model with shift (Fast-dLLM v2); leave them out",
  );
  const scheduled = selection.rule === "schedule";
  const perBlock = scheduled ? divide("steps", options.steps ?? genLength, blocks, "the number of blocks,") : 0;
  ensure(
    perBlock <= blockLength,
    "bad-option",
    () => `steps: a forward reveals at least one token; expected at most genLength ${genLength}, came ${options.steps}`,
  );
  const canvas = new Canvas(prompt as number[], promptLength, config.maskTokenId as number);
  if (config.shift) {
    const perSubBlock = Math.max(1, Math.round((perBlock * subBlockLength) / blockLength));
    const decoder = (at: DecoderContext) =>
      shiftedBlockDiffusion(at, {
        blockLength,
        subBlockLength,
        subBlockCache: options.cache === "sub-block",
        blocks: (end - prefilled) / blockLength,
        selection,
        schedule: scheduled ? schedules(made.schedule, perSubBlock) : null,
      });
    return { ...shares(made), canvas, decoder, guided: false, answerLength: genLength };
  }
  canvas.extend(promptLength + genLength);
  const decoder = (at: DecoderContext) =>
    blockDiffusion(at, {
      blockLength,
      gridOffset: 0,
      selection,
      schedule: scheduled ? schedules(made.schedule, perBlock) : null,
      commitLast: false,
      earlyStop: made.stopIds.size > 0,
    });
  return { ...shares(made), canvas, decoder, guided: false, answerLength: genLength };
}
