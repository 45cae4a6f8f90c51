/** What `bench` measures, in llama-bench's names: prompt processing, token generation, and whole generations of diffusion models. */
import { ensure } from "../src/errors";
import { type Family, type GenerateOptions, median, type Spread, spread } from "../src/index";
import { describeError } from "./output";
import type { BatchAnswer, Room } from "./protocol";
import type { Session } from "./session";
import { type KnownModel, promptIds } from "./sweep-prompts";

/** One test on one model. */
export interface BenchTask {
  /** `pp512`: a prompt of 512 tokens; `tg128`: 128 tokens, one a forward; `dlm64x16`: a canvas of 64 in blocks of 16. `@ d40`: behind 40 tokens. */
  readonly name: string;
  readonly model: string;
  readonly batch: number;
  readonly kind: "prompt" | "tokens" | "canvas";
  readonly promptLength: number;
  /** Tokens a sequence that the rate counts. */
  readonly tokens: number;
  readonly options: GenerateOptions;
}

interface Sampled extends Spread {
  readonly samples: readonly number[];
}

/** `rows[]` of the document. */
export interface BenchRow {
  readonly name: string;
  readonly model: string;
  readonly batch: number;
  readonly status: "ok" | "out-of-memory" | "does-not-fit";
  readonly message?: string;
  /** Tokens of all sequences over the time. */
  readonly tokensPerSecond: Sampled | null;
  readonly ns: Sampled | null;
  readonly forwards: number | null;
  readonly dispatches: number | null;
  readonly submits: number | null;
  readonly readbacks: number | null;
  /** On the device while it ran: weights, caches, activations. */
  readonly allocatedBytes: number | null;
}

/** Axes of `bench`, and how diffusion models are decoded. */
export interface BenchSettings {
  readonly prompts: readonly number[];
  readonly tokens: readonly number[];
  readonly batches: readonly number[];
  readonly depths: readonly number[];
  /** Of diffusion models; absent: as many as `tokens` says. */
  readonly genLength?: number | undefined;
  readonly decoding: Pick<GenerateOptions, "blockLength" | "steps" | "cache" | "threshold">;
}

const BLOCK_LENGTH = 32;

const named = (name: string, depth: number): string => (depth > 0 ? `${name} @ d${depth}` : name);

/** A token that the first one can follow: there is no forward of nothing. */
const prefixOf = (depth: number): number => Math.max(1, depth);

type Draft = Omit<BenchTask, "model" | "batch">;

function autoregressiveTests({ prompts, tokens, depths }: BenchSettings): Draft[] {
  // The prefill makes the first token: a run of one token is prompt processing alone.
  const processing = prompts.map((length): Draft => {
    return { name: `pp${length}`, kind: "prompt", promptLength: length, tokens: length, options: { maxNewTokens: 1 } };
  });
  const generating = tokens.flatMap((count) =>
    depths.map((depth): Draft => {
      const options = { maxNewTokens: count + 1 };
      return { name: named(`tg${count}`, depth), kind: "tokens", promptLength: prefixOf(depth), tokens: count, options };
    }),
  );
  return [...processing, ...generating];
}

function diffusionTests(
  { tokens, depths, genLength, decoding }: BenchSettings,
  family: Family,
  ownBlock: number | null,
): Draft[] {
  const lengths = genLength === undefined ? tokens : [genLength];
  return lengths.flatMap((length) => {
    const blockLength = Math.min(length, decoding.blockLength ?? ownBlock ?? BLOCK_LENGTH);
    ensure(length % blockLength === 0, "bad-option", () => {
      return `--gen-length: expected a multiple of the block length ${blockLength}, got ${length}; give --block-length`;
    });
    const { cache, ...rest } = decoding;
    const options = { ...rest, genLength: length, blockLength, ...(cache !== undefined && family === "mdlm" && { cache }) };
    return depths.map((depth): Draft => {
      const name = named(`dlm${length}x${blockLength}`, depth);
      return { name, kind: "canvas", promptLength: prefixOf(depth), tokens: length, options };
    });
  });
}

/** The tests of a model, small batches first. */
export function planBench(name: string, { config }: KnownModel, settings: BenchSettings): BenchTask[] {
  const { family, blockLength } = config;
  const drafts = family === "ar" ? autoregressiveTests(settings) : diffusionTests(settings, family, blockLength);
  return settings.batches.flatMap((batch) =>
    drafts.map((draft) => ({ ...draft, model: name, batch, options: { ...draft.options, ignoreEos: true } })),
  );
}

/** Room that all tests of one batch size fit in. */
export function roomOf(tasks: readonly BenchTask[], { config }: KnownModel): Room {
  const needed = tasks.map(({ promptLength, tokens, options }) => promptLength + tokens + 2 + (options.blockLength ?? 0));
  const contextLength = Math.min(config.maxPositionEmbeddings, Math.max(...needed));
  const batch = tasks[0]?.batch ?? 1;
  return { contextLength, ...(batch > 1 && { sequences: batch }) };
}

async function runOnce(session: Session, known: KnownModel, { batch, promptLength, options }: BenchTask): Promise<BatchAnswer> {
  const prompts = Array.from({ length: batch }, (_, sequence) => ({ ids: promptIds(known, promptLength, sequence) }));
  if (batch > 1) return session.call("generateBatch", { prompts, options });
  const result = await session.call("generate", { prompt: { ids: promptIds(known, promptLength) }, options, stream: false });
  return { results: [result], wallNs: result.timings.wallNs };
}

/** ns that count: of token generation what comes after the prompt, of the others all. */
function countedNs({ kind }: BenchTask, { results, wallNs }: BatchAnswer): number {
  return kind === "tokens" ? Math.max(...results.map(({ timings }) => timings.decodeNs)) : wallNs;
}

const sampled = (samples: readonly number[]): Sampled => ({ ...spread(samples), samples });

const FAILED = {
  status: "does-not-fit",
  tokensPerSecond: null,
  ns: null,
  forwards: null,
  dispatches: null,
  submits: null,
  readbacks: null,
  allocatedBytes: null,
} as const;

/** A row of an error that a benchmark survives; rethrows any other. */
export function failedRow({ name, model, batch }: BenchTask, cause: unknown): BenchRow {
  const { code, message } = describeError(cause);
  if (code !== "context-overflow" && code !== "out-of-memory") throw cause;
  return { name, model, batch, ...FAILED, status: code === "out-of-memory" ? code : "does-not-fit", message };
}

/** Runs a test once to warm up and then so many times. */
export async function measureRow(session: Session, known: KnownModel, task: BenchTask, repetitions: number): Promise<BenchRow> {
  const { name, model, batch } = task;
  try {
    await runOnce(session, known, task);
    const runs: BatchAnswer[] = [];
    for (let i = 0; i < repetitions; i++) runs.push(await runOnce(session, known, task));
    const { results } = runs[0] as BatchAnswer;
    const most = (pick: (result: BatchAnswer["results"][number]) => number): number => Math.max(...results.map(pick));
    const ns = runs.map((run) => countedNs(task, run));
    ensure(median(ns) > 0, "bad-option", () => `${name}: took less than the clock can see; give more tokens`);
    return {
      name,
      model,
      batch,
      status: "ok",
      tokensPerSecond: sampled(ns.map((time) => (batch * task.tokens * 1e9) / time)),
      ns: sampled(ns),
      forwards: most(({ forwards }) => forwards),
      dispatches: most(({ dispatches }) => dispatches),
      submits: most(({ submits }) => submits),
      readbacks: most(({ readbacks }) => readbacks),
      allocatedBytes: await session.call("allocatedBytes"),
    };
  } catch (cause) {
    return failedRow(task, cause);
  }
}
