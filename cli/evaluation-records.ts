/** What an evaluation leaves: one line of JSON for each problem, appended as it is answered, so that a run that was cut off can go on. */
import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { mkdir, readFile, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ensure, RidgepointError } from "../src/errors";
import type { GenerateOptions } from "../src/index";
import type { Judge, Problem } from "./evaluation-dataset";
import { type ModelSpec, openModel } from "./models";

/** What must be the same for two records to count together. */
export interface Conditions {
  readonly model: string;
  /** SHA-256 over the model's files; null for a model fetched from elsewhere, which has only its name. */
  readonly weights: string | null;
  readonly device: string;
  readonly judge: Judge;
  readonly options: GenerateOptions;
  /** Problems answered together: it changes no answer, but the times. */
  readonly batch: number;
}

/** One answered problem. */
export interface EvaluationRecord extends Conditions {
  /** Line of the dataset, from 0, empty ones not counted. */
  readonly index: number;
  readonly question: string;
  readonly expected: string | null;
  readonly got: string | null;
  readonly correct: boolean;
  readonly text: string;
  readonly ids: readonly number[];
  /** Tokens of the answer, its end included. */
  readonly tokens: number;
  readonly forwards: number;
  readonly rows: number;
  readonly flops: number;
  /** Of the whole batch, over its problems. */
  readonly wallNs: number;
  readonly finishReason: string;
  /** Why there is no answer: the problem does not fit the model's context. */
  readonly error?: string;
}

/** Bytes hashed at a time. */
const PIECE = 8 * 2 ** 20;

/** SHA-256 over the files of a model of this machine, hexadecimal; null for one that is fetched from elsewhere. */
export async function hashModel(spec: ModelSpec): Promise<string | null> {
  if ("address" in spec && !spec.address.startsWith("builtin:")) return null;
  const hash = createHash("sha256");
  for (const source of await openModel(spec)) {
    for (let start = 0; start < source.size; start += PIECE) {
      hash.update(await source.read(start, Math.min(start + PIECE, source.size)));
    }
  }
  return hash.digest("hex");
}

/** A file of records that belong together. */
export class RecordFile {
  readonly path: string;
  readonly #conditions: Conditions;

  private constructor(path: string, conditions: Conditions) {
    this.path = path;
    this.#conditions = conditions;
  }

  /**
   * Opens a file to append to.
   *
   * @param resume go on with the records that are there; without it the file must not exist
   * @returns the file, and its records from the first problem on without a gap
   * @throws RidgepointError `bad-option`: there is a file already, or it was made under other conditions; `bad-file`: it holds something else
   */
  static async open(
    path: string,
    { conditions, problems, resume }: { conditions: Conditions; problems: readonly Problem[]; resume: boolean },
  ): Promise<{ file: RecordFile; records: EvaluationRecord[] }> {
    const file = new RecordFile(path, conditions);
    const content = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") return null;
      throw new RidgepointError("not-found", `${path}: ${cause.message}`, { cause });
    });
    if (content === null) {
      await mkdir(dirname(path), { recursive: true });
      return { file, records: [] };
    }
    ensure(resume, "bad-option", `--out: ${path} exists; give --resume to go on with it, or another file`);
    // A line without its end was being written when the run was cut off.
    const whole = content.slice(0, content.lastIndexOf("\n") + 1);
    const lines = whole.split("\n").slice(0, -1);
    const records = lines.map((line, index) => file.#parse(line, index, problems));
    if (whole.length < content.length) await truncate(path, Buffer.byteLength(whole));
    return { file, records: records.slice(0, problems.length) };
  }

  /** Appends one record, the first of all making the file; it is on disk when this returns. */
  append(record: EvaluationRecord): void {
    appendFileSync(this.path, `${JSON.stringify(record)}\n`);
  }

  #parse(line: string, index: number, problems: readonly Problem[]): EvaluationRecord {
    const place = `${this.path}: line ${index + 1}`;
    let record: EvaluationRecord;
    try {
      record = JSON.parse(line);
    } catch (cause) {
      throw new RidgepointError("bad-file", `${place}: expected a record of eval --out`, { cause });
    }
    for (const name of ["model", "weights", "device", "judge", "options", "batch"] as const) {
      const [came, expected] = [record?.[name], this.#conditions[name]];
      if (isDeepStrictEqual(came, expected)) continue;
      const was = `${JSON.stringify(came)} there, ${JSON.stringify(expected)} now`;
      throw new RidgepointError("bad-option", `--resume: ${place}: ${name} differs (${was}); give another --out`);
    }
    const problem = problems[index];
    const same = record.index === index && (!problem || record.question === problem.question);
    ensure(
      same,
      "bad-option",
      `--resume: ${place}: answers another question than line ${index + 1} of the dataset; give another --out`,
    );
    return record;
  }
}
