/** `compare`: the three families on the same prompts, timed, then profiled kernel by kernel, with a report page. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { ensure } from "../../src/errors";
import {
  type Calibration,
  chromeTrace,
  type Profile,
  type Prompt,
  RidgepointError,
  renderReport,
  type TracedRun,
} from "../../src/index";
import { type Decoding, decodingsOf, isExactMatch, type Run, summarize } from "../comparison";
import { runSection, speedupLines, summaryTable } from "../comparison-tables";
import { deviceCard } from "../device-card";
import { MODELS, parseModel } from "../models";
import { type CommonFlags, parseNumber, sessionOptions, withBrowserOptions } from "../options";
import { print, printDocument, SCHEMA, say } from "../output";
import type { LoadedModel } from "../protocol";
import { type Session, withSession } from "../session";
import { calibrationTable } from "./calibrate";

interface CompareFlags extends CommonFlags {
  readonly models: string;
  readonly prompts: string;
  readonly genLength: string;
  /** A folder, or false for `--no-report`. */
  readonly report: string | false;
  readonly traceOut?: string;
}

/** A line of the prompts file. */
interface Task {
  readonly prompt: string;
  readonly answer?: string;
}

/** Most times the clock of a decoding is taken on each prompt; the median counts. */
const REPETITIONS = 3;
/** A prompt is not timed again after this long, ns. */
const ENOUGH_NS = 3e9;

async function readTasks(path: string): Promise<Task[]> {
  const content = await readFile(path, "utf8").catch((cause: Error) => {
    throw new RidgepointError("not-found", `${path}: ${cause.message}`, { cause });
  });
  const lines = content.split("\n").filter((line) => line.trim() !== "");
  ensure(lines.length > 0, "bad-file", `${path}: expected {"prompt", "answer"} lines, got none`);
  return lines.map((line, index) => {
    try {
      const { prompt, answer } = JSON.parse(line) as Record<string, unknown>;
      if (typeof prompt === "string") return { prompt, ...(answer !== undefined && { answer: String(answer) }) };
    } catch {
      // Reported below, like a line of another form.
    }
    throw new RidgepointError("bad-file", `${path}: line ${index + 1}: expected {"prompt": "…", "answer": "…"}`);
  });
}

function promptOf(text: string, { info }: LoadedModel): Prompt {
  return info.chatTemplate === null ? text : [{ role: "user", content: text }];
}

/** Times one decoding of one prompt until it has been seen often or long enough; the run of the median time counts. */
async function timeRun(session: Session, prompt: Prompt, decoding: Decoding) {
  const results = [];
  let spentNs = 0;
  while (results.length === 0 || (results.length < REPETITIONS && spentNs < ENOUGH_NS)) {
    const result = await session.call("generate", { prompt, options: decoding.options, stream: false });
    results.push(result);
    spentNs += result.timings.wallNs;
  }
  results.sort((a, b) => a.timings.wallNs - b.timings.wallNs);
  return results[(results.length - 1) >> 1]!;
}

async function runModel(
  session: Session,
  name: string,
  loaded: LoadedModel,
  calibration: Calibration,
  tasks: readonly Task[],
  genLength: number,
  traced: TracedRun[] | null,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (const decoding of decodingsOf(loaded.info, genLength)) {
    say(`${name}: ${decoding.name}`);
    // The profile goes first: it compiles every pipeline, so that the timed runs find them.
    const profile = await session.call("profile", {
      prompt: promptOf(tasks[0]!.prompt, loaded),
      options: decoding.options,
      calibration,
      timeline: traced !== null,
    });
    traced?.push({ name: `${name}, ${decoding.name}`, timeline: profile.timeline ?? [], bubbleNs: profile.bubbleNs });
    for (const [index, { prompt, answer }] of tasks.entries()) {
      const { canvas, usage, forwardsByKind, trace, ...result } = await timeRun(session, promptOf(prompt, loaded), decoding);
      const run: Run = {
        model: name,
        family: loaded.info.family,
        decoding: { name: decoding.name, ...decoding.options },
        prompt,
        ...result,
        ...(answer !== undefined && { exactMatch: isExactMatch(result.text, answer) }),
        phases: [],
        kernels: [],
        bubbleNs: null,
      };
      runs.push(index === 0 ? withProfile(run, profile) : run);
    }
  }
  return runs;
}

/** A timed run with the kernels of its profile. Step time and bubble are those of the profiled run, whose wall time is their sum. */
function withProfile(run: Run, { result, kernels, phases, bubbleNs }: Profile): Run {
  const { sumOfFloorsNs = 0, sumOfKernelsNs = 0, stepNs = 0 } = result.timings;
  return { ...run, timings: { ...run.timings, sumOfFloorsNs, sumOfKernelsNs, stepNs }, kernels, phases, bubbleNs };
}

async function compare(flags: CompareFlags): Promise<void> {
  const genLength = parseNumber("--gen-length", flags.genLength);
  const tasks = await readTasks(flags.prompts);
  const names = flags.models.split(",").map((name) => name.trim());
  const specs = await Promise.all(names.map(parseModel));
  await withSession(sessionOptions(flags), specs, async (session) => {
    const { device } = session;
    if (!flags.json) print(`${deviceCard(device)}\n`);
    const calibration = await session.call("calibrate", { quick: true });
    if (!flags.json) print(`${calibrationTable(calibration)}\n`);
    const runs: Run[] = [];
    const traced: TracedRun[] | null = flags.traceOut === undefined ? null : [];
    for (const [index, name] of names.entries()) {
      const loaded = await session.load(specs[index]!);
      const ofModel = await runModel(session, name, loaded, calibration, tasks, genLength, traced);
      if (!flags.json) for (const run of ofModel) if (run.kernels.length > 0) print(runSection(run));
      runs.push(...ofModel);
    }
    await session.call("unload");
    const summary = summarize(runs);
    const report = flags.report === false ? null : resolve(flags.report);
    const document = {
      schema: SCHEMA,
      command: "compare",
      commandLine: ["ridgepoint", ...process.argv.slice(2)].join(" "),
      date: new Date().toISOString(),
      device,
      calibration,
      runs,
      summary,
      report,
    };
    if (report !== null) {
      await mkdir(report, { recursive: true });
      await writeFile(join(report, "run.json"), `${JSON.stringify(document)}\n`);
      await writeFile(join(report, "index.html"), renderReport(document));
    }
    if (traced && flags.traceOut !== undefined) {
      await writeFile(flags.traceOut, JSON.stringify(chromeTrace(traced, { device, calibration })));
      say(`trace: ${resolve(flags.traceOut)}`);
    }
    if (flags.json) return printDocument(document);
    print(`\n${summaryTable(summary)}${speedupLines(summary)}`);
    if (report !== null) print(`report: ${join(report, "index.html")}\n`);
  });
}

/** Adds the command to the program. */
export function registerCompare(program: Command): void {
  withBrowserOptions(
    program.command("compare").description("the three families on the same prompts: speed, work, kernels, roofs"),
  )
    .option("--models <a,b,c>", "models to compare", "builtin:ar,builtin:mdlm,builtin:block")
    .option("--prompts <file>", 'JSONL file, {"prompt", "answer"} a line', join(MODELS, "prompts.jsonl"))
    .option("--gen-length <n>", "tokens to generate", "64")
    .option("--report <dir>", "where the report page is written", "report")
    .option("--no-report", "write no report")
    .option("--trace-out <file.json>", "write the profiled runs as a Chrome trace, every kernel with its FLOP and bytes")
    .action(compare);
}
