/** Every way of decoding that the accuracy tables compare, each once, and the tables as lists of them. Runs nothing. */
import type { GenerateOptions } from "../src/index";

/** The embedded models. */
export const FAMILIES = ["ar", "mdlm", "block"] as const;
export type ModelName = (typeof FAMILIES)[number];

/** Weights of the embedded models as they ship. */
export const SHIPPED_WEIGHTS = "q8_0";

export type DatasetName = "problems" | "stories";

/** One model, decoded one way, on one dataset. */
export interface Setting {
  readonly model: ModelName;
  readonly weights: string;
  readonly dataset: DatasetName;
  /** What is special about the decoding, for people: `threshold 0.9`. */
  readonly decoding: string;
  readonly options: GenerateOptions;
}

/** Lines of a table. The same setting may stand in several. */
export interface Table {
  readonly title: string;
  /** One sentence about what varies. */
  readonly about: string;
  readonly settings: readonly Setting[];
}

/** Tokens of every answer (L). */
export const LENGTH = 64;
const BLOCK = 16;
const PER_STEP = [1, 2, 4, 8, 16] as const;
const THRESHOLDS = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95] as const;
/** The threshold of comparisons that have one only. */
const THRESHOLD = 0.9;
/** Masked diffusion recomputes everything where nothing else is said: the cached passes approximate. */
const UNCACHED = "none";

type Where = Partial<Pick<Setting, "weights" | "dataset">>;

const setting = (model: ModelName, decoding: string, options: GenerateOptions, where: Where): Setting => ({
  model,
  weights: where.weights ?? SHIPPED_WEIGHTS,
  dataset: where.dataset ?? "problems",
  decoding,
  options,
});

const greedy = (where: Where = {}): Setting => setting("ar", "greedy", { maxNewTokens: LENGTH }, where);

const canvas = (model: ModelName, cache: GenerateOptions["cache"] = UNCACHED): GenerateOptions =>
  model === "mdlm" ? { genLength: LENGTH, blockLength: BLOCK, cache } : { genLength: LENGTH, blockLength: BLOCK };

const stepName = (perStep: number): string => (perStep === 1 ? "T = L, 1 a step" : `T = L/${perStep}, ${perStep} a step`);

function steps(model: ModelName, perStep: number, where: Where = {}): Setting {
  return setting(model, stepName(perStep), { ...canvas(model), steps: LENGTH / perStep }, where);
}

function threshold(model: ModelName, value: number, where: Where = {}): Setting {
  return setting(model, `threshold ${value}`, { ...canvas(model), threshold: value }, where);
}

const allSteps = (model: ModelName, where: Where = {}): Setting[] => PER_STEP.map((perStep) => steps(model, perStep, where));
const allThresholds = (model: ModelName, where: Where = {}): Setting[] =>
  THRESHOLDS.map((value) => threshold(model, value, where));

/** Cache none, prefix and dual, one token a step and by threshold. */
function caches(): Setting[] {
  return (["none", "prefix", "dual"] as const).flatMap((cache) => [
    setting("mdlm", `${stepName(1)}, cache ${cache}`, { ...canvas("mdlm", cache), steps: LENGTH }, {}),
    setting("mdlm", `threshold ${THRESHOLD}, cache ${cache}`, { ...canvas("mdlm", cache), threshold: THRESHOLD }, {}),
  ]);
}

/** Lines of the figures: accuracy against tokens a forward. */
export interface Curve {
  readonly name: string;
  readonly settings: readonly Setting[];
}

/** The curves of a dataset. */
export const curvesOf = (dataset: DatasetName): Curve[] => [
  { name: "autoregressive, greedy", settings: [greedy({ dataset })] },
  { name: "masked diffusion, fixed steps", settings: allSteps("mdlm", { dataset }) },
  { name: "masked diffusion, thresholds", settings: allThresholds("mdlm", { dataset }) },
  { name: "block diffusion, fixed steps", settings: allSteps("block", { dataset }) },
  { name: "block diffusion, thresholds", settings: allThresholds("block", { dataset }) },
];

/** All tables. @param weights names of further weights beside those that ship, each with its own lines */
export function tables(weights: readonly string[]): Table[] {
  const kinds = [SHIPPED_WEIGHTS, ...weights];
  return [
    {
      title: "Three families",
      about: "One token a forward, and by threshold.",
      settings: [greedy(), steps("mdlm", 1), threshold("mdlm", THRESHOLD), steps("block", 1), threshold("block", THRESHOLD)],
    },
    { title: "Masked diffusion: steps", about: `A fixed number of tokens a step, L = ${LENGTH}.`, settings: allSteps("mdlm") },
    {
      title: "Masked diffusion: threshold",
      about: "Every token of at least this confidence, at least one a forward.",
      settings: allThresholds("mdlm"),
    },
    {
      title: "Masked diffusion: cache",
      about: `Prefix and dual cache keep what a block's first forward computed, and approximate; blocks of ${BLOCK}.`,
      settings: caches(),
    },
    {
      title: "Block diffusion: steps",
      about: `A fixed number of tokens a step in blocks of ${BLOCK}, whose cache is exact. Forwards count the passes that keep a block.`,
      settings: allSteps("block"),
    },
    {
      title: "Block diffusion: threshold",
      about: "Every token of at least this confidence, at least one a forward.",
      settings: allThresholds("block"),
    },
    {
      title: "Weights",
      about: "The same checkpoint packed with other types (`training/pack.py --type`).",
      settings: kinds.flatMap((kind) => [
        greedy({ weights: kind }),
        threshold("mdlm", THRESHOLD, { weights: kind }),
        threshold("block", THRESHOLD, { weights: kind }),
      ]),
    },
    {
      title: "Stories",
      about: "Share of story prompts answered with a story that is grammatical and consistent to the letter.",
      settings: [
        greedy({ dataset: "stories" }),
        ...(["mdlm", "block"] as const).flatMap((model) => [
          ...allSteps(model, { dataset: "stories" }),
          ...allThresholds(model, { dataset: "stories" }),
        ]),
      ],
    },
  ];
}

/** What tells settings apart, fit for a file name: two that decode the same way are one, whatever they are called. */
export function keyOf({ model, weights, dataset, options }: Setting): string {
  const { blockLength, genLength, maxNewTokens, ...rest } = options;
  const decoding = Object.entries(rest).map(([name, value]) => `${name}-${value}`);
  return [model, weights, dataset, ...decoding].join("_");
}

/** Every setting of the tables once, those of one model and its weights after each other. */
export function distinctSettings(all: readonly Table[]): Setting[] {
  const byKey = new Map(all.flatMap(({ settings }) => settings).map((one) => [keyOf(one), one]));
  const rank = ({ model, weights }: Setting): string =>
    `${FAMILIES.indexOf(model)} ${weights === SHIPPED_WEIGHTS ? "" : weights}`;
  return [...byKey.values()].toSorted((a, b) => rank(a).localeCompare(rank(b)));
}
