/** The shipped questions that models are judged by obey the rule that keeps them out of training. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { finalAnswer, readDataset } from "../../../cli/evaluation-dataset";

const MODELS = join(import.meta.dirname, "../../../models");
/** Questions whose SHA-1 begins with a byte below it are for tests (`training/corpus.py`). */
const TEST_BELOW = 8;

const questionsOf = (file: string): string[] =>
  readFileSync(join(MODELS, file), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).question);

describe.each([
  ["heldout.jsonl", 500],
  ["stories.jsonl", 100],
])("%s", (file, count) => {
  const questions = questionsOf(file);

  test(`holds ${count} questions, none twice`, () => {
    expect(questions).toHaveLength(count);
    expect(new Set(questions).size).toBe(count);
  });

  test("every question is a test question by its SHA-1", () => {
    const firstByte = (question: string): number => createHash("sha1").update(question, "utf8").digest()[0]!;
    expect(questions.filter((question) => firstByte(question) >= TEST_BELOW)).toEqual([]);
  });
});

test("every problem has a number of two digits for an answer, and every equation on the way holds", async () => {
  const problems = await readDataset(join(MODELS, "heldout.jsonl"), "number");
  expect(problems.every(({ expected }) => /^\d\d$/.test(expected ?? ""))).toBe(true);
  for (const line of readFileSync(join(MODELS, "heldout.jsonl"), "utf8").trimEnd().split("\n")) {
    const { answer } = JSON.parse(line);
    const equations = [...answer.matchAll(/(\d+)([-+*/])(\d+)=(\d+)/g)] as RegExpMatchArray[];
    expect(equations.length).toBeGreaterThan(0);
    for (const [whole, a, operator, b, result] of equations) {
      const [x, y] = [Number(a), Number(b)];
      expect({ "+": x + y, "-": x - y, "*": x * y, "/": x / y }[operator!], whole).toBe(Number(result));
    }
    expect(equations.at(-1)![4]).toBe(finalAnswer(answer));
  }
});
