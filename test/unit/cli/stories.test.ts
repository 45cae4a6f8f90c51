/** The stories' checker agrees with the generator's own, on whole stories and on damaged ones. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isStory, storySubject } from "../../../cli/evaluation-stories";

interface Verdict {
  readonly question: string;
  readonly text: string;
  readonly valid: boolean;
}

const ROOT = join(import.meta.dirname, "../../..");
const linesOf = <T>(path: string): T[] =>
  readFileSync(join(ROOT, path), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
const verdicts = linesOf<Verdict>("test/goldens/stories.jsonl");

test("the recorded verdicts go both ways", () => {
  expect(verdicts.filter(({ valid }) => valid).length).toBeGreaterThan(100);
  expect(verdicts.filter(({ valid }) => !valid).length).toBeGreaterThan(100);
});

test("every verdict is the generator's", () => {
  const differing = verdicts.filter(({ question, text, valid }) => isStory(question, text) !== valid);
  expect(differing).toEqual([]);
});

test("every shipped prompt asks for a story, and a word problem does not", () => {
  const prompts = linesOf<{ question: string }>("models/stories.jsonl");
  expect(prompts.filter(({ question }) => storySubject(question) === null)).toEqual([]);
  const problems = linesOf<{ question: string }>("models/heldout.jsonl");
  expect(problems.filter(({ question }) => storySubject(question) !== null)).toEqual([]);
  expect(isStory(problems[0]!.question, verdicts[0]!.text)).toBe(false);
});

test("a prompt's words are read", () => {
  expect(storySubject("Tell a story about Mia and a bear.")).toEqual({ name: "Mia", animal: "bear" });
  expect(storySubject("Tell a story about Mia and an old bear.")).toEqual({ name: "Mia", mood: "old", animal: "bear" });
  expect(storySubject("Tell a story about Tom and a fox at the farm.")).toEqual({ name: "Tom", animal: "fox", place: "farm" });
  expect(storySubject("Write a short story about Zoe, a dog and a soft blanket.")).toEqual({
    name: "Zoe",
    animal: "dog",
    thing: "soft blanket",
  });
});
