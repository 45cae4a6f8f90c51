/** `tokenize`: text to ids and back, without a browser. */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { ensure } from "../../src/errors";
import { createTokenizer, openCheckpoint, RidgepointError } from "../../src/index";
import { openModel, parseModel } from "../models";
import { parseIds } from "../options";
import { print, printDocument, SCHEMA } from "../output";

interface TokenizeFlags {
  readonly model: string;
  readonly text?: string;
  readonly file?: string;
  readonly decode?: string;
  readonly json?: boolean;
}

/** The texts of a JSONL file, one `{"text"}` a line. */
async function textsOf(path: string): Promise<string[]> {
  const content = await readFile(path, "utf8").catch((cause: Error) => {
    throw new RidgepointError("not-found", `${path}: ${cause.message}`, { cause });
  });
  const lines = content.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line, index) => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      value = null;
    }
    const text = typeof value === "object" && value !== null && "text" in value ? value.text : undefined;
    ensure(typeof text === "string", "bad-file", `${path}: line ${index + 1}: expected {"text": "…"}`);
    return text;
  });
}

async function tokenize(flags: TokenizeFlags): Promise<void> {
  const forms = [flags.text, flags.file, flags.decode].filter((form) => form !== undefined);
  ensure(
    forms.length === 1,
    "bad-option",
    `expected one of --text TEXT, --file FILE.jsonl, --decode IDS; got ${forms.length} of them`,
  );
  const tokenizer = createTokenizer(await openCheckpoint(await openModel(await parseModel(flags.model))));
  const texts = flags.file !== undefined ? await textsOf(flags.file) : flags.text !== undefined ? [flags.text] : null;
  const lists = texts?.map((text) => tokenizer.encode(text)) ?? [parseIds("--decode", flags.decode ?? "")];
  const results = lists.map((ids, index) => ({
    text: texts?.[index] ?? tokenizer.decode(ids),
    ids,
    pieces: ids.map((id) => tokenizer.piece(id)),
  }));
  if (flags.json) printDocument({ schema: SCHEMA, command: "tokenize", device: null, model: { name: flags.model }, results });
  else if (flags.decode !== undefined) print(results.map(({ text }) => `${text}\n`).join(""));
  else
    print(
      results.map(({ ids, pieces }) => `${ids.join(",")}\n${pieces.map((piece) => JSON.stringify(piece)).join(" ")}\n`).join(""),
    );
}

/** Adds the command to the program. */
export function registerTokenize(program: Command): void {
  program
    .command("tokenize")
    .description("text to token ids and back; needs no browser")
    .option("--model <model>", "the model", "builtin:ar")
    .option("--text <text>", "one text")
    .option("--file <file>", 'JSONL file, {"text"} a line')
    .option("--decode <ids>", "token ids, separated by commas, into text")
    .option("--json", "print one JSON document on stdout")
    .action(tokenize);
}
