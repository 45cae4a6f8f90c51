/** Questions to be judged by: a JSONL file in GSM8K's own format, or story prompts; how an answer is judged. It knows no model. */
import { readFile } from "node:fs/promises";
import { ensure, RidgepointError } from "../src/errors";
import { isStory, storySubject } from "./evaluation-stories";

/** `number`: the number after `####` must be the expected one; `story`: the text must be a story that answers its prompt. */
export type Judge = "number" | "story";

/** A line of a dataset. */
export interface Problem {
  readonly question: string;
  /** The number that the answer must end in, without separators; null for a story. */
  readonly expected: string | null;
}

/** What an answer was found to be. */
export interface Judgement {
  /** The final number, or null: there is none, or none was asked for. */
  readonly got: string | null;
  readonly correct: boolean;
}

/**
 * GSM8K's extraction (Cobbe et al. 2021, `grade_school_math/dataset.py: extract_answer`): the first number after `#### `, thousands separators
 * removed. Calculator annotations (`<<48/2=24>>24`) stand before it and change nothing.
 *
 * @returns null where there is none
 */
export function finalAnswer(text: string): string | null {
  return /#### (-?[0-9.,]+)/.exec(text)?.[1]?.replaceAll(",", "") || null;
}

/** Whether two final answers are one number: GSM8K compares the texts, but `18.` and `18.00` are 18. */
function isSameNumber(a: string, b: string): boolean {
  return a === b || Number(a) === Number(b);
}

/** Judges an answer. */
export function judge({ question, expected }: Problem, text: string): Judgement {
  if (expected === null) return { got: null, correct: isStory(question, text) };
  const got = finalAnswer(text);
  return { got, correct: got !== null && isSameNumber(got, expected) };
}

function parseLine(line: string, by: Judge, fail: (expected: string) => never): Problem {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return fail("a line of JSON");
  }
  const { question, answer } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof question !== "string" || question === "") return fail('{"question": "…"}');
  if (by === "story") {
    if (storySubject(question) === null) fail("a story prompt as in models/stories.jsonl");
    return { question, expected: null };
  }
  if (typeof answer !== "string") return fail('{"question": "…", "answer": "…"}');
  const expected = finalAnswer(answer);
  if (expected === null || Number.isNaN(Number(expected))) return fail('an "answer" that ends in "#### number"');
  return { question, expected };
}

/**
 * Reads a dataset.
 *
 * @param limit the first so many lines
 * @throws RidgepointError `not-found`: no such file; `bad-file`: a line that is not of the format, or no line at all
 */
export async function readDataset(path: string, by: Judge, limit = Number.POSITIVE_INFINITY): Promise<Problem[]> {
  const content = await readFile(path, "utf8").catch((cause: Error) => {
    throw new RidgepointError("not-found", `${path}: ${cause.message}`, { cause });
  });
  const problems: Problem[] = [];
  for (const [index, line] of content.split("\n").entries()) {
    if (line.trim() === "") continue;
    if (problems.length >= limit) break;
    const fail = (expected: string): never => {
      throw new RidgepointError("bad-file", `${path}: line ${index + 1}: expected ${expected}`);
    };
    problems.push(parseLine(line, by, fail));
  }
  ensure(problems.length > 0, "bad-file", `${path}: expected a question a line, got none`);
  return problems;
}
