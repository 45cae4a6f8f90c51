/** `eval`: the document, the records it leaves, going on after an interruption, and what it refuses. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { document, run, temporaryFolder } from "./cli";

const QUESTIONS = [
  ["Hugo is 47 years old. Ella is 11 years older than Hugo. How old will Ella be in 12 years?", "47+11=<<47+11=58>>58\n#### 70"],
  ["Emma buys 9 eggs. Each one costs 3 dollars. She also buys some stones for 12 dollars. How much is it?", "#### 1,039"],
  [
    "Leo has a book of 92 pages. He reads 34 pages on Sunday and 11 pages on Friday. How many pages are left?",
    "He reads 45.\n#### 47",
  ],
] as const;

function dataset(folder: string, questions: readonly (readonly [string, string])[] = QUESTIONS): string {
  const path = join(folder, "data.jsonl");
  writeFileSync(path, questions.map(([question, answer]) => `${JSON.stringify({ question, answer })}\n`).join(""));
  return path;
}

const recordsOf = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

const LONG_MS = 600_000;

test(
  "the document counts right answers, tokens and forwards; a record a problem; resuming gives the same",
  async () => {
    const folder = temporaryFolder();
    const out = join(folder, "records.jsonl");
    const args = ["eval", "--model", "builtin:mdlm", "--dataset", dataset(folder), "--out", out];
    const decoding = ["--gen-length", "32", "--block-length", "16", "--cache", "dual", "--threshold", "0.9"];
    const whole = await document([...args, ...decoding]);
    expect(whole).toMatchObject({
      schema: "ridgepoint/1",
      command: "eval",
      model: { name: "builtin:mdlm", family: "mdlm" },
      dataset: { judge: "number" },
      options: { genLength: 32, blockLength: 16, cache: "dual", threshold: 0.9 },
      n: 3,
    });
    expect(whole.device.browser).toMatch(/\d/);
    expect(whole.failures).toHaveLength(whole.n - whole.correct);
    // 1,039 is no answer of this model.
    expect(whole.failures.map(({ index }: { index: number }) => index)).toContain(1);
    expect(whole.failures.find(({ index }: { index: number }) => index === 1).expected).toBe("1039");
    expect(whole.accuracy).toBeCloseTo(whole.correct / 3);
    expect(whole.confidence95.low).toBeLessThanOrEqual(whole.accuracy);
    expect(whole.confidence95.high).toBeGreaterThanOrEqual(whole.accuracy);
    expect(whole.tokensPerForward).toBeGreaterThan(0);
    expect(whole.tokensPerSecond).toBeGreaterThan(0);
    expect(whole.flopsPerToken).toBeGreaterThan(1e6);

    const records = recordsOf(out);
    expect(records.map(({ question }) => question)).toEqual(QUESTIONS.map(([question]) => question));
    expect(records.map(({ expected }) => expected)).toEqual(["70", "1039", "47"]);
    for (const { text, got, ids, tokens, forwards, correct, expected } of records) {
      expect(ids).toHaveLength(tokens);
      expect(forwards).toBeGreaterThan(0);
      expect(correct).toBe(got === expected);
      expect(got === null || text.includes(`#### ${got}`)).toBe(true);
    }
    // The same answer as `generate` gives through the chat template.
    const one = await document(["generate", "--model", "builtin:mdlm", "--chat", QUESTIONS[0][0], ...decoding]);
    expect(records[0].text).toBe(one.text);
    expect(records[0].forwards).toBe(one.nfe);

    // Together they get the answers that they get alone.
    const inBatch = await document([...args.slice(0, -1), join(folder, "batch.jsonl"), ...decoding, "--batch", "2"]);
    expect(inBatch).toMatchObject({ batch: 2, correct: whole.correct, tokens: whole.tokens, forwards: whole.forwards });
    const textsOf = (path: string) => recordsOf(path).map(({ text }) => text);
    expect(textsOf(join(folder, "batch.jsonl"))).toEqual(textsOf(out));

    // Cut off while the second record was being written.
    const lines = readFileSync(out, "utf8").split("\n");
    writeFileSync(out, `${lines[0]}\n${lines[1]!.slice(0, 80)}`);
    const resumed = await document([...args, ...decoding, "--resume"]);
    const { correct, accuracy, tokens, forwards, tokensPerForward, flopsPerToken, failures } = whole;
    expect(resumed).toMatchObject({ n: 3, correct, accuracy, tokens, forwards, tokensPerForward, flopsPerToken, failures });
    const withoutTime = (path: string) => recordsOf(path).map(({ wallNs, ...rest }) => rest);
    expect(withoutTime(out)).toEqual(records.map(({ wallNs, ...rest }) => rest));

    const other = await run([...args, ...decoding.slice(0, -1), "0.8", "--resume"]);
    expect(other.stderr).toMatch(/^error \[bad-option\]: --resume: .*options differs/m);
    expect(other.status).toBe(1);
    const again = await run([...args, ...decoding]);
    expect(again.stderr).toMatch(/^error \[bad-option\]: --out: .* exists; give --resume/m);
  },
  LONG_MS,
);

test("stories, told for people", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "stories.jsonl");
  writeFileSync(path, '{"question":"Tell a story about Sam and a cat."}\n');
  const args = ["eval", "--dataset", path, "--judge", "story", "--max-new-tokens", "64"];
  const { stdout, status } = await run(args);
  expect(status).toBe(0);
  expect(stdout).toMatch(/[01] of 1 right: \d+\.0 % \(95 %: [\d.]+ % – [\d.]+ %\)/);
  expect(stdout).toContain("tokens/forward");
});

describe("refused", () => {
  const expectError = async (args: readonly string[], code: string, what: RegExp, status = 1) => {
    const ended = await run(["eval", ...args]);
    expect(ended.stderr).toMatch(new RegExp(`^error \\[${code}\\]: \\S[^\n]*\n$`));
    expect(ended.stderr).toMatch(what);
    expect(ended.stdout).toBe("");
    expect(ended.status).toBe(status);
  };

  test("datasets that are none", async () => {
    const folder = temporaryFolder();
    await expectError(["--dataset", join(folder, "none.jsonl")], "not-found", /none\.jsonl/);
    const path = dataset(folder);
    appendFileSync(path, '{"question":"?","answer":"seven"}\n');
    await expectError(["--dataset", path], "bad-file", /line 4: .*#### number/);
    await expectError(["--dataset", path, "--judge", "story"], "bad-file", /line 1: .*story prompt/);
    await expectError([], "usage", /--dataset/, 2);
    await expectError(["--dataset", path, "--judge", "taste"], "usage", /--judge/, 2);
  });

  test(
    "options that do not fit",
    async () => {
      const path = dataset(temporaryFolder());
      await expectError(["--dataset", path, "--limit", "0"], "bad-option", /--limit/);
      await expectError(["--dataset", path, "--batch", "0"], "bad-option", /--batch/);
      await expectError(["--dataset", path, "--limit", "1.5"], "bad-option", /--limit/);
      await expectError(["--dataset", path, "--resume"], "bad-option", /--out/);
      await expectError(["--dataset", path, "--frobnicate", "3"], "bad-option", /frobnicate/);
      await expectError(["--dataset", path, "--threshold", "0.9"], "bad-option", /threshold/);
      await expectError(["--dataset", path, "--model", "builtin:block", "--cache", "dual"], "bad-option", /cache/);
      await expectError(["--dataset", path, "--max-new-tokens", "500"], "context-overflow", /not one of 3/);
    },
    LONG_MS,
  );
});
