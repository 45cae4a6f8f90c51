/** `generate`: an answer, streamed to stdout as it becomes known. */
import type { Command } from "commander";
import { type GenerateOptions, type GenerationResult, type Prompt, RidgepointError } from "../../src/index";
import { deviceCard } from "../device-card";
import { formatNs, formatNumber } from "../format";
import { type ModelSpec, parseModel } from "../models";
import {
  type CommonFlags,
  decodingOptions,
  parseCanvas,
  parseIds,
  sessionOptions,
  withBrowserOptions,
  withDecodingOptions,
} from "../options";
import { print, printDocument, SCHEMA, say } from "../output";
import { withSession } from "../session";

interface GenerateFlags extends CommonFlags {
  readonly model: string;
  readonly prompt?: string;
  readonly chat?: string | true;
  readonly promptIds?: string;
  readonly canvas?: string;
  readonly trace?: boolean;
  readonly draftModel?: string;
}

/** The prompt the flags ask for; exactly one of its forms must be given. */
function promptOf({ prompt, chat, promptIds, canvas }: GenerateFlags): Prompt {
  const forms: Prompt[] = [];
  if (typeof chat === "string") forms.push([{ role: "user", content: chat }]);
  if (prompt !== undefined) forms.push(chat === true ? [{ role: "user", content: prompt }] : prompt);
  if (promptIds !== undefined) forms.push({ ids: parseIds("--prompt-ids", promptIds) });
  if (canvas !== undefined) forms.push({ canvas: parseCanvas("--canvas", canvas) });
  const [form] = forms;
  if (forms.length !== 1 || form === undefined) {
    const got = forms.length === 0 ? "none" : `${forms.length} of them`;
    throw new RidgepointError(
      "bad-option",
      `expected one of --prompt TEXT, --chat TEXT, --prompt-ids IDS, --canvas IDS; got ${got}`,
    );
  }
  return form;
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
  const prompt = promptOf(flags);
  const options = { ...decodingOptions(flags), ...(flags.trace && { trace: true }) };
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

/** Adds the command to the program. */
export function registerGenerate(program: Command): void {
  withDecodingOptions(withBrowserOptions(program.command("generate").description("answer a prompt")))
    .option("--model <model>", "the model", "builtin:ar")
    .option("--prompt <text>", "text, as it is")
    .option("--chat [text]", "a user's message, through the model's chat template (with --prompt: that text)")
    .option("--prompt-ids <ids>", "token ids, separated by commas")
    .option("--canvas <ids>", "token ids and _ for each place to be filled, separated by commas")
    .option("--draft-model <model>", "the other model of --speculate draft or guide")
    .option("--trace", "record the rows and reveals of every forward (with --json)")
    .action(generate);
}
