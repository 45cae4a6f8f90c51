/** The option `speculate`: its kinds, what each takes, and the decoder that it makes of a plain one. Knows the other model by its sizes only. */
import { ensure, RidgepointError } from "../errors";
import type { Family, ModelConfig } from "../model/config";
import { GREEDY, type Sampling } from "../model/pass";
import { blockEnd } from "./block-diffusion";
import { Canvas, NO_TOKEN } from "./canvas";
import type { Decoder, DecoderContext } from "./decoder";
import type { SelfSpeculation } from "./freedave";
import { guidedFinalization } from "./guided-finalization";
import type { GenerateOptions } from "./options";
import { promptLookup } from "./prompt-lookup";
import type { ResolveContext } from "./resolve";
import { newTally, type SpeculationTally, speculative } from "./speculative";
import { autoregressiveDrafter, type DraftContext, diffusionDrafter } from "./speculative-drafters";

/** Another loaded model of the same vocabulary: what `loadModel` gives. */
export interface OtherModel {
  readonly config: ModelConfig;
}

/**
 * How tokens are guessed. The first three never change the answer.
 * - `prompt-lookup` (AR): up to `tokens` tokens (8) are copied from where the last ones, at most `ngram` (3), stood before.
 * - `draft` (AR): another model drafts `tokens` tokens (4) ahead, an autoregressive one, or a diffusion model in `forwards` forwards (1).
 * - `self` (diffusion, greedy schedules, caches none, prefix, block): a forward also computes the states after guessed steps, `states` in all (4, or
 *   as many as there is room for: each takes positions of its own; `sequences` of `loadModel` makes room).
 * - `guide` (diffusion): proposals are revealed where an autoregressive model would write them too; decides how much a forward reveals.
 */
export type Speculation =
  | { readonly kind: "prompt-lookup"; readonly tokens?: number; readonly ngram?: number }
  | { readonly kind: "draft"; readonly model: OtherModel; readonly tokens?: number; readonly forwards?: number }
  | { readonly kind: "self"; readonly states?: number }
  | { readonly kind: "guide"; readonly model: OtherModel };

/** What speculation adds to a resolved run. */
export interface Speculating {
  readonly decoder: (context: DecoderContext) => Decoder;
  readonly speculation: SpeculationTally;
  /** Canvas and sampling of the other model, where there is one. */
  readonly other?: { readonly canvas: Canvas; readonly sampling: Sampling };
}

/** Ranges of the numbers, and which families a kind is for. Passes of one submit bound the tokens. */
const KINDS: Readonly<
  Record<Speculation["kind"], { families: readonly Family[]; numbers: Readonly<Record<string, readonly [number, number]>> }>
> = {
  "prompt-lookup": { families: ["ar"], numbers: { tokens: [1, 32], ngram: [1, 16] } },
  draft: { families: ["ar"], numbers: { tokens: [1, 32], forwards: [1, 32] } },
  self: { families: ["mdlm", "block"], numbers: { states: [1, 64] } },
  guide: { families: ["mdlm", "block"], numbers: {} },
};

/** Options that a kind leaves without effect, or that it cannot keep its promise with. */
const EXCLUDED: Readonly<Record<Speculation["kind"], readonly (keyof GenerateOptions)[]>> = {
  "prompt-lookup": [],
  draft: [],
  self: ["threshold", "factor", "ebGamma", "policy", "cfgScale", "refreshInterval", "suffixWindow", "temperature"],
  guide: ["steps", "threshold", "factor", "ebGamma", "policy", "remasking"],
};
const SELF_CACHES: readonly unknown[] = [undefined, "none", "prefix", "block"];

const bad = (message: string): never => {
  throw new RidgepointError("bad-option", message);
};

/** @throws `bad-option` naming what of `speculate` is wrong, or which option it excludes */
export function checkSpeculation(options: GenerateOptions, family: Family): void {
  const { speculate } = options;
  if (speculate === undefined) return;
  const { kind } = (speculate ?? {}) as { kind?: unknown };
  if (typeof kind !== "string" || !Object.hasOwn(KINDS, kind))
    bad(`speculate: expected { kind } of ${Object.keys(KINDS).join(", ")}, came ${JSON.stringify(kind)}`);
  const { families, numbers } = KINDS[speculate.kind];
  if (!families.includes(family)) bad(`speculate ${kind}: expected a model of family ${families.join(" or ")}, came ${family}`);
  const named = speculate.kind === "draft" || speculate.kind === "guide";
  for (const [name, value] of Object.entries(speculate)) {
    if (name === "kind" || (name === "model" && named) || value === undefined) continue;
    const range = Object.hasOwn(numbers, name) ? numbers[name] : undefined;
    if (!range)
      bad(`speculate ${kind}: expected ${[...(named ? ["model"] : []), ...Object.keys(numbers)].join(", ")}, came ${name}`);
    const [least, most] = range as readonly [number, number];
    if (!Number.isInteger(value) || value < least || value > most)
      bad(`speculate ${kind}: ${name}: expected an integer from ${least} to ${most}, came ${String(value)}`);
  }
  if (named && typeof speculate.model?.config !== "object")
    bad(`speculate ${kind}: model: expected a loaded model; give what loadModel returned`);
  const given = EXCLUDED[speculate.kind].filter((name) => options[name] !== undefined && options[name] !== 0);
  if (given.length > 0)
    bad(`speculate ${kind}: has no use for ${given.join(", ")}, or would change the answer with it; leave it out`);
  if (speculate.kind !== "self") return;
  if (options.remasking === "random") bad("speculate self: random ranks differ from forward to forward; give another remasking");
  if (!SELF_CACHES.includes(options.cache)) bad(`speculate self: expected cache none, prefix or block, came ${options.cache}`);
}

/** Refuses a canvas that the other model has no room for. */
function ensureRoom(needed: number, room: number, what: string): void {
  ensure(
    needed <= room,
    "context-overflow",
    () =>
      `speculate: ${what} needs ${needed} positions, ${room} are there; shorten the answer, or load that model with a larger contextLength`,
  );
}

/** Greedy, and never what the model cannot say. */
function assistantSampling({ config, usedVocabSize }: ResolveContext): Sampling {
  const unused = Array.from({ length: Math.max(0, config.vocabSize - usedVocabSize) }, (_, i) => usedVocabSize + i);
  return { ...GREEDY, suppress: config.family === "ar" ? unused : [...new Set([config.maskTokenId ?? 0, ...unused])] };
}

/** The prompt on a canvas of the other model's own, and how it is read from. */
function assistantOf({ tokens, promptLength }: Canvas, other: ResolveContext): NonNullable<Speculating["other"]> {
  const maskId = other.config.family === "ar" ? NO_TOKEN : (other.config.maskTokenId as number);
  return { canvas: new Canvas(tokens.slice(0, promptLength), promptLength, maskId), sampling: assistantSampling(other) };
}

const otherOf = ({ other }: ResolveContext): ResolveContext => {
  ensure(other, "bad-option", "speculate: model: expected a loaded model; give what loadModel returned");
  return other;
};

/** An autoregressive run whose tokens are drafted. */
export function speculateAutoregressive(
  speculate: Extract<Speculation, { kind: "prompt-lookup" | "draft" }>,
  { canvas, maxNewTokens, context }: { canvas: Canvas; maxNewTokens: number; context: ResolveContext },
): Speculating {
  const tally = newTally();
  if (speculate.kind === "prompt-lookup") {
    const { tokens: draftTokens = 8, ngram: most = 3 } = speculate;
    const drafter = promptLookup(canvas, { most, least: Math.min(2, most) });
    return { decoder: (at) => speculative(at, { maxNewTokens, draftTokens, drafter, tally }), speculation: tally };
  }
  const other = otherOf(context);
  const assistant = assistantOf(canvas, other);
  const { family, shift, blockLength } = other.config;
  const end = canvas.promptLength + maxNewTokens;
  const room = family === "mdlm" ? Math.min(other.contextLength, other.maxRows) : other.contextLength;
  ensureRoom(family === "block" ? blockEnd(end - 1, blockLength as number, 0) : end, room, "the draft model");
  const { tokens: draftTokens = 4, forwards = 1 } = speculate;
  ensure(
    family !== "ar" || speculate.forwards === undefined,
    "bad-option",
    "speculate draft: forwards: an autoregressive model takes one a token; leave it out",
  );
  const drafting: DraftContext = { canvas, draftCanvas: assistant.canvas, maxRows: other.maxRows, tally };
  const drafter =
    family === "ar"
      ? autoregressiveDrafter(drafting)
      : diffusionDrafter(drafting, { forwards, shift, end, blockLength: family === "block" ? (blockLength as number) : null });
  return {
    decoder: (at) => speculative(at, { maxNewTokens, draftTokens, drafter, tally }),
    speculation: tally,
    other: assistant,
  };
}

/** A diffusion run whose proposals an autoregressive model chooses among. */
export function guideDiffusion(
  decoder: (context: DecoderContext) => Decoder,
  { canvas, end, context }: { canvas: Canvas; end: number; context: ResolveContext },
): Speculating {
  const other = otherOf(context);
  ensure(
    other.config.family === "ar",
    "bad-option",
    () => `speculate guide: model: expected an autoregressive model, came one of family "${other.config.family}"`,
  );
  ensureRoom(end, other.contextLength, "the guide");
  const tally = newTally();
  const assistant = assistantOf(canvas, other);
  const options = { decoder, guideCanvas: assistant.canvas, guideRows: other.maxRows, tally };
  return { decoder: (at) => guidedFinalization(at, options), speculation: tally, other: assistant };
}

/** Guessed states of `rows` rows each behind everything else, at `base`; null without self-speculation. */
export function selfSpeculation(
  { speculate }: GenerateOptions,
  { base, rows, context }: { base: number; rows: number; context: ResolveContext },
): SelfSpeculation | null {
  if (speculate?.kind !== "self") return null;
  const room = context.slots ?? context.contextLength;
  const { states = Math.max(1, Math.min(4, 1 + Math.floor((room - base) / rows), Math.floor(context.maxRows / rows))) } =
    speculate;
  if (states > 1) ensureRoom(base + (states - 1) * rows, room, `self-speculation with ${states} states`);
  ensure(
    states === 1 || states * rows <= context.maxRows,
    "context-overflow",
    () => `speculate self: ${states} states of ${rows} rows, a forward computes at most ${context.maxRows}; give fewer states`,
  );
  return { states, base, tally: newTally() };
}
