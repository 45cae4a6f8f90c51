/** `sweep`: the efficiency papers' experiments, one axis each, on whatever device opens the page. */
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Argument, type Command, Option } from "commander";
import { ensure, RidgepointError } from "../../src/errors";
import {
  type Calibration,
  defaultSettings,
  hasDataset,
  planSweep,
  SWEEPS,
  type SweepDocument,
  type SweepName,
  type SweepPoint,
  type SweepSettings,
  shardOf,
  sweepCsv,
  sweepFigures,
} from "../../src/index";
import { deviceCard } from "../device-card";
import { endpointsOf } from "../endpoints";
import { type Problem, readDataset } from "../evaluation-dataset";
import { hashModel } from "../evaluation-records";
import { formatFlops, formatNs, formatNumber, formatPercent } from "../format";
import { MODELS, type ModelSpec, parseModel } from "../models";
import { type CommonFlags, parseCount, parseNumber, sessionOptions, withBrowserOptions } from "../options";
import { print, printDocument, SCHEMA, say } from "../output";
import type { DeviceDocument } from "../session";
import { runOverEndpoints } from "../sweep-endpoints";
import { type KnownModel, knowModel } from "../sweep-prompts";
import { appendPoint, beginSweep, checkSame, openSweep, type SweepHeader } from "../sweep-records";
import { formatTable } from "../table";

interface SweepFlags extends CommonFlags {
  readonly models: string;
  readonly values?: string;
  readonly promptLengths?: string;
  readonly genLength?: string;
  readonly blockLength?: string;
  readonly cache?: "none" | "prefix" | "dual";
  readonly threshold?: string;
  readonly dataset: string;
  readonly limit?: string;
  readonly repetitions?: string;
  readonly shard: string;
  readonly quick?: boolean;
  readonly resume?: boolean;
  readonly out: string;
}

/** The papers' prompts: a question alone, and behind five examples. */
const PROMPT_LENGTHS = [40, 920];
const REPETITIONS = 3;
/** Problems a point, where `--limit` is not given. */
const PROBLEMS = { full: 50, quick: 5 };

const list = (flag: string, text: string): number[] => text.split(",").map((part) => parseNumber(flag, part));

function parseShard(text: string): { index: number; of: number } {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (index === undefined || of === undefined || index < 1 || index > of) {
    throw new RidgepointError("bad-option", `--shard: expected i/n with i from 1 to n, got "${text}"`);
  }
  return { index, of };
}

/** A model given on the command line, and what is known of it before a browser starts. */
interface Candidate {
  readonly name: string;
  readonly spec: ModelSpec;
  readonly known: KnownModel;
  readonly weights: string | null;
}

async function candidateOf(name: string): Promise<Candidate> {
  const spec = await parseModel(name);
  return { name, spec, known: await knowModel(spec), weights: await hashModel(spec) };
}

/** Without a choice the papers' two lengths, the long one at most half of the shortest context. */
function promptLengthsOf(flags: SweepFlags, candidates: readonly Candidate[]): number[] {
  if (flags.promptLengths !== undefined) {
    return flags.promptLengths.split(",").map((part) => parseCount("--prompt-lengths", part));
  }
  const context = Math.min(...candidates.map(({ known }) => known.config.maxPositionEmbeddings));
  const lengths = PROMPT_LENGTHS.map((length) => Math.min(length, Math.floor(context / 2)));
  return flags.quick ? lengths.slice(0, 1) : [...new Set(lengths)];
}

function settingsOf(sweep: SweepName, flags: SweepFlags, candidates: readonly Candidate[]): SweepSettings {
  const defaults = defaultSettings(sweep, flags.quick ?? false);
  const values = flags.values === undefined ? defaults.values : list("--values", flags.values);
  const whole = sweep !== "threshold";
  const bad = values.find((value) => (whole ? !(Number.isInteger(value) && value > 0) : !(value > 0 && value <= 1)));
  ensure(
    bad === undefined,
    "bad-option",
    () => `--values: expected ${whole ? "whole numbers from 1 on" : "shares up to 1"}, came ${bad}`,
  );
  const unused = { length: ["genLength"], block: ["blockLength"], batch: [], steps: ["threshold"], threshold: ["threshold"] }[
    sweep
  ];
  const idle = [...unused, ...(hasDataset(sweep) ? ["promptLengths", "repetitions"] : ["limit"])].find(
    (name) => flags[name as keyof SweepFlags] !== undefined,
  );
  ensure(idle === undefined, "bad-option", () => `sweep ${sweep}: the option ${idle} has no effect here; leave it out`);
  return {
    values,
    promptLengths: hasDataset(sweep) ? [] : promptLengthsOf(flags, candidates),
    genLength: flags.genLength === undefined ? defaults.genLength : parseCount("--gen-length", flags.genLength),
    ...(flags.blockLength !== undefined && { blockLength: parseCount("--block-length", flags.blockLength) }),
    ...(flags.cache !== undefined && { cache: flags.cache }),
    ...(flags.threshold !== undefined && { threshold: parseNumber("--threshold", flags.threshold) }),
  };
}

function pointTable(points: readonly SweepPoint[]): string {
  return formatTable(points, [
    { head: "model", cell: ({ model }) => model, left: true },
    { head: "decoding", cell: ({ decoding }) => decoding, left: true },
    { head: "prompt", cell: ({ promptLength }) => (promptLength === null ? "dataset" : String(promptLength)) },
    { head: "axis", cell: ({ axis }) => String(axis) },
    { head: "wall", cell: ({ status, result }) => (result ? formatNs(result.wallNs.median) : status) },
    { head: "tok/s", cell: ({ result }) => formatNumber(result?.tokensPerSecond.median) },
    { head: "predicted", cell: ({ result }) => formatNumber(result?.predictedTokensPerSecond) },
    { head: "tok/forward", cell: ({ result }) => formatNumber(result?.tokensPerForward) },
    { head: "FLOP/tok", cell: ({ result }) => formatFlops(result?.flopsPerToken) },
    { head: "FLOP/byte", cell: ({ result }) => formatNumber(result?.arithmeticIntensity) },
    { head: "right", cell: ({ result }) => formatPercent(result?.accuracy === undefined ? null : 100 * result.accuracy) },
  ]);
}

async function writeDocument(base: string, document: SweepDocument): Promise<string[]> {
  const files = [`${base}.json`, `${base}.csv`];
  await writeFile(files[0] as string, `${JSON.stringify(document)}\n`);
  await writeFile(files[1] as string, sweepCsv([document]));
  for (const { name, svg } of sweepFigures([document])) {
    const path = `${base}-${name}.svg`;
    await writeFile(path, svg("auto"));
    files.push(path);
  }
  return files;
}

async function sweep(name: SweepName, flags: SweepFlags): Promise<void> {
  const endpoints = endpointsOf(sessionOptions(flags, { several: true }));
  const shard = parseShard(flags.shard);
  const candidates = await Promise.all(flags.models.split(",").map((model) => candidateOf(model.trim())));
  const settings = settingsOf(name, flags, candidates);
  const models = candidates.map(({ name: model, known, weights }) => {
    const { family, blockLength } = known.config;
    return { name: model, family, blockLength, weights };
  });
  const planned = planSweep(name, models, settings);
  const tasks = shardOf(planned, shard);
  ensure(tasks.length > 0, "bad-option", () => `--shard: ${planned.length} points cannot be cut into ${shard.of} parts`);
  const limit = flags.limit === undefined ? PROBLEMS[flags.quick ? "quick" : "full"] : parseCount("--limit", flags.limit);
  const repetitions =
    flags.repetitions === undefined ? (flags.quick ? 1 : REPETITIONS) : parseCount("--repetitions", flags.repetitions);
  const problems: Problem[] = hasDataset(name) ? await readDataset(flags.dataset, "number", limit) : [];
  const out = resolve(flags.out);
  await mkdir(out, { recursive: true });
  const base = join(out, shard.of === 1 ? name : `${name}.${shard.index}-of-${shard.of}`);
  const path = `${base}.jsonl`;
  const begun = await openSweep(path, flags.resume ?? false);
  const points: SweepPoint[] = [...(begun?.points ?? [])];
  const done = new Set(points.map(({ key }) => key));
  const left = tasks.filter(({ key }) => !done.has(key));
  if (points.length > 0) say(`${path}: ${points.length} of ${tasks.length} points are there`);
  const partial = {
    schema: SCHEMA,
    command: "sweep" as const,
    sweep: name,
    settings,
    models,
    date: new Date().toISOString(),
    commandLine: ["ridgepoint", ...process.argv.slice(2)].join(" "),
    ...(hasDataset(name) && { dataset: { path: flags.dataset, limit: problems.length } }),
    shard,
    planned: planned.length,
  };
  let header: SweepHeader | null = begun?.header ?? null;
  if (header) checkSame(path, header, { ...partial, device: header.device });
  const work = {
    specs: new Map(candidates.map(({ name: model, spec }) => [model, spec])),
    known: new Map(candidates.map(({ name: model, known }) => [model, known])),
    tasks: left,
    total: left.length,
    problems,
    repetitions,
    onDevice: async (device: DeviceDocument, calibrate: () => Promise<Calibration>) => {
      if (!flags.json) print(`${deviceCard(device)}\n`);
      if (header) {
        checkSame(path, header, { ...partial, device });
        return header.calibration;
      }
      header = { ...partial, device, calibration: await calibrate() };
      await beginSweep(path, header);
      return header.calibration;
    },
    onPoint: (point: SweepPoint) => {
      appendPoint(path, point);
      points.push(point);
    },
  };
  await runOverEndpoints(work, endpoints);
  points.sort((a, b) => a.index - b.index);
  const document: SweepDocument = { ...(header as unknown as SweepHeader), points };
  const files = await writeDocument(base, document);
  if (flags.json) return printDocument(document);
  print(`${pointTable(points)}\n${files.map((file) => `${file}\n`).join("")}`);
}

/** Adds the command to the program. */
export function registerSweep(program: Command): void {
  withBrowserOptions(program.command("sweep").description("the efficiency papers' experiments: one axis, every family"))
    .addArgument(new Argument("<axis>", "what is varied").choices(SWEEPS))
    .option("--models <a,b,c>", "models to measure", "builtin:ar,builtin:mdlm,builtin:block")
    .option("--values <a,b,c>", "values of the axis; for steps, divisors of the generated length")
    .option("--prompt-lengths <a,b>", `tokens of the prompts (default: ${PROMPT_LENGTHS.join(",")}, at most half the context)`)
    .option("--gen-length <n>", "tokens to generate, where they are not the axis")
    .option("--block-length <n>", "positions decoded together, where they are not the axis")
    .addOption(
      new Option("--cache <name>", "one cache in place of several, for masked diffusion").choices(["none", "prefix", "dual"]),
    )
    .option("--threshold <c>", "parallel decoding at this confidence in place of fixed schedules")
    .option("--dataset <file>", "JSONL file for steps and threshold, as eval takes it", join(MODELS, "heldout.jsonl"))
    .option("--limit <n>", `only the first n problems (default: ${PROBLEMS.full}, quick ${PROBLEMS.quick})`)
    .option("--repetitions <n>", `timed runs of a point, at most (default: ${REPETITIONS}, quick 1)`)
    .option("--quick", "fewer points and repetitions: minutes")
    .option("--shard <i/n>", "only every n-th point; report merges the parts", "1/1")
    .option("--resume", "go on with the points in --out; settings, models and device must be the same")
    .option("--out <dir>", "where points, documents and figures are written", "sweep")
    .action(sweep);
}
