/** Which options there are, for which family, and what each may be. Knows nothing of a prompt or of a model's sizes. */
import { ensure, RidgepointError } from "../errors";
import type { Family } from "../model/config";
import type { Metric } from "../model/pass";
import { checkConstraint } from "./constraint";
import { checkLogitOptions, LOGIT_OPTIONS } from "./logit-options";
import type { GenerateOptions, Preset, Remasking } from "./options";
import { policyNamed } from "./policies/index";
import { valuesOf } from "./policies/policy";
import type { ScheduleName } from "./schedule";
import { checkSpeculation } from "./speculative-options";

/** How the reference implementations differ: comparator of the threshold, distribution of the confidence, schedule. */
export interface PresetRules {
  readonly strict: boolean;
  readonly tempered: boolean;
  readonly schedule: ScheduleName;
}

/** LLaDA and Fast-dLLM: arXiv 2502.09992, 2505.22618; Fast-dLLM v2: 2509.26328; Dream, SDAR and dllm after their published code. */
export const PRESETS: Readonly<Record<Preset, PresetRules>> = {
  llada: { strict: false, tempered: false, schedule: "llada" },
  "fast-dllm": { strict: false, tempered: false, schedule: "llada" },
  "fast-dllm-v2": { strict: true, tempered: true, schedule: "llada" },
  dream: { strict: false, tempered: true, schedule: "dream" },
  sdar: { strict: true, tempered: true, schedule: "llada" },
  dllm: { strict: false, tempered: false, schedule: "dllm" },
};

/** What each way of remasking ranks by. */
export const METRICS: Readonly<Record<Remasking, Metric>> = {
  low_confidence: "confidence",
  entropy: "entropy",
  topk_margin: "margin",
  random: "random",
  sequential: "confidence",
};

const COMMON: readonly string[] = [
  ...LOGIT_OPTIONS,
  "temperature",
  "topK",
  "topP",
  "minP",
  "seed",
  "maxNewTokens",
  "genLength",
  "speculate",
  "stop",
  "stopIds",
  "ignoreEos",
  "trace",
  "signal",
];
const DIFFUSION = [
  "blockLength",
  "steps",
  "cache",
  "remasking",
  "threshold",
  "factor",
  "ebGamma",
  "preset",
  "policy",
  "earlyStop",
];
const MASKED = ["cfgScale", "refreshInterval", "cacheWindow", "cacheWarmup", "suffixWindow", "suffixDensity"];
const BLOCK = ["subBlockLength", "gridOffset", "commitLast", "fusedCommit"];
const KNOWN: Readonly<Record<Family, readonly string[]>> = {
  ar: [...COMMON, "constraint"],
  mdlm: [...COMMON, ...DIFFUSION, ...MASKED],
  block: [...COMMON, ...DIFFUSION, ...BLOCK],
};
const ALL = new Set([...KNOWN.ar, ...KNOWN.mdlm, ...KNOWN.block]);
/** Why an option cannot be had of the other families. */
const REASONS: Readonly<Record<string, string>> = {
  constraint: "a grammar is read from the left, and this model fills its places in any order",
};
/** Caches of a family; the first is its default. */
export const CACHES: Readonly<Record<Family, readonly string[]>> = {
  ar: [],
  mdlm: ["none", "prefix", "dual", "vicinity", "delayed", "frozen"],
  block: ["block", "sub-block"],
};

/** Below it, logits over temperature leave f32. */
const LEAST_TEMPERATURE = 1e-4;

const describe = (value: unknown): string => (typeof value === "string" ? `"${value}"` : String(value));

function refuse(name: string, expected: string, came: unknown): never {
  throw new RidgepointError("bad-option", `${name}: expected ${expected}, came ${describe(came)}`);
}

function checkInteger(name: string, value: number | undefined, least: number, most = 2 ** 32 - 1): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || value < least || value > most) refuse(name, `an integer from ${least} to ${most}`, value);
}

function checkRange(name: string, value: number | undefined, low: number, high: number, open: boolean): void {
  if (value === undefined) return;
  if (typeof value !== "number" || !(value >= low && value <= high) || (open && value === low)) {
    refuse(name, `a number ${open ? "above" : "from"} ${low} ${open ? "and up to" : "to"} ${high}`, value);
  }
}

/** Every name is known and applies to the family. */
function checkNames(options: GenerateOptions, family: Family): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || KNOWN[family].includes(name)) continue;
    if (!ALL.has(name)) refuse("options", `names among ${[...ALL].join(", ")}`, name);
    const reason = REASONS[name] ? `: ${REASONS[name]}` : "";
    throw new RidgepointError("bad-option", `${name}: does not apply to a model of family "${family}"${reason}; leave it out`);
  }
}

/** Every value is of its kind and range, and none excludes another. */
function checkValues(options: GenerateOptions): void {
  checkInteger("maxNewTokens", options.maxNewTokens, 1);
  if (options.genLength !== "auto") checkInteger("genLength", options.genLength, 1);
  checkInteger("blockLength", options.blockLength, 1);
  checkInteger("subBlockLength", options.subBlockLength, 1);
  checkInteger("steps", options.steps, 1);
  for (const name of ["refreshInterval", "cacheWindow", "cacheWarmup", "suffixWindow"] as const)
    checkInteger(name, options[name], 0);
  checkRange("suffixDensity", options.suffixDensity, 0, 1, false);
  if (options.gridOffset !== "prompt") checkInteger("gridOffset", options.gridOffset, 0);
  for (const name of ["commitLast", "fusedCommit", "earlyStop"] as const) {
    if (options[name] !== undefined && typeof options[name] !== "boolean") refuse(name, "true or false", options[name]);
  }
  checkInteger("topK", options.topK, 0);
  checkInteger("seed", options.seed, 0);
  checkRange("temperature", options.temperature, 0, 100, false);
  const { temperature = 0 } = options;
  const drawn = temperature === 0 || temperature >= LEAST_TEMPERATURE;
  ensure(drawn, "bad-option", () => `temperature: ${temperature} is too small to divide logits by in f32; give 0 for greedy`);
  checkLogitOptions(options);
  checkRange("topP", options.topP, 0, 1, true);
  checkRange("minP", options.minP, 0, 1, false);
  checkRange("threshold", options.threshold, 0, 1, true);
  checkRange("factor", options.factor, 0, 1e6, true);
  checkRange("ebGamma", options.ebGamma, 0, 1e6, false);
  checkRange("cfgScale", options.cfgScale, 0, 1e3, false);
  if (options.remasking !== undefined && !Object.hasOwn(METRICS, options.remasking)) {
    refuse("remasking", Object.keys(METRICS).join(", "), options.remasking);
  }
  if (options.preset !== undefined && !Object.hasOwn(PRESETS, options.preset))
    refuse("preset", Object.keys(PRESETS).join(", "), options.preset);
  const { stop } = options;
  if (stop !== undefined && !(Array.isArray(stop) && stop.every((text) => typeof text === "string" && text !== ""))) {
    refuse("stop", "a list of strings that are not empty", JSON.stringify(stop));
  }
  if (options.maxNewTokens !== undefined && options.genLength !== undefined && options.genLength !== "auto") {
    throw new RidgepointError("bad-option", "maxNewTokens and genLength are two names of one thing; give one of them");
  }
  checkRules(options);
  const sampled = (["topK", "topP", "minP"] as const).filter(
    (name) => (options[name] ?? (name === "topP" ? 1 : 0)) !== (name === "topP" ? 1 : 0),
  );
  ensure(
    sampled.length === 0 || (options.temperature ?? 0) > 0,
    "bad-option",
    () => `${sampled.join(", ")}: has no effect at temperature 0 (greedy); give a temperature above 0`,
  );
}

/** What decides how much a forward reveals, and by what it ranks, is said once. */
function checkRules(options: GenerateOptions): void {
  const { remasking = "low_confidence", threshold, factor, ebGamma, policy } = options;
  const rules = (["steps", "threshold", "factor", "ebGamma", "policy"] as const).filter((name) => options[name] !== undefined);
  const dynamic = rules.length === 2 && rules.includes("steps") && rules.includes("threshold");
  ensure(
    rules.length <= 1 || dynamic,
    "bad-option",
    () => `${rules.join(" and ")} exclude each other: each decides how much a forward reveals; give one`,
  );
  ensure(
    remasking === "low_confidence" || (threshold === undefined && factor === undefined),
    "bad-option",
    () => `remasking: threshold and factor test the confidence; expected low_confidence, came ${remasking}`,
  );
  ensure(
    remasking !== "sequential" || ebGamma === undefined,
    "bad-option",
    "remasking: an entropy bound needs a ranking; expected low_confidence, entropy, topk_margin or random, came sequential",
  );
  ensure(
    options.remasking === undefined || policy === undefined,
    "bad-option",
    () => `remasking: a policy has a ranking of its own; leave out remasking ${remasking}, or the policy`,
  );
  if (policy === undefined) return;
  const given: unknown = typeof policy === "string" ? { name: policy } : policy;
  if (typeof given !== "object" || given === null) refuse("policy", "a name, or an object with a name and numbers", given);
  const { name } = given as { readonly name?: unknown };
  valuesOf(policyNamed(name), given as Readonly<Record<string, unknown>>);
}

/**
 * Checks options as far as they can be checked without a prompt.
 * @throws `bad-option` naming the option, what was expected, what came
 */
export function checkOptions(options: GenerateOptions, family: Family): void {
  checkNames(options, family);
  checkValues(options);
  checkSpeculation(options, family);
  if (options.constraint === undefined) return;
  checkConstraint(options.constraint);
  ensure(
    options.speculate === undefined,
    "bad-option",
    "constraint: not together with speculate, whose drafts know nothing of it; leave one of them out",
  );
}
