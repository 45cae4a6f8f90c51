/** Options that commands share, and their values out of text. A wrong value is `bad-option`; commander finds unknown ones. */
import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { type GenerateOptions, POLICY_NAMES, RidgepointError } from "../src/index";
import type { AdapterChoice } from "./chromium.mjs";
import { checkEndpoints } from "./endpoints";
import type { SessionOptions } from "./session";

/** Options of commands that start a browser, as commander gives them. */
export interface CommonFlags {
  readonly browser?: string;
  readonly adapter: AdapterChoice;
  readonly headed?: boolean;
  readonly connect?: string;
  readonly cdp?: string;
  readonly port?: string;
  readonly timeout: string;
  readonly json?: boolean;
}

/** Adds the options of commands that start a browser. */
export function withBrowserOptions(command: Command): Command {
  return command
    .option("--browser <path|chromium|chrome>", "the browser to start (default: the first one found)")
    .addOption(
      new Option("--adapter <name>", "WebGPU adapter; without one, SwiftShader is taken and said so")
        .choices(["default", "swiftshader", "lavapipe"])
        .default("default"),
    )
    .option("--headed", "show the browser")
    .option("--connect <ws>", "use the browser of a Playwright server")
    .option("--cdp <url>", "use a running browser through its DevTools address")
    .option("--port <n>", "port of this machine that the page is served on (default: a free one), to be forwarded to a phone")
    .option("--timeout <s>", "longest time of one call into the page", "600")
    .option("--json", "print one JSON document on stdout");
}

/** The session a command's flags ask for. `several`: the command takes more than one running browser, separated by commas. */
export function sessionOptions(flags: CommonFlags, { several = false } = {}): SessionOptions {
  const timeout = parseNumber("--timeout", flags.timeout);
  if (timeout <= 0) throw new RidgepointError("bad-option", `--timeout: expected seconds above 0, got ${flags.timeout}`);
  const other = flags.connect !== undefined ? "--connect" : flags.cdp !== undefined ? "--cdp" : undefined;
  if (other && flags.adapter !== "default")
    throw new RidgepointError(
      "bad-option",
      `--adapter ${flags.adapter}: a browser that runs already keeps its own; leave it out beside ${other}`,
    );
  checkEndpoints(flags);
  if (!several && `${flags.connect ?? ""}${flags.cdp ?? ""}`.includes(",")) {
    throw new RidgepointError("bad-option", `${other}: expected one address; only sweep takes several`);
  }
  const { port, ...rest } = flags;
  return { ...rest, timeout, ...(port !== undefined && { port: parseCount("--port", port) }) };
}

/** A number. */
export function parseNumber(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    throw new RidgepointError("bad-option", `${flag}: expected a number, got "${text}"`);
  }
  return value;
}

/** A whole number from 1 on. */
export function parseCount(flag: string, text: string): number {
  const value = parseNumber(flag, text);
  if (!Number.isInteger(value) || value < 1) {
    throw new RidgepointError("bad-option", `${flag}: expected a whole number from 1 on, got "${text}"`);
  }
  return value;
}

/** Token ids separated by commas. */
export function parseIds(flag: string, text: string): number[] {
  return text.split(",").map((part) => parseId(flag, part));
}

function parseId(flag: string, text: string): number {
  if (!/^\s*\d+\s*$/.test(text)) {
    throw new RidgepointError("bad-option", `${flag}: expected token ids separated by commas, got "${text}"`);
  }
  return Number(text);
}

/** Token ids separated by commas; `_` is a place to be filled. */
export function parseCanvas(flag: string, text: string): (number | null)[] {
  return text.split(",").map((part) => (part.trim() === "_" ? null : parseId(flag, part)));
}

/** `causal`, `full` or `block:N`. */
export function parseAttention(text: string): "causal" | "full" | { block: number } {
  if (text === "causal" || text === "full") return text;
  const block = Number(/^block:(\d+)$/.exec(text)?.[1]);
  if (!(block > 0)) throw new RidgepointError("bad-option", `--attention: expected causal, full or block:N, got "${text}"`);
  return { block };
}

/** Decoding options as numbers, by flag and key of {@link GenerateOptions}. */
const NUMBERS = [
  ["--max-new-tokens", "maxNewTokens", "most new tokens (autoregressive)"],
  ["--gen-length", "genLength", "length of the masked canvas (diffusion); auto: it grows by blocks until the text ends"],
  ["--block-length", "blockLength", "positions decoded together"],
  ["--sub-block-length", "subBlockLength", "positions of a sub-block (Fast-dLLM v2)"],
  ["--steps", "steps", "forwards of a fixed schedule"],
  ["--threshold", "threshold", "reveal every position of at least this confidence"],
  ["--factor", "factor", "factor rule of parallel decoding"],
  ["--eb-gamma", "ebGamma", "entropy bound, nats"],
  ["--cfg-scale", "cfgScale", "classifier-free guidance"],
  ["--refresh-interval", "refreshInterval", "caches: every so many passes are full again"],
  ["--cache-window", "cacheWindow", "cache vicinity: positions on either side of the block"],
  ["--cache-warmup", "cacheWarmup", "caches vicinity, delayed: full passes at the start"],
  ["--suffix-window", "suffixWindow", "masks after the block that are there at all (DPad)"],
  ["--suffix-density", "suffixDensity", "chance of a mask behind them to be kept"],
  ["--temperature", "temperature", "0 is greedy"],
  ["--top-k", "topK", "0 is off"],
  ["--top-p", "topP", "1 is off"],
  ["--min-p", "minP", "0 is off"],
  ["--seed", "seed", "of the sampling"],
  ["--repetition-penalty", "repetitionPenalty", "above 1: tokens that are there already become less likely"],
  ["--presence-penalty", "presencePenalty", "taken off the logit of every token of the answer"],
  ["--frequency-penalty", "frequencyPenalty", "taken off for each time that it stands there"],
] as const;

/** Decoding options as words; the engine knows which words there are. */
const WORDS = [
  ["--cache", "cache", "none, prefix, dual, vicinity, delayed or frozen; block or sub-block"],
  ["--remasking", "remasking", "low_confidence, random, entropy, topk_margin or sequential"],
  ["--preset", "preset", "llada, fast-dllm, fast-dllm-v2, dream, sdar or dllm"],
] as const;

/** Decoding options that are on or left out. */
const FLAGS = [
  ["--commit-last", "commitLast", "block diffusion: compute the clean keys and values of the last block too"],
  ["--fused-commit", "fusedCommit", "block diffusion: clean rows go along with the next block's first pass"],
  ["--ignore-eos", "ignoreEos", "go on after the end of text"],
] as const;

/** Adds every decoding option. */
export function withDecodingOptions(command: Command): Command {
  for (const [flag, , help] of NUMBERS) command.option(`${flag} <n>`, help);
  for (const [flag, , help] of WORDS) command.option(`${flag} <name>`, help);
  for (const [flag, , help] of FLAGS) command.option(flag, help);
  return command
    .option("--no-early-stop", "diffusion: fill the canvas although the answer has ended")
    .option(
      "--grid-offset <n|prompt>",
      "block diffusion: blocks lie on (position + n) / block length, or start at the prompt's end",
    )
    .option(
      "--speculate <kind[:key=value,...]>",
      "guess tokens and check them: prompt-lookup, self; with --draft-model (generate): draft, guide",
    )
    .option("--logit-bias <id=value,...>", "added to the logits of token ids")
    .option("--json-schema <file>", "autoregressive: the answer is a JSON document that fits the schema in the file")
    .option("--regex <pattern>", "autoregressive: the answer matches the regular expression")
    .option("--grammar <file>", "autoregressive: the answer is a word of the EBNF grammar in the file, whose first rule is root")
    .option("--policy <name[:key=value,...]>", `decoding policy: ${POLICY_NAMES.join(", ")}`)
    .option("--stop <text>", "stop string; may be given again", (text, before: string[] = []) => [...before, text]);
}

/** `ID=NUMBER,ID=NUMBER`. */
export function parseLogitBias(text: string): Record<number, number> {
  const flag = "--logit-bias";
  const pairs = text.split(",").map((pair) => pair.split("="));
  if (pairs.some((pair) => pair.length !== 2))
    throw new RidgepointError("bad-option", `${flag}: expected ID=NUMBER,ID=NUMBER, got "${text}"`);
  const bias = new Map(pairs.map(([id = "", value = ""]) => [parseId(flag, id), parseNumber(`${flag} ${id.trim()}`, value)]));
  if (bias.size < pairs.length) throw new RidgepointError("bad-option", `${flag}: an id is named twice in "${text}"`);
  return Object.fromEntries(bias);
}

/** What the answer must be: at most one of the three flags. */
function constraintOf({ jsonSchema, regex, grammar }: Readonly<Record<string, unknown>>): GenerateOptions["constraint"] {
  const given = [
    ...(jsonSchema === undefined ? [] : [{ jsonSchema: readText("--json-schema", String(jsonSchema)) }]),
    ...(regex === undefined ? [] : [{ regex: String(regex) }]),
    ...(grammar === undefined ? [] : [{ grammar: readText("--grammar", String(grammar)) }]),
  ];
  if (given.length > 1) throw new RidgepointError("bad-option", "expected one of --json-schema, --regex, --grammar; got several");
  return given[0];
}

function readText(flag: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new RidgepointError("bad-option", `${flag}: ${(cause as Error).message}`, { cause });
  }
}

/** A policy's name, and its numbers after a colon: `hierarchical:threshold=0.9,low=0.3`. */
export function parsePolicy(text: string): { name: string } & Record<string, number | string> {
  return parseNamed("--policy", "name", text) as { name: string };
}

/** A kind of speculation, and its numbers after a colon: `draft:tokens=6,forwards=2`. */
export function parseSpeculate(text: string): { kind: string } & Record<string, number | string> {
  return parseNamed("--speculate", "kind", text) as { kind: string };
}

/** `NAME` or `NAME:KEY=NUMBER,KEY=NUMBER`, the name under a key of its own. */
function parseNamed(flag: string, named: string, text: string): Record<string, number | string> {
  const [name = "", numbers, ...rest] = text.split(":");
  const pairs = numbers === undefined ? [] : numbers.split(",").map((pair) => pair.split("="));
  if (rest.length > 0 || pairs.some((pair) => pair.length !== 2 || pair[0]?.trim() === "" || pair[0]?.trim() === named)) {
    throw new RidgepointError("bad-option", `${flag}: expected NAME or NAME:KEY=NUMBER,KEY=NUMBER, got "${text}"`);
  }
  const values = pairs.map(([key = "", value = ""]) => [key.trim(), parseNumber(`${flag} ${key.trim()}`, value)]);
  return { ...Object.fromEntries(values), [named]: name.trim() };
}

/** The engine's options of a command's flags: what was given, and nothing else. */
export function decodingOptions(flags: Readonly<Record<string, unknown>>): GenerateOptions {
  const options: Record<string, unknown> = {};
  for (const [flag, key] of NUMBERS) {
    const auto = key === "genLength" && flags[key] === "auto";
    if (flags[key] !== undefined) options[key] = auto ? "auto" : parseNumber(flag, String(flags[key]));
  }
  for (const [, key] of WORDS) if (flags[key] !== undefined) options[key] = flags[key];
  if (flags.stop !== undefined) options.stop = flags.stop;
  for (const [, key] of FLAGS) if (flags[key]) options[key] = true;
  if (flags.earlyStop === false) options.earlyStop = false;
  if (flags.gridOffset !== undefined) {
    options.gridOffset = flags.gridOffset === "prompt" ? "prompt" : parseNumber("--grid-offset", String(flags.gridOffset));
  }
  if (flags.speculate !== undefined) options.speculate = parseSpeculate(String(flags.speculate));
  if (flags.policy !== undefined) options.policy = parsePolicy(String(flags.policy));
  if (flags.logitBias !== undefined) options.logitBias = parseLogitBias(String(flags.logitBias));
  const constraint = constraintOf(flags);
  if (constraint) options.constraint = constraint;
  return options;
}
