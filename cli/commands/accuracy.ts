/** `accuracy`: evaluates the embedded models in every way the tables compare, and writes the tables, the figures and the model cards. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { ensure, RidgepointError } from "../../src/errors";
import { deviceName } from "../device-card";
import { type EvaluationSummary, evaluate, promptFor, summarizeEvaluation } from "../evaluation";
import { type Problem, readDataset } from "../evaluation-dataset";
import { type EvaluationRecord, hashModel, RecordFile } from "../evaluation-records";
import {
  type DatasetName,
  distinctSettings,
  FAMILIES,
  keyOf,
  type ModelName,
  type Setting,
  SHIPPED_WEIGHTS,
  type Table,
  tables,
} from "../evaluation-settings";
import { accuracyFigure, accuracyPage, type Provenance, type Results, updateCard } from "../evaluation-tables";
import { MODELS, type ModelSpec, parseModel } from "../models";
import { type CommonFlags, parseCount, sessionOptions, withBrowserOptions } from "../options";
import { print, printDocument, SCHEMA } from "../output";
import { type Session, withSession } from "../session";

interface AccuracyFlags extends CommonFlags {
  readonly n: string;
  readonly stories: string;
  readonly batch: string;
  readonly weights: readonly string[];
  readonly only?: string;
  readonly records: string;
  readonly docs: string;
  /** A folder, or false for `--no-cards`. */
  readonly cards: string | false;
}

/** Folders of further weights by their name. */
type WeightFolders = ReadonlyMap<string, string>;

function parseWeights(values: readonly string[]): WeightFolders {
  return new Map(
    values.map((value) => {
      const [, name, folder] = /^(\w+)=(.+)$/.exec(value) ?? [];
      ensure(name && folder && name !== SHIPPED_WEIGHTS, "bad-option", () => {
        return `--weights: expected NAME=FOLDER with a name other than ${SHIPPED_WEIGHTS} and ar, mdlm, block in the folder; got "${value}"`;
      });
      return [name, folder] as const;
    }),
  );
}

/** A model with certain weights, and what it is to be judged by. */
interface Candidate {
  readonly name: string;
  readonly spec: ModelSpec;
  readonly hash: string | null;
}

async function candidatesOf(settings: readonly Setting[], folders: WeightFolders): Promise<Map<string, Candidate>> {
  const found = new Map<string, Candidate>();
  for (const { model, weights } of settings) {
    const name = `${model}, ${weights}`;
    if (found.has(name)) continue;
    const spec = await parseModel(weights === SHIPPED_WEIGHTS ? `builtin:${model}` : join(folders.get(weights)!, model));
    found.set(name, { name, spec, hash: await hashModel(spec) });
  }
  return found;
}

interface Work {
  readonly settings: readonly Setting[];
  /** Whether a setting may be run; of others only what is there counts. */
  readonly chosen: (setting: Setting) => boolean;
  readonly problems: Readonly<Record<DatasetName, readonly Problem[]>>;
  readonly candidates: ReadonlyMap<string, Candidate>;
  readonly batch: number;
  /** Folder of the record files. */
  readonly records: string;
}

/** Runs what has no record yet, each model loaded once, and adds up all of it. */
async function evaluateAll(session: Session, { settings, chosen, problems, candidates, batch, records }: Work): Promise<Results> {
  const results = new Map<string, EvaluationSummary>();
  let current: Candidate | null = null;
  let promptOf = promptFor({ chatTemplate: null });
  for (const [index, setting] of settings.entries()) {
    const candidate = candidates.get(`${setting.model}, ${setting.weights}`)!;
    const asked = problems[setting.dataset];
    const conditions = {
      model: candidate.name,
      weights: candidate.hash,
      device: deviceName(session.device),
      judge: setting.dataset === "stories" ? "story" : "number",
      options: setting.options,
      batch,
    } as const;
    // New weights begin new files: nothing of old weights can slip into a table.
    const path = join(records, `${keyOf(setting)}_${candidate.hash?.slice(0, 12)}.jsonl`);
    const opened = await RecordFile.open(path, { conditions, problems: asked, resume: true });
    let all: readonly EvaluationRecord[] = opened.records;
    if (chosen(setting) && all.length < asked.length) {
      if (current !== candidate) promptOf = promptFor((await session.load(candidate.spec, { sequences: batch })).info);
      current = candidate;
      all = await evaluate(session, {
        conditions,
        problems: asked,
        promptOf,
        done: opened.records,
        onRecord: (record) => opened.file.append(record),
        title: `${index + 1}/${settings.length} ${keyOf(setting)}`,
      });
    }
    if (all.length > 0) results.set(keyOf(setting), summarizeEvaluation(all));
  }
  return results;
}

/** The model cards by their paths, with whatever tables they have now. */
async function readCards(folder: string): Promise<{ name: ModelName; path: string; card: string }[]> {
  return Promise.all(
    FAMILIES.map(async (name) => {
      const path = join(folder, name, "README.md");
      const card = await readFile(path, "utf8").catch((cause: Error) => {
        throw new RidgepointError("not-found", `${path}: ${cause.message}; give --cards DIR or --no-cards`, { cause });
      });
      return { name, path, card };
    }),
  );
}

interface Written {
  readonly all: readonly Table[];
  readonly results: Results;
  readonly provenance: Provenance;
}

async function writeAll(flags: AccuracyFlags, written: Written): Promise<string[]> {
  const { all, results, provenance } = written;
  const docs = resolve(flags.docs);
  await mkdir(docs, { recursive: true });
  const files: [path: string, content: string][] = [
    [join(docs, "accuracy.md"), accuracyPage(all, results, provenance)],
    [join(docs, "accuracy.svg"), `${accuracyFigure("problems", results)}\n`],
    [join(docs, "stories.svg"), `${accuracyFigure("stories", results)}\n`],
  ];
  if (flags.cards !== false) {
    for (const { name, path, card } of await readCards(resolve(flags.cards))) files.push([path, updateCard(card, name, written)]);
  }
  for (const [path, content] of files) await writeFile(path, content);
  return files.map(([path]) => path);
}

async function accuracy(flags: AccuracyFlags): Promise<void> {
  const folders = parseWeights(flags.weights);
  const [n, stories] = [parseCount("--n", flags.n), parseCount("--stories", flags.stories)];
  const batch = parseCount("--batch", flags.batch);
  const all = tables([...folders.keys()]);
  const settings = distinctSettings(all);
  const chosen = (setting: Setting): boolean => keyOf(setting).includes(flags.only ?? "");
  const example = keyOf(settings[0]!);
  ensure(settings.some(chosen), "bad-option", `--only: no setting's name has "${flags.only}" in it; they are like ${example}`);
  const problems = {
    problems: await readDataset(join(MODELS, "heldout.jsonl"), "number", n),
    stories: await readDataset(join(MODELS, "stories.jsonl"), "story", stories),
  };
  const candidates = await candidatesOf(settings, folders);
  // Before hours of work: what will be written can be written.
  const provenance = {
    command: ["ridgepoint", ...process.argv.slice(2)].join(" "),
    batch,
    date: new Date().toISOString().slice(0, 10),
  };
  if (flags.cards !== false) {
    const none = { all, results: new Map(), provenance: { ...provenance, device: "", browser: "" } };
    for (const { name, card } of await readCards(resolve(flags.cards))) updateCard(card, name, none);
  }
  await withSession(sessionOptions(flags), [], async (session) => {
    const { device } = session;
    const records = resolve(flags.records);
    const results = await evaluateAll(session, { settings, chosen, problems, candidates, batch, records });
    const taken = { ...provenance, device: deviceName(device), browser: device.browser };
    const files = await writeAll(flags, { all, results, provenance: taken });
    if (flags.json) {
      const measured = settings.flatMap((setting) => {
        const summary = results.get(keyOf(setting));
        return summary ? [{ key: keyOf(setting), ...setting, ...summary }] : [];
      });
      return printDocument({ schema: SCHEMA, command: "accuracy", device, settings: measured, files });
    }
    print(`${results.size} of ${settings.length} settings have results\n${files.map((path) => `${path}\n`).join("")}`);
  });
}

/** Adds the command to the program. */
export function registerAccuracy(program: Command): void {
  withBrowserOptions(
    program.command("accuracy").description("tables and figures of what the embedded models solve, by how they are decoded"),
  )
    .option("--n <n>", "word problems a setting, of 500", "500")
    .option("--stories <n>", "story prompts a setting, of 100", "100")
    .option("--batch <n>", "problems answered together: faster, with the same answers; tok/s is that of the batch", "8")
    .option(
      "--weights <name=dir>",
      "further weights of the same models (ar, mdlm, block in the folder); may be given again",
      (value, before: string[]) => [...before, value],
      [],
    )
    .option("--only <text>", "run only settings with this in their name (e.g. block_q8_0, threshold-0.9)")
    .option("--records <dir>", "answers are kept here, so that a run that was cut off goes on", "report/accuracy")
    .option("--docs <dir>", "where accuracy.md, accuracy.svg and stories.svg go", "docs")
    .option("--cards <dir>", "folder of the models whose cards get their tables", "models")
    .option("--no-cards", "leave the model cards as they are")
    .action(accuracy);
}
