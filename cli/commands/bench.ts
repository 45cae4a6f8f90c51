/** `bench`: tokens a second in llama-bench's rows, for models of every family. */
import { type Command, Option } from "commander";
import { ensure } from "../../src/errors";
import { type BenchRow, type BenchSettings, failedRow, measureRow, planBench, roomOf } from "../bench";
import { deviceCard } from "../device-card";
import { formatBytes, formatNs, formatNumber, formatPercent } from "../format";
import { parseModel } from "../models";
import { type CommonFlags, parseCount, parseNumber, sessionOptions, withBrowserOptions } from "../options";
import { ProgressLine, print, printDocument, SCHEMA } from "../output";
import { withSession } from "../session";
import { knowModel } from "../sweep-prompts";
import { formatTable } from "../table";

interface BenchFlags extends CommonFlags {
  readonly models: string;
  readonly prompt: string;
  readonly tokens: string;
  readonly batch: string;
  readonly depth: string;
  readonly repetitions: string;
  readonly genLength?: string;
  readonly blockLength?: string;
  readonly steps?: string;
  readonly cache?: "none" | "prefix" | "dual";
  readonly threshold?: string;
}

const counts = (flag: string, text: string): number[] => text.split(",").map((part) => parseCount(flag, part));

function depths(text: string): number[] {
  return text.split(",").map((part) => {
    const depth = parseNumber("-d", part);
    ensure(Number.isInteger(depth) && depth >= 0, "bad-option", () => `-d: expected whole numbers from 0 on, got "${part}"`);
    return depth;
  });
}

function settingsOf(flags: BenchFlags): BenchSettings {
  return {
    prompts: counts("-p", flags.prompt),
    tokens: counts("-n", flags.tokens),
    batches: counts("-b", flags.batch),
    depths: depths(flags.depth),
    ...(flags.genLength !== undefined && { genLength: parseCount("--gen-length", flags.genLength) }),
    decoding: {
      ...(flags.blockLength !== undefined && { blockLength: parseCount("--block-length", flags.blockLength) }),
      ...(flags.steps !== undefined && { steps: parseCount("--steps", flags.steps) }),
      ...(flags.cache !== undefined && { cache: flags.cache }),
      ...(flags.threshold !== undefined && { threshold: parseNumber("--threshold", flags.threshold) }),
    },
  };
}

const rowTable = (rows: readonly BenchRow[]): string =>
  formatTable(rows, [
    { head: "model", cell: ({ model }) => model, left: true },
    { head: "test", cell: ({ name }) => name, left: true },
    { head: "batch", cell: ({ batch }) => String(batch) },
    { head: "tok/s", cell: ({ status, tokensPerSecond }) => (tokensPerSecond ? formatNumber(tokensPerSecond.median) : status) },
    {
      head: "spread",
      cell: ({ tokensPerSecond: rate }) => (rate ? `± ${formatPercent((100 * rate.mad) / rate.median)}` : "–"),
    },
    { head: "time", cell: ({ ns }) => formatNs(ns?.median) },
    { head: "forwards", cell: ({ forwards }) => formatNumber(forwards) },
    { head: "dispatches", cell: ({ dispatches }) => (dispatches === null ? "–" : String(Math.round(dispatches))) },
    { head: "submits", cell: ({ submits }) => (submits === null ? "–" : String(submits)) },
    { head: "readbacks", cell: ({ readbacks }) => (readbacks === null ? "–" : String(readbacks)) },
    { head: "allocated", cell: ({ allocatedBytes }) => formatBytes(allocatedBytes) },
  ]);

async function bench(flags: BenchFlags): Promise<void> {
  const options = sessionOptions(flags);
  const settings = settingsOf(flags);
  const repetitions = parseCount("-r", flags.repetitions);
  const names = flags.models.split(",").map((name) => name.trim());
  const specs = await Promise.all(names.map(parseModel));
  const known = await Promise.all(specs.map(knowModel));
  const plans = names.map((name, i) => planBench(name, known[i]!, settings));
  const total = plans.flat().length;
  await withSession(options, specs, async (session) => {
    if (!flags.json) print(`${deviceCard(session.device)}\n`);
    const rows: BenchRow[] = [];
    const progress = new ProgressLine();
    for (const [i, plan] of plans.entries()) {
      for (const batch of new Set(plan.map((task) => task.batch))) {
        const tasks = plan.filter((task) => task.batch === batch);
        const failure = await session.load(specs[i]!, roomOf(tasks, known[i]!)).then(
          () => null,
          (cause: unknown) => ({ cause }),
        );
        for (const task of tasks) {
          progress.update({ kind: "progress", phase: "bench", loaded: rows.length, total, file: `${task.model} ${task.name}` });
          rows.push(failure ? failedRow(task, failure.cause) : await measureRow(session, known[i]!, task, repetitions));
        }
        progress.done();
      }
    }
    if (flags.json)
      return printDocument({ schema: SCHEMA, command: "bench", device: session.device, settings, repetitions, rows });
    print(rowTable(rows));
  });
}

/** Adds the command to the program. */
export function registerBench(program: Command): void {
  withBrowserOptions(program.command("bench").description("tokens a second, in llama-bench's rows"))
    .option("--models <a,b,c>", "models to measure", "builtin:ar,builtin:mdlm,builtin:block")
    .option("-p, --prompt <a,b>", "autoregressive: tokens of prompts to process", "64")
    .option("-n, --tokens <a,b>", "tokens to generate; diffusion: canvases of that length", "32")
    .option("-b, --batch <a,b>", "sequences at a time", "1")
    .option("-d, --depth <a,b>", "tokens before what is generated", "0")
    .option("-r, --repetitions <n>", "timed runs of a test", "5")
    .option("--gen-length <n>", "diffusion: length of the canvas in place of -n")
    .option("--block-length <n>", "diffusion: positions decoded together")
    .option("--steps <n>", "diffusion: forwards of a fixed schedule")
    .addOption(new Option("--cache <name>", "masked diffusion").choices(["none", "prefix", "dual"]))
    .option("--threshold <c>", "diffusion: reveal every position of at least this confidence")
    .action(bench);
}
