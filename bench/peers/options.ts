/** The command's options out of its arguments. A wrong one is an error that says what was expected. */
import { parseArgs } from "node:util";
import { ensure, RidgepointError } from "../../src/errors";
import type { CaseChoice, LinearSize } from "./cases";
import { type Effort, TOPICS, type Topic, type WeightKind } from "./protocol";

export const USAGE = `usage: npm start -- [options]         (from the project's folder: npm run bench:peers -- [options])

  --adapter NAME      swiftshader (default), lavapipe (once set up) or default (the browser's own choice)
  --only LIST         of gemm, gemv, attention, norms, e2e (default: all; e2e needs --gguf)
  --rows LIST         rows of the kernels, e.g. 8,32 (default: those of each)
  --shapes LIST       K×N of linear layers, e.g. 576x1536,1024x3072
  --formats LIST      of f32, q4, q8
  --variants LIST     our variants of linear layers or attention to time beside the chosen one: ids, or all (with --all to see them)
  --rounds N          interleaved rounds (default 5)
  --round-ms MS       calls in flight fill a round of this length (default 40)
  --gguf FILE         SmolLM2-135M-Instruct as GGUF, for e2e
  --onnx FOLDER       model.onnx of the same model by onnxruntime_genai (export.md), for e2e
  --prefill LIST      prompt lengths of e2e (default 64,256)
  --decode N          tokens decoded after each (default 32)
  --cpu               e2e: the peers' CPU paths too, labelled
  --threads N         of the CPU paths (default: all cores)
  --peers-without LIST  features withheld from the peers in the page, e.g. subgroups: what they do where a fast path of theirs is wrong
  --browser PATH      the Chromium to start
  --all               one line for every contestant
  --out FILE.json     write everything measured
  --merge FILE        a document of an earlier run to print with this run's; may be given several times; --only none runs nothing itself
`;

export interface PeersOptions {
  readonly adapter: "swiftshader" | "lavapipe" | "default";
  readonly choice: CaseChoice;
  readonly effort: Effort;
  readonly endToEnd: boolean;
  readonly gguf: string | undefined;
  readonly onnx: string | undefined;
  readonly prefill: readonly number[];
  readonly decode: number;
  readonly cpu: boolean;
  readonly threads: number | undefined;
  readonly peersWithout: readonly string[];
  readonly browser: string | undefined;
  readonly all: boolean;
  readonly out: string | undefined;
  readonly merge: readonly string[];
  readonly help: boolean;
}

const ADAPTERS = ["swiftshader", "lavapipe", "default"] as const;
const FORMATS: readonly WeightKind[] = ["f32", "q4", "q8"];
/** Timestamps of all compute passes of a round fit one query set even where a call takes several passes. */
const MOST_CALLS = 64;

function count(flag: string, text: string): number {
  const value = Number(text);
  ensure(Number.isInteger(value) && value > 0, "usage", `${flag}: expected a whole number from 1 on, came "${text}"`);
  return value;
}

function oneOf<Name extends string>(flag: string, text: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new RidgepointError("usage", `${flag}: expected one of ${names.join(", ")}, came "${text}"`);
  return found;
}

const listOf = (text: string): string[] => text.split(",").map((part) => part.trim());

function sizeOf(text: string): LinearSize {
  const match = /^(\d+)[x×](\d+)$/.exec(text);
  ensure(match, "usage", `--shapes: expected K×N like 576x1536, came "${text}"`);
  const [inFeatures, outFeatures] = [Number(match[1]), Number(match[2])];
  ensure(
    inFeatures > 0 && inFeatures % 32 === 0 && outFeatures > 0,
    "usage",
    `--shapes: expected K a multiple of 32 (blocks of quantised weights), came "${text}"`,
  );
  return [inFeatures, outFeatures];
}

/** @throws `usage` for an unknown option, a value that cannot be, or e2e without its model */
export function parseOptions(args: readonly string[]): PeersOptions {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (cause) {
    throw new RidgepointError("usage", cause instanceof Error ? cause.message : String(cause), { cause });
  }
  const { only, rows, shapes, formats, variants } = values;
  const named: readonly Topic[] | null =
    only === undefined ? null : only === "none" ? [] : listOf(only).map((name) => oneOf("--only", name, TOPICS));
  ensure(
    !named?.includes("e2e") || values.gguf !== undefined,
    "usage",
    "--only e2e: expected --gguf FILE, SmolLM2-135M-Instruct as GGUF",
  );
  const topics = named ?? TOPICS.filter((topic) => topic !== "e2e" || values.gguf !== undefined);
  return {
    adapter: oneOf("--adapter", values.adapter, ADAPTERS),
    choice: {
      topics,
      rows: rows === undefined ? null : listOf(rows).map((text) => count("--rows", text)),
      shapes: shapes === undefined ? null : listOf(shapes).map(sizeOf),
      formats: formats === undefined ? null : listOf(formats).map((name) => oneOf("--formats", name, FORMATS)),
    },
    effort: {
      rounds: count("--rounds", values.rounds),
      roundMs: count("--round-ms", values["round-ms"]),
      mostCalls: MOST_CALLS,
      variants: variants === undefined ? "chosen" : variants === "all" ? "all" : listOf(variants),
    },
    endToEnd: topics.includes("e2e"),
    gguf: values.gguf,
    onnx: values.onnx,
    prefill: listOf(values.prefill).map((text) => count("--prefill", text)),
    decode: count("--decode", values.decode),
    cpu: values.cpu,
    threads: values.threads === undefined ? undefined : count("--threads", values.threads),
    peersWithout: values["peers-without"] === undefined ? [] : listOf(values["peers-without"]),
    browser: values.browser,
    all: values.all,
    out: values.out,
    merge: values.merge,
    help: values.help,
  };
}

const parse = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    options: {
      adapter: { type: "string", default: "swiftshader" },
      only: { type: "string" },
      rows: { type: "string" },
      shapes: { type: "string" },
      formats: { type: "string" },
      variants: { type: "string" },
      rounds: { type: "string", default: "5" },
      "round-ms": { type: "string", default: "40" },
      gguf: { type: "string" },
      onnx: { type: "string" },
      prefill: { type: "string", default: "64,256" },
      decode: { type: "string", default: "32" },
      cpu: { type: "boolean", default: false },
      threads: { type: "string" },
      "peers-without": { type: "string" },
      browser: { type: "string" },
      all: { type: "boolean", default: false },
      out: { type: "string" },
      merge: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  }).values;
