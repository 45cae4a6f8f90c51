/** `generate`: an answer, streamed to stdout as it becomes known. */
import type { Command } from "commander";
import { type BatchOptions, type GenerateOptions, type GenerationResult, type Prompt, RidgepointError } from "../../src/index";
import { deviceCard } from "../device-card";
import { formatNs, formatNumber } from "../format";
import { type ModelSpec, parseModel } from "../models";
import {
  type CommonFlags,
  decodingOptions,
  parseCanvas,
  parseCount,
  parseIds,
  parseNumber,
  sessionOptions,
  withBrowserOptions,
  withDecodingOptions,
} from "../options";
import { print, printDocument, SCHEMA, say } from "../output";
import { withSession } from "../session";

interface GenerateFlags extends CommonFlags {
  readonly model: string;
  readonly prompt?: readonly string[];
  /** true where it is given without a text. */
  readonly chat?: true | readonly string[];
  readonly promptIds?: string;
  readonly canvas?: string;
  readonly trace?: boolean;
  readonly draftModel?: string;
  readonly sequences: string;
  readonly logprobs?: string;
}

/** The prompts the flags ask for: texts through --prompt or --chat, as often as they are given, or one of ids. */
function promptsOf({ prompt = [], chat = [], promptIds, canvas }: GenerateFlags): [Prompt, ...Prompt[]] {
  const turn = (content: string): Prompt => [{ role: "user", content }];
  const forms: Prompt[][] = [chat === true ? [] : chat.map(turn), prompt.map((text) => (chat === true ? turn(text) : text))];
  if (promptIds !== undefined) forms.push([{ ids: parseIds("--prompt-ids", promptIds) }]);
  if (canvas !== undefined) forms.push([{ canvas: parseCanvas("--canvas", canvas) }]);
  const given = forms.filter(({ length }) => length > 0);
  const [[first, ...more] = []] = given;
  if (given.length !== 1 || first === undefined) {
    const got = given.length === 0 ? "none" : `${given.length} of them`;
    throw new RidgepointError(
      "bad-option",
      `expected one of --prompt TEXT, --chat TEXT, --prompt-ids IDS, --canvas IDS; got ${got}`,
    );
  }
  return [first, ...more];
}

/** New ids of a result: for diffusion the whole canvas after the prompt, of which an infill canvas has only its leading given ids. */
function newIds(result: GenerationResult, family: string, prompt: Prompt): readonly number[] {
  if (family === "ar") return result.ids;
  if (typeof prompt === "object" && "canvas" in prompt) {
    const hole = prompt.canvas.indexOf(null);
    return hole < 0 ? [] : result.canvas.slice(hole);
  }
  return result.canvas.slice(result.usage.promptTokens);
}

function summary(result: GenerationResult): string {
  const { usage, timings, tokensPerSecond, forwards, tokensPerForward, finishReason, speculation } = result;
  return [
    `${usage.completionTokens} tokens in ${formatNs(timings.wallNs)} (${formatNumber(tokensPerSecond)} tok/s`,
    `first after ${formatNs(timings.ttftNs)})`,
    `${forwards} forwards`,
    `${formatNumber(tokensPerForward)} tokens/forward`,
    ...(speculation ? [`${speculation.accepted} of ${speculation.drafted} drafts accepted`] : []),
    `finish: ${finishReason}`,
  ].join(", ");
}

async function generate(flags: GenerateFlags & Readonly<Record<string, unknown>>): Promise<void> {
  const [prompt, ...more] = promptsOf(flags);
  const logprobs = flags.logprobs === undefined ? {} : { logprobs: parseNumber("--logprobs", flags.logprobs) };
  if ("logprobs" in logprobs && !flags.json)
    throw new RidgepointError("bad-option", "--logprobs: they stand in the document; expected --json too, got none");
  const options = { ...decodingOptions(flags), ...logprobs, ...(flags.trace && { trace: true }) };
  const sequences = parseCount("--sequences", flags.sequences);
  if (more.length > 0 || sequences > 1) return generateBatch(flags, { prompts: [prompt, ...more], sequences, options });
  const spec = await parseModel(flags.model);
  const other = await draftModelOf(flags, options);
  await withSession(sessionOptions(flags), [spec, ...(other ? [other] : [])], async (session) => {
    const { info, load, hasTokenizer } = await session.load(spec);
    if (other) await session.load(other, {}, "assistant");
    let printed = "";
    session.onStep = ({ delta }) => {
      printed += delta;
      print(delta);
    };
    const result = await session.call("generate", { prompt, options, stream: !flags.json && hasTokenizer });
    const ids = newIds(result, info.family, prompt);
    if (!flags.json) {
      // Diffusion fills holes; what a last step makes readable, or a stop string takes back, is printed here.
      const rest = result.text.startsWith(printed) ? result.text.slice(printed.length) : "";
      print(`${hasTokenizer ? rest : ids.join(",")}\n`);
      say(`\n${deviceCard(session.device)}${summary(result)}`);
      return;
    }
    const { trace, ...rest } = result;
    const forwards = trace?.map(({ kind, rows, revealed }) => ({
      kind,
      rows,
      revealed: revealed.map(({ position, id, confidence }) => [position, id, confidence]),
    }));
    printDocument({
      schema: SCHEMA,
      command: "generate",
      device: session.device,
      model: { name: flags.model, ...info },
      load,
      ...rest,
      // In this document `forwards` is the trace; their number goes by the papers' name.
      nfe: rest.forwards,
      nfe_by_kind: rest.forwardsByKind,
      forwards,
      ids,
    });
  });
}

interface BatchJob {
  readonly prompts: readonly Prompt[];
  /** Answers to each. */
  readonly sequences: number;
  readonly options: GenerateOptions;
}

/** Several answers together, printed when all are done. */
async function generateBatch(flags: GenerateFlags, { prompts, sequences, options }: BatchJob): Promise<void> {
  for (const name of ["trace", "draftModel"] as const) {
    if (flags[name] !== undefined)
      throw new RidgepointError(
        "bad-option",
        `${name === "trace" ? "--trace" : "--draft-model"}: for one answer; give one prompt`,
      );
  }
  const spec = await parseModel(flags.model);
  await withSession(sessionOptions(flags), [spec], async (session) => {
    const { info, load, hasTokenizer } = await session.load(spec, { sequences: prompts.length * sequences });
    const asked: BatchOptions = { ...options, sequences };
    const { results, wallNs } = await session.call("generateBatch", { prompts, options: asked });
    const told = results.map((result, i) => ({ prompt: Math.floor(i / sequences), sequence: i % sequences, ...result }));
    if (flags.json) {
      const head = { schema: SCHEMA, command: "generate", device: session.device };
      printDocument({ ...head, model: { name: flags.model, ...info }, load, wallNs, results: told });
      return;
    }
    for (const { text, ids } of results) print(`${hasTokenizer ? text : ids.join(",")}\n\n`);
    const tokens = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
    const rate = formatNumber((tokens * 1e9) / wallNs);
    say(`${deviceCard(session.device)}${results.length} answers, ${tokens} tokens in ${formatNs(wallNs)} (${rate} tok/s)`);
  });
}

/** The other model of a speculation, which is given exactly where one is needed. */
async function draftModelOf({ draftModel }: GenerateFlags, { speculate }: GenerateOptions): Promise<ModelSpec | null> {
  const needed = speculate?.kind === "draft" || speculate?.kind === "guide";
  if (needed === (draftModel !== undefined)) return draftModel === undefined ? null : parseModel(draftModel);
  throw new RidgepointError(
    "bad-option",
    needed
      ? `--speculate ${speculate.kind}: expected --draft-model too, got none`
      : "--draft-model: expected --speculate draft or guide with it; give it, or leave the model out",
  );
}

/** Collects what an option that may be given again is given. */
const again = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** Adds the command to the program. */
export function registerGenerate(program: Command): void {
  withDecodingOptions(withBrowserOptions(program.command("generate").description("answer a prompt")))
    .option("--model <model>", "the model", "builtin:ar")
    .option("--prompt <text>", "text, as it is; may be given again: the answers are made together", again)
    .option(
      "--chat [text]",
      "a user's message, through the model's chat template (with --prompt: that text); may be given again",
      again,
    )
    .option("--prompt-ids <ids>", "token ids, separated by commas")
    .option("--canvas <ids>", "token ids and _ for each place to be filled, separated by commas")
    .option("--draft-model <model>", "the other model of --speculate draft or guide")
    .option("--sequences <n>", "answers to each prompt, made together; they differ above temperature 0", "1")
    .option("--logprobs <n>", "log-probabilities of the answer's tokens, and of the n most probable beside each (with --json)")
    .option("--trace", "record the rows and reveals of every forward (with --json)")
    .action(generate);
}
