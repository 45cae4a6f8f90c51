/** The model that people hold: one object with a tokenizer, `generate`, `forward`, `replay`, `profile` and `dispose`. */
import { generate } from "../decode/generate";
import { type Likelihood, type LikelihoodOptions, likelihood } from "../decode/likelihood";
import type { ChatMessage, GenerateOptions, Prompt } from "../decode/options";
import { type ReplayCase, type ReplayResult, replay } from "../decode/replay";
import { type PromptIds, type ResolveContext, type Resolved, resolve, suppressedIds } from "../decode/resolve";
import { overflow } from "../decode/resolve-diffusion";
import { ensure, RidgepointError } from "../errors";
import { type ModelSource, resolveSource } from "../formats/sources";
import { Gpu } from "../gpu/device";
import { calibrate } from "../measure/calibrate";
import type { PairedOptions, PairedProfile } from "../measure/paired";
import { type Profile, type ProfileMode, pairGeneration, profileGeneration, type Rerun } from "../measure/profile";
import type { TuneReport } from "../measure/tuning/tune";
import type { Calibration } from "../measure/types";
import { Batch } from "../model/batch";
import type { Family, ModelConfig } from "../model/config";
import type { Engine } from "../model/engine";
import { type EngineOptions, type LoadedEngine, loadEngine } from "../model/load";
import type { Row } from "../model/pass";
import { encodeChat } from "../text/chat";
import { createTokenizer, type Tokenizer } from "../text/tokenizer";
import { BatchGeneration } from "./batch-generation";
import { Generation } from "./generation";
import { ensureSameVocabulary, type Turns, takeTurns } from "./speculation";
import { checkTuning, type TuningOptions, tuneModel, useTuning } from "./tuning";

export interface LoadOptions extends Omit<EngineOptions, "beforeCompile">, TuningOptions {
  /** An open device; without one the model opens its own and closes it when disposed. */
  readonly gpu?: Gpu | undefined;
  /** Folder URL of the embedded models. */
  readonly builtinBase?: string | undefined;
}

export interface ModelInfo {
  readonly architecture: string;
  readonly family: Family;
  readonly numParameters: number;
  /** Formats of the weights on the device, e.g. `q4+q8`. */
  readonly quantization: string;
  readonly contextLength: number;
  readonly maskTokenId: number | null;
  readonly blockLength: number | null;
  readonly chatTemplate: string | null;
}

export interface BatchOptions extends GenerateOptions {
  /** Answers to each prompt, behind each other in the results. The first is the one that the prompt gets alone, the others draw apart. Default 1. */
  readonly sequences?: number;
}

export interface ProfileOptions {
  readonly calibration?: Calibration | undefined;
  readonly mode?: ProfileMode | undefined;
  /** Keep every single dispatch, for `chromeTrace`. Default off. */
  readonly timeline?: boolean | undefined;
}

/** Which rows see which: `causal`, `full`, or blocks that see themselves and all before. */
export type Attention = "causal" | "full" | { readonly block: number };

export interface ForwardRequest {
  readonly tokens: readonly number[];
  readonly attention: Attention;
}

export interface ForwardResponse {
  /** f32 [n, vocabSize], raw: nothing suppressed, not shifted. */
  readonly logits: Float32Array;
  readonly shape: readonly [rows: number, vocabSize: number];
  readonly argmax: readonly number[];
}

export class Model {
  readonly info: ModelInfo;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer | null;
  readonly gpu: Gpu;
  /** What tuning found before this model was compiled; null where it was not asked for. */
  readonly tuned: TuneReport | null;
  readonly #engine: Engine;
  readonly #ownsGpu: boolean;
  readonly #tokenizerFault: RidgepointError | null;
  /** Whether a plain string is one user message: a model that has only ever seen its chat format says so in its config. */
  readonly #promptIsChat: boolean;
  readonly #turns: Turns = { last: Promise.resolve() };
  /** Models whose vocabulary was found to be this one's. */
  readonly #alike = new WeakSet<Model>();
  #disposed = false;

  /** @param tokenizer or why there is none */
  constructor(
    loaded: LoadedEngine,
    tokenizer: Tokenizer | RidgepointError,
    { gpu, ownsGpu, tuned = null }: { gpu: Gpu; ownsGpu: boolean; tuned?: TuneReport | null },
  ) {
    const { engine, config, checkpoint } = loaded;
    this.gpu = gpu;
    this.tuned = tuned;
    this.config = config;
    this.#tokenizerFault = tokenizer instanceof RidgepointError ? tokenizer : null;
    this.tokenizer = tokenizer instanceof RidgepointError ? null : tokenizer;
    this.#engine = engine;
    this.#ownsGpu = ownsGpu;
    this.#promptIsChat = (checkpoint.config?.generation as { prompt?: unknown } | undefined)?.prompt === "chat";
    this.info = {
      architecture: config.architecture,
      family: config.family,
      numParameters: loaded.numParameters,
      quantization: loaded.quantization,
      contextLength: loaded.contextLength,
      maskTokenId: config.maskTokenId,
      blockLength: config.blockLength,
      chatTemplate: this.tokenizer?.chatTemplate ?? null,
    };
  }

  /**
   * Generates. Options are checked here, before any work; several generations of one model wait for each other.
   * @throws `bad-option`, `context-overflow`, `no-tokenizer`, `bad-template`
   */
  generate(prompt: Prompt, options: GenerateOptions = {}): Generation {
    const resolved = this.#resolve(prompt, options, { slots: this.#engine.slots });
    const { signal, trace } = options;
    const other = this.#otherOf(options);
    const assistant = other ? other.#engine : undefined;
    const run = () => generate(this.#engine, this.tokenizer, resolved, { signal, trace, assistant });
    return new Generation(this.#inTurn(other ? [this, other] : [this], run));
  }

  /**
   * Generates for several prompts at once: every forward computes the rows of all that are not done. Each prompt gets the tokens and the number of
   * forwards that it gets alone; the context, that is `sequences` times `contextLength` of
   * `loadModel`, is divided among them, what the prompts leave of it in equal parts.
   * @throws as `generate`; `context-overflow` where one sequence's part is too short
   */
  generateBatch(prompts: readonly Prompt[], { sequences = 1, ...options }: BatchOptions = {}): BatchGeneration {
    ensure(prompts.length > 0, "bad-option", "prompts: expected at least one, came none");
    ensure(
      Number.isInteger(sequences) && sequences > 0,
      "bad-option",
      () => `sequences: expected a whole number from 1 on, came ${sequences}`,
    );
    ensure(
      sequences === 1 || (options.temperature ?? 0) > 0 || options.remasking === "random",
      "bad-option",
      "sequences: greedy answers to one prompt are all the same; give a temperature above 0, or 1 sequence",
    );
    ensure(
      options.constraint === undefined,
      "bad-option",
      "constraint: what may come next is told for one sequence at a time; generate one by one",
    );
    ensure(
      !options.cfgScale,
      "bad-option",
      "cfgScale: guidance takes two canvases a prompt and does not go in a batch; generate one by one",
    );
    ensure(
      !this.#otherOf(options),
      "bad-option",
      "speculate: two models work on one answer at a time and do not go in a batch; generate one by one",
    );
    const ids = prompts.flatMap((prompt) => new Array<PromptIds>(sequences).fill(this.#idsOf(prompt)));
    const room = this.#engine.slots - ids.reduce((sum, { length }) => sum + length, 0);
    const slots = ids.map(({ length }) => Math.min(this.info.contextLength, length + Math.max(0, Math.floor(room / ids.length))));
    const batch = new Batch(this.#engine, slots);
    const resolved = ids.map((prompt, i) => this.#resolve({ canvas: prompt }, options, { contextLength: slots[i] as number }));
    const { trace } = options;
    return new BatchGeneration(batch.lanes, {
      signal: options.signal,
      start: (i, lane, signal) =>
        generate(lane, this.tokenizer, resolved[i] as Resolved, { signal, trace, sequence: i % sequences }),
      inTurn: (work) => this.#exclusive(work),
    });
  }

  /** One forward over tokens from position 0: raw logits of every row. */
  async forward({ tokens, attention }: ForwardRequest): Promise<ForwardResponse> {
    const { vocabSize } = this.config;
    const n = tokens.length;
    ensure(n > 0 && n <= this.#engine.maxRows, "context-overflow", `tokens: expected 1 to ${this.#engine.maxRows}, came ${n}`);
    const bad = tokens.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    ensure(bad === undefined, "bad-option", () => `tokens: expected ids from 0 to ${vocabSize - 1}, came ${bad}`);
    const block = typeof attention === "object" ? attention.block : 0;
    const known = attention === "causal" || attention === "full" || (Number.isInteger(block) && block > 0);
    ensure(known, "bad-option", () => `attention: expected causal, full or {block: N}, came ${JSON.stringify(attention)}`);
    const limitOf = (i: number): number =>
      attention === "causal" ? i + 1 : attention === "full" ? n : Math.min(n, (Math.floor(i / block) + 1) * block);
    const rows = tokens.map((_, i): Row => ({ place: i, position: i, slot: i, start: 0, limit: limitOf(i), goal: i }));
    const logits = await this.#exclusive(async () => {
      this.#engine.writeCanvas(0, tokens);
      return this.#engine.logits(rows);
    });
    const argmax = tokens.map((_, i) => {
      const row = logits.subarray(i * vocabSize, (i + 1) * vocabSize);
      let best = 0;
      for (let v = 1; v < vocabSize; v++) if ((row[v] as number) > (row[best] as number)) best = v;
      return best;
    });
    return { logits, shape: [n, vocabSize], argmax };
  }

  /**
   * How likely an answer is after a prompt, in nats: exact for an autoregressive model, an estimate for the others, see `Likelihood`. A text is taken as
   * it is, without special tokens: what ends an answer is part of it only where it is given as ids.
   * @throws `bad-option`, `context-overflow`, `no-tokenizer`
   */
  async likelihood(prompt: Prompt, answer: string | readonly number[], options: LikelihoodOptions = {}): Promise<Likelihood> {
    const { config, contextLength } = this.#sizes;
    const given = this.#idsOf(prompt);
    ensure(!given.includes(null), "bad-option", "likelihood: expected a prompt without holes");
    const ids = typeof answer === "string" ? this.#textTokenizer.encode(answer, { addSpecialTokens: false }) : answer;
    const needed = given.length + ids.length;
    ensure(needed <= contextLength, "context-overflow", () => overflow(given.length, ids.length, this.#sizes));
    const request = { config, suppress: suppressedIds(this.#sizes), prompt: given as readonly number[], answer: ids };
    return this.#exclusive(() => likelihood(this.#engine, request, options));
  }

  /** Replays a decoding trajectory in the format of the golden cases. */
  replay(trajectory: ReplayCase, signal?: AbortSignal): Promise<ReplayResult> {
    return this.#exclusive(() => replay(this.#engine, trajectory, signal));
  }

  /**
   * Profiles a generation: each kernel's time, FLOP and bytes against the calibrated roof. Without `calibration`, calibrates quickly first.
   * The generation is run three times, with equal options and seed.
   */
  async profile(prompt: Prompt, options: GenerateOptions & ProfileOptions = {}): Promise<Profile> {
    const { calibration, mode, timeline, ...rest } = options;
    const { rerun, ...run } = this.#measured(prompt, rest);
    const roof = calibration ?? (await this.#exclusive(() => calibrate(this.gpu, { quick: true })));
    return this.#exclusive(() => profileGeneration(this.#engine, rerun, roof, { ...run, mode, timeline }));
  }

  /**
   * Times the kernels of one forward of each phase of a generation in turns with a sentinel kernel, until their medians are known: costs that hold on a
   * machine that is busy or slow. Without `calibration`, calibrates quickly first.
   */
  async pairKernels(
    prompt: Prompt,
    options: GenerateOptions & PairedOptions & Pick<ProfileOptions, "calibration"> = {},
  ): Promise<PairedProfile> {
    const { calibration, precision, patienceMs, ...rest } = options;
    const { rerun, ...run } = this.#measured(prompt, rest);
    const roof = calibration ?? (await this.#exclusive(() => calibrate(this.gpu, { quick: true })));
    const { signal } = rest;
    return this.#exclusive(() => pairGeneration(this.#engine, rerun, roof, { ...run, precision, patienceMs, signal }));
  }

  /** A generation that is run to be measured, and what a profile must know of it. */
  #measured(prompt: Prompt, options: GenerateOptions): { rerun: Rerun; family: string; cached: boolean } {
    ensure(!this.#otherOf(options), "bad-option", "speculate: a profile is of one model; profile the two apart");
    this.#resolve(prompt, options);
    const { signal } = options;
    return {
      family: this.config.family,
      cached: options.cache === "prefix" || options.cache === "dual",
      rerun: (onForward) => generate(this.#engine, this.tokenizer, this.#resolve(prompt, options), { signal, onForward }),
    };
  }

  /** Frees everything the model has on the device. A second call does nothing. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#turns.last.catch(() => {});
    this.#engine.dispose();
    if (this.#ownsGpu) this.gpu.dispose();
  }

  #resolve(prompt: Prompt, options: GenerateOptions, room: Partial<ResolveContext> = {}) {
    this.#live();
    ensure(this.tokenizer || !options.stop?.length, "no-tokenizer", "stop: stop strings need a tokenizer; give stopIds");
    const other = this.#otherOf(options);
    return resolve(this.#idsOf(prompt), options, { ...this.#sizes, ...room, other: other ? other.#sizes : undefined });
  }

  get #sizes(): ResolveContext {
    const { config, tokenizer } = this;
    const usedVocabSize = tokenizer?.vocabSize ?? config.vocabSize;
    return { config, contextLength: this.info.contextLength, maxRows: this.#engine.maxRows, usedVocabSize };
  }

  /** The other model that a speculation names: another one, live, whose ids mean the same. */
  #otherOf({ speculate }: GenerateOptions): Model | null {
    const named = typeof speculate === "object" && speculate && "model" in speculate ? speculate.model : undefined;
    if (named === undefined) return null;
    ensure(named instanceof Model, "bad-option", "speculate: model: expected a loaded model; give what loadModel returned");
    ensure(
      named !== this,
      "bad-option",
      "speculate: model: expected another model than the one that answers; load it a second time",
    );
    named.#live();
    if (!this.#alike.has(named)) ensureSameVocabulary(this, named);
    this.#alike.add(named);
    return named;
  }

  #live(): void {
    ensure(!this.#disposed, "bad-option", "this model was disposed; load it again");
  }

  /** @throws `no-tokenizer`, or what is wrong with the model's */
  get #textTokenizer(): Tokenizer {
    if (this.tokenizer) return this.tokenizer;
    const { code, message } = this.#tokenizerFault ?? new RidgepointError("no-tokenizer", "the model came without one");
    throw new RidgepointError(code, `a text prompt needs a tokenizer: ${message}; give the prompt as ids`);
  }

  #idsOf(prompt: Prompt): PromptIds {
    if (typeof prompt === "object" && "ids" in prompt) return prompt.ids;
    if (typeof prompt === "object" && "canvas" in prompt) return prompt.canvas;
    const tokenizer = this.#textTokenizer;
    if (typeof prompt === "string" && !this.#promptIsChat) return tokenizer.encode(prompt);
    const messages: readonly ChatMessage[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
    return encodeChat(tokenizer, messages);
  }

  /** Waits for whatever runs on this model, then runs. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.last
      .catch(() => {})
      .then(() => {
        this.#live();
        return work();
      });
    this.#turns.last = turn;
    return turn;
  }

  /** Waits for whatever runs on these models, then runs. */
  async *#inTurn<T, R>(models: readonly Model[], start: () => AsyncGenerator<T, R, void>): AsyncGenerator<T, R, void> {
    const release = await takeTurns(models.map((model) => model.#turns));
    try {
      for (const model of models) model.#live();
      return yield* start();
    } finally {
      release();
    }
  }
}

/**
 * Loads a model: `builtin:ar`, `hf:org/repo/file.gguf`, a URL, files, or byte sources.
 * @throws see `loadEngine`; `no-webgpu` and `no-adapter` when it opens a device itself
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  const { builtinBase, signal } = options;
  checkTuning(options);
  const files = await resolveSource(source, { ...(builtinBase ? { builtinBase } : {}), ...(signal ? { signal } : {}) });
  const gpu = options.gpu ?? (await Gpu.open());
  try {
    if (options.tuning !== undefined) useTuning(gpu, options.tuning);
    let tuned: TuneReport | null = null;
    const loaded = await loadEngine(gpu, files, {
      ...options,
      async beforeCompile(parts) {
        tuned = await tuneModel(gpu, parts, options);
      },
    });
    return new Model(loaded, tokenizerOf(loaded), { gpu, ownsGpu: !options.gpu, tuned });
  } catch (cause) {
    if (!options.gpu) gpu.dispose();
    throw cause;
  }
}

/** A model without a usable tokenizer is still a model: it takes ids, and text is refused with what was wrong. */
function tokenizerOf({ checkpoint }: LoadedEngine): Tokenizer | RidgepointError {
  try {
    return createTokenizer(checkpoint);
  } catch (cause) {
    if (cause instanceof RidgepointError) return cause;
    throw cause;
  }
}
