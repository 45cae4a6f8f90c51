/** A sweep: one axis, every model and way of decoding, as a list of tasks that is the same wherever it is made. It runs nothing. */
import type { GenerateOptions } from "../decode/options";
import { ensure } from "../errors";
import type { Family } from "../model/config";
import type { Interval } from "./statistics";
import type { Calibration, Spread } from "./types";

export const SWEEPS = ["length", "block", "batch", "steps", "threshold"] as const;
export type SweepName = (typeof SWEEPS)[number];

/** What of a model a plan depends on. */
export interface SweepModel {
  readonly name: string;
  readonly family: Family;
  readonly blockLength: number | null;
}

export interface SweepSettings {
  /** Values of the axis; for `steps`, divisors of the generated length. */
  readonly values: readonly number[];
  /** Tokens of the prompts; not used by sweeps that answer a dataset. */
  readonly promptLengths: readonly number[];
  /** Not used by `length`, whose axis it is. */
  readonly genLength: number;
  /** In place of the model's own; not used by `block`. */
  readonly blockLength?: number | undefined;
  /** In place of the ways a masked diffusion model is decoded by default. */
  readonly cache?: "none" | "prefix" | "dual" | undefined;
  /** In place of fixed schedules; not used by `steps` and `threshold`. */
  readonly threshold?: number | undefined;
}

/** One point to be measured. */
export interface SweepTask {
  /** Place in the plan, and the same as text: equal keys are equal work. */
  readonly index: number;
  readonly key: string;
  readonly sweep: SweepName;
  readonly model: string;
  readonly family: Family;
  /** How the decoding is called. */
  readonly decoding: string;
  /** Value on the axis: L_g, G, B, T or the threshold. */
  readonly axis: number;
  /** Tokens; null: the prompts are a dataset's. */
  readonly promptLength: number | null;
  readonly batch: number;
  readonly options: GenerateOptions;
}

export type SweepStatus = "ok" | "out-of-memory" | "timeout" | "does-not-fit" | "lost";

/** What was measured at a point. */
export interface SweepResult {
  /** Of one generation, or batch; over all problems of a dataset the sum. */
  readonly wallNs: Spread;
  readonly samples: readonly number[];
  readonly ttftNs: number | null;
  readonly tokens: number;
  readonly tokensPerSecond: Spread;
  readonly forwards: number;
  readonly tokensPerForward: number;
  readonly rowsPerForward: number;
  readonly flopsPerToken: number;
  readonly bytesPerToken: number | null;
  readonly arithmeticIntensity: number | null;
  readonly dispatches: number | null;
  readonly submits: number | null;
  readonly readbacks: number | null;
  /** What the device's roofs allow; null where bytes were not counted. */
  readonly predictedTokensPerSecond: number | null;
  /** Hash of the ids that came out: equal work gives equal digests. */
  readonly digest: string;
  /** Share of right answers, on a dataset. */
  readonly accuracy?: number;
  readonly confidence95?: Interval;
  readonly problems?: number;
}

/** A task and what came of it. */
export interface SweepPoint extends SweepTask {
  readonly status: SweepStatus;
  /** Why there is no result. */
  readonly message?: string;
  readonly result: SweepResult | null;
}

/** The document of `ridgepoint sweep`. */
export interface SweepDocument {
  readonly schema: string;
  readonly command: "sweep";
  readonly sweep: SweepName;
  readonly settings: SweepSettings;
  readonly models: readonly (SweepModel & { readonly weights: string | null })[];
  /** As the command line describes it. */
  readonly device: Calibration["device"] & { readonly browser?: string };
  readonly calibration: Calibration;
  readonly date?: string;
  readonly commandLine?: string;
  readonly dataset?: { readonly path: string; readonly limit: number };
  readonly shard: { readonly index: number; readonly of: number };
  /** Tasks of the whole sweep, all shards together. */
  readonly planned: number;
  readonly points: readonly SweepPoint[];
}

/** Block length where neither model nor settings name one, as in the papers. */
const BLOCK_LENGTH = 32;
const THRESHOLD = 0.9;

interface Way {
  readonly name: string;
  readonly options: GenerateOptions;
}

const blockOf = ({ blockLength }: SweepModel, settings: SweepSettings): number =>
  settings.blockLength ?? blockLength ?? BLOCK_LENGTH;

const cacheName = (cache: string): string => (cache === "none" ? "no cache" : `${cache} cache`);

/** A masked diffusion model's ways over blocks of G: one token a forward with and without its cache, and in parallel. */
function maskedWays(genLength: number, blockLength: number, { cache, threshold }: SweepSettings, uncachedBlock: number): Way[] {
  const way = (kept: "none" | "prefix" | "dual", bound?: number): Way => ({
    name: bound === undefined ? cacheName(kept) : `${cacheName(kept)}, threshold ${bound}`,
    options: {
      genLength,
      blockLength: kept === "none" ? uncachedBlock : blockLength,
      cache: kept,
      ...(bound === undefined ? { steps: genLength } : { threshold: bound }),
    },
  });
  if (cache !== undefined || threshold !== undefined) return [way(cache ?? "none", threshold)];
  return [way("none"), way("dual"), way("dual", THRESHOLD)];
}

function blockWays(genLength: number, blockLength: number, { threshold }: SweepSettings): Way[] {
  const fixed: Way = { name: "exact cache", options: { genLength, blockLength, steps: genLength } };
  const bounded = (bound: number): Way => ({
    name: `exact cache, threshold ${bound}`,
    options: { genLength, blockLength, threshold: bound },
  });
  return threshold === undefined ? [fixed, bounded(THRESHOLD)] : [bounded(threshold)];
}

/** Ways of a family at a generated length, in blocks of a length; `uncachedBlock` is that of a canvas without a cache. */
function waysOf(
  model: SweepModel,
  genLength: number,
  blockLength: number,
  settings: SweepSettings,
  uncachedBlock = blockLength,
): Way[] {
  if (model.family === "ar") return [{ name: "greedy", options: { maxNewTokens: genLength } }];
  if (model.family === "block") return blockWays(genLength, blockLength, settings);
  return maskedWays(genLength, blockLength, settings, uncachedBlock);
}

type Draft = Pick<SweepTask, "decoding" | "axis" | "batch" | "options">;

const draft = (axis: number, { name, options }: Way, batch = 1): Draft => ({ decoding: name, axis, batch, options });

const divides = (total: number, part: number): boolean => Number.isInteger(total / part);

const DRAFTS: Readonly<Record<SweepName, (model: SweepModel, settings: SweepSettings) => Draft[]>> = {
  length: (model, settings) =>
    settings.values.flatMap((genLength) => {
      const blockLength = Math.min(genLength, blockOf(model, settings));
      // Without a cache the canvas is one block, as in the papers.
      return divides(genLength, blockLength)
        ? waysOf(model, genLength, blockLength, settings, genLength).map((way) => draft(genLength, way))
        : [];
    }),
  block: (model, settings) => {
    const sizes = settings.values.filter((size) => size <= settings.genLength && divides(settings.genLength, size));
    return model.family === "ar"
      ? []
      : sizes.flatMap((size) => waysOf(model, settings.genLength, size, settings).map((way) => draft(size, way)));
  },
  batch: (model, settings) =>
    settings.values.flatMap((batch) =>
      waysOf(model, settings.genLength, blockOf(model, settings), settings).map((way) => draft(batch, way, batch)),
    ),
  steps: (model, settings) => {
    const { genLength, values, cache = "none" } = settings;
    if (model.family === "ar") return [draft(genLength, { name: "greedy", options: { maxNewTokens: genLength } })];
    const blockLength = blockOf(model, settings);
    const name = model.family === "mdlm" ? cacheName(cache) : "exact cache";
    const kept: GenerateOptions = model.family === "mdlm" ? { cache } : {};
    // A block takes at least one forward.
    const steps = values
      .map((divisor) => genLength / divisor)
      .filter((count) => Number.isInteger(count) && divides(count, genLength / blockLength));
    return steps.map((count) => draft(count, { name, options: { genLength, blockLength, steps: count, ...kept } }));
  },
  threshold: (model, settings) => {
    const { genLength, values, cache = "dual" } = settings;
    if (model.family === "ar") return [];
    const blockLength = blockOf(model, settings);
    const name = model.family === "mdlm" ? cacheName(cache) : "exact cache";
    const kept: GenerateOptions = model.family === "mdlm" ? { cache } : {};
    return values.map((threshold) => draft(threshold, { name, options: { genLength, blockLength, threshold, ...kept } }));
  },
};

/** Whether a sweep answers a dataset. */
export const hasDataset = (sweep: SweepName): boolean => sweep === "steps" || sweep === "threshold";

/** Axis values of a sweep where none are given, and its generated length; `quick` is what a few minutes allow. */
export function defaultSettings(sweep: SweepName, quick: boolean): Pick<SweepSettings, "values" | "genLength"> {
  const full = {
    length: { values: [64, 128, 256, 512, 1024, 2048], genLength: 0 },
    block: { values: [4, 8, 16, 32, 64, 128], genLength: 128 },
    batch: { values: [1, 2, 4, 8, 16, 32, 64], genLength: 64 },
    steps: { values: [1, 2, 4, 8, 16, 32], genLength: 64 },
    threshold: { values: [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99], genLength: 64 },
  };
  const fast = {
    length: { values: [16, 32, 64], genLength: 0 },
    block: { values: [4, 16, 32], genLength: 32 },
    batch: { values: [1, 2, 4], genLength: 16 },
    steps: { values: [1, 4, 16], genLength: 64 },
    threshold: { values: [0.5, 0.9], genLength: 64 },
  };
  return (quick ? fast : full)[sweep];
}

/**
 * The tasks of a sweep, in the order that they are measured. Timed runs go past the end of text, so that every point makes as many tokens as it says.
 * @throws RidgepointError `bad-option`: no point is left, because no value divides as it must
 */
export function planSweep(sweep: SweepName, models: readonly SweepModel[], settings: SweepSettings): SweepTask[] {
  const prompts = hasDataset(sweep) ? [null] : settings.promptLengths;
  const tasks = models.flatMap((model) =>
    prompts.flatMap((promptLength) =>
      DRAFTS[sweep](model, settings).map(({ options, ...rest }) => {
        const all: GenerateOptions = promptLength === null ? options : { ...options, ignoreEos: true };
        const { name, family } = model;
        return { sweep, model: name, family, promptLength, ...rest, options: all };
      }),
    ),
  );
  ensure(
    tasks.length > 0,
    "bad-option",
    () =>
      `sweep ${sweep}: no point fits values ${settings.values.join(", ")} and a generated length of ${settings.genLength}; blocks must divide it`,
  );
  return tasks.map((task, index) => ({ index, key: keyOf(task), ...task }));
}

const keyOf = ({ model, decoding, promptLength, axis }: Omit<SweepTask, "index" | "key">): string =>
  [model, decoding, promptLength === null ? "dataset" : `prompt ${promptLength}`, axis].join(" | ");

/** Tasks of shard `index` of `of`, from 1: every `of`-th, so that each shard has small and large ones. */
export function shardOf(
  tasks: readonly SweepTask[],
  { index, of }: { readonly index: number; readonly of: number },
): SweepTask[] {
  return tasks.filter((task) => task.index % of === index - 1);
}
