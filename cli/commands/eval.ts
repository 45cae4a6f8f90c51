/** `eval`: how many problems of a dataset a model solves when decoded one way, and what that costs. */
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { ensure } from "../../src/errors";
import { deviceCard, deviceName } from "../device-card";
import { evaluate, promptFor, summarizeEvaluation } from "../evaluation";
import { type Judge, readDataset } from "../evaluation-dataset";
import { type Conditions, hashModel, RecordFile } from "../evaluation-records";
import { formatFlops, formatNumber } from "../format";
import { parseModel } from "../models";
import {
  type CommonFlags,
  decodingOptions,
  parseCount,
  sessionOptions,
  withBrowserOptions,
  withDecodingOptions,
} from "../options";
import { print, printDocument, SCHEMA } from "../output";
import { withSession } from "../session";

interface EvalFlags extends CommonFlags {
  readonly model: string;
  readonly dataset: string;
  readonly judge: Judge;
  readonly limit?: string;
  readonly batch: string;
  readonly out?: string;
  readonly resume?: boolean;
}

/** Wrong answers that are printed for people; the document has all. */
const SHOWN = 3;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

async function run(flags: EvalFlags & Readonly<Record<string, unknown>>): Promise<void> {
  const limit = flags.limit === undefined ? undefined : parseCount("--limit", flags.limit);
  ensure(flags.out !== undefined || !flags.resume, "bad-option", "--resume: nothing to go on with; give --out FILE.jsonl");
  const options = decodingOptions(flags);
  const batch = parseCount("--batch", flags.batch);
  const problems = await readDataset(flags.dataset, flags.judge, limit);
  const spec = await parseModel(flags.model);
  const weights = await hashModel(spec);
  await withSession(sessionOptions(flags), [spec], async (session) => {
    const { device } = session;
    const made = { model: flags.model, weights, device: deviceName(device) };
    const conditions: Conditions = { ...made, judge: flags.judge, options, batch };
    const out = flags.out === undefined ? null : resolve(flags.out);
    const kept = out === null ? null : await RecordFile.open(out, { conditions, problems, resume: flags.resume ?? false });
    const { info, load } = await session.load(spec, { sequences: batch });
    const records = await evaluate(session, {
      conditions,
      problems,
      promptOf: promptFor(info),
      done: kept?.records ?? [],
      onRecord: (record) => kept?.file.append(record),
      title: "eval",
    });
    const fits = records.find(({ error }) => error === undefined);
    ensure(fits, "context-overflow", () => `not one of ${records.length} problems fits the model: ${records[0]!.error}`);
    const summary = summarizeEvaluation(records);
    const failures = records
      .filter(({ correct }) => !correct)
      .map(({ index, question, expected, got, text, error }) => ({
        ...{ index, question, expected, got, text },
        ...(error !== undefined && { error }),
      }));
    const dataset = { path: flags.dataset, judge: flags.judge };
    if (flags.json) {
      const model = { name: flags.model, weights, ...info };
      const head = { schema: SCHEMA, command: "eval", device, model, load, dataset, options, batch };
      return printDocument({ ...head, ...summary, failures, ...(out !== null && { out }) });
    }
    const { accuracy, confidence95, correct, n, tokensPerSecond, tokensPerForward, forwards, flopsPerToken } = summary;
    print(`${deviceCard(device)}\n`);
    for (const { question, expected, got, text, error } of failures.slice(0, SHOWN)) {
      const verdict = expected === null ? "no valid story" : `expected ${expected}, got ${got ?? "none"}`;
      print(`✗ ${question}\n  → ${error ?? text.trim()}\n  ${verdict}\n`);
    }
    const interval = `${percent(confidence95.low)} – ${percent(confidence95.high)}`;
    print(`${correct} of ${n} right: ${percent(accuracy)} (95 %: ${interval})\n`);
    print(
      `${formatNumber(forwards)} forwards an answer, ${formatNumber(tokensPerForward)} tokens/forward, ` +
        `${formatNumber(tokensPerSecond)} tok/s, ${formatFlops(flopsPerToken)} a token\n`,
    );
  });
}

/** Adds the command to the program. */
export function registerEval(program: Command): void {
  withDecodingOptions(withBrowserOptions(program.command("eval").description("how many problems of a dataset a model solves")))
    .option("--model <model>", "the model", "builtin:ar")
    .requiredOption(
      "--dataset <file>",
      'JSONL file, {"question", "answer"} a line as in GSM8K (the answer ends in "#### number")',
    )
    .addOption(
      new Option("--judge <how>", "number: the one after ####; story: a valid story (models/stories.jsonl)")
        .choices(["number", "story"])
        .default("number"),
    )
    .option("--limit <n>", "only the first n problems")
    .option("--batch <n>", "problems answered together: faster, with the same answers", "1")
    .option("--out <file>", "write one line of JSON a problem, as it is answered")
    .option("--resume", "go on with --out; model, device and options must be the same")
    .action(run);
}
