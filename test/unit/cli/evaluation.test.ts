/** Judging, adding up and recording answers, without a browser: a session that answers from a table. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { evaluate, promptFor, summarizeEvaluation } from "../../../cli/evaluation";
import { finalAnswer, judge, readDataset } from "../../../cli/evaluation-dataset";
import { type Conditions, type EvaluationRecord, hashModel, RecordFile } from "../../../cli/evaluation-records";
import type { Session } from "../../../cli/session";
import { RidgepointError } from "../../../src/errors";

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "ridgepoint-eval-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const CONDITIONS: Conditions = {
  model: "m",
  weights: "abc",
  device: "d",
  judge: "number",
  options: { threshold: 0.9 },
  batch: 1,
};
const PROBLEMS = [1, 2, 3, 4].map((n) => ({ question: `q${n}`, expected: String(n) }));

/** A session whose model answers `#### n` to question n, but for those in `wrong`; `calls` counts its generations. */
function fakeSession(wrong: readonly string[] = [], tooLong: readonly string[] = []) {
  const calls: string[] = [];
  const generate = (prompt: string) => {
    if (tooLong.includes(prompt)) throw new RidgepointError("context-overflow", "too long");
    return {
      text: `so #### ${wrong.includes(prompt) ? 99 : prompt.slice(1)}`,
      ids: [5, 6, 0],
      usage: { promptTokens: 2, completionTokens: 3, totalTokens: 5 },
      forwards: 2,
      rowsPerForward: 8,
      flopsPerToken: 100,
      timings: { wallNs: 1e9 },
      finishReason: "stop",
    };
  };
  const call = async (name: string, { prompt = "", prompts = [] }: { prompt?: string; prompts?: string[] }) => {
    calls.push(name === "generateBatch" ? prompts.join("+") : prompt);
    return name === "generateBatch" ? { results: prompts.map(generate), wallNs: 1.5e9 } : generate(prompt);
  };
  return { session: { call } as unknown as Session, calls };
}

const evaluation = { conditions: CONDITIONS, problems: PROBLEMS, promptOf: (question: string) => question, title: "eval" };

test.each([
  ["He sold 48/2 = <<48/2=24>>24 clips.\n#### 24", "24"],
  ["#### 1,234,567", "1234567"],
  ["#### -5", "-5"],
  ["#### 18.00", "18.00"],
  ["a #### 7 then #### 8", "7"],
  ["####7", null],
  ["the answer is 7", null],
  ["#### $7", null],
  ["#### ,", null],
  ["", null],
])("GSM8K's extraction of %j is %j", (text, expected) => {
  expect(finalAnswer(text)).toBe(expected);
});

test("answers are compared as numbers", () => {
  const problem = { question: "q", expected: "1234" };
  for (const right of ["#### 1,234", "#### 1234.00", "#### 1234."]) expect(judge(problem, right).correct).toBe(true);
  for (const wrong of ["#### 123", "1234", "", "#### 1234.5"]) expect(judge(problem, wrong).correct).toBe(false);
  expect(judge({ question: "q", expected: "0" }, "#### ,")).toEqual({ got: null, correct: false });
});

test("a story is judged by its prompt, and a word problem's text is none", () => {
  const problem = { question: "Tell a story about Mia and a bear.", expected: null };
  const [line] = readFileSync(join(import.meta.dirname, "../../goldens/stories.jsonl"), "utf8").split("\n");
  const { question, text } = JSON.parse(line!);
  expect(judge({ question, expected: null }, text)).toEqual({ got: null, correct: true });
  expect(judge(problem, "#### 4")).toEqual({ got: null, correct: false });
});

test("a dataset is read to its limit, and what is wrong with a line is told with its number", async () => {
  const path = join(temporary(), "data.jsonl");
  writeFileSync(path, '{"question":"a","answer":"x <<1+1=2>>2\\n#### 1,002"}\n\n{"question":"b","answer":"#### 3"}\nnot json\n');
  expect(await readDataset(path, "number", 2)).toEqual([
    { question: "a", expected: "1002" },
    { question: "b", expected: "3" },
  ]);
  await expect(readDataset(path, "number")).rejects.toThrow(/data\.jsonl: line 4: expected a line of JSON/);
  for (const [line, expected] of [
    ['{"question":"a"}', /"answer"/],
    ['{"question":"a","answer":"7"}', /#### number/],
    ['{"answer":"#### 7"}', /"question"/],
    ["[1]", /"question"/],
    ["null", /"question"/],
  ] as const) {
    writeFileSync(path, `${line}\n`);
    await expect(readDataset(path, "number"), line).rejects.toMatchObject({
      code: "bad-file",
      message: expect.stringMatching(expected),
    });
  }
  writeFileSync(path, '{"question":"How many apples?"}\n');
  await expect(readDataset(path, "story")).rejects.toMatchObject({ code: "bad-file" });
  writeFileSync(path, "\n");
  await expect(readDataset(path, "number")).rejects.toMatchObject({ code: "bad-file" });
  await expect(readDataset(join(path, "no"), "number")).rejects.toMatchObject({ code: "not-found" });
});

test("every problem is answered once, the first twice to compile", async () => {
  const { session, calls } = fakeSession(["q2"]);
  const seen: EvaluationRecord[] = [];
  const records = await evaluate(session, { ...evaluation, done: [], onRecord: (record) => seen.push(record) });
  expect(calls).toEqual(["q1", "q1", "q2", "q3", "q4"]);
  expect(seen).toEqual(records);
  expect(records.map(({ index, correct, got }) => [index, correct, got])).toEqual([
    [0, true, "1"],
    [1, false, "99"],
    [2, true, "3"],
    [3, true, "4"],
  ]);
});

test("sums are over tokens and forwards, not means of ratios; the interval is Wilson's", async () => {
  const { session } = fakeSession(["q2"]);
  const records = await evaluate(session, { ...evaluation, done: [] });
  records[3] = { ...records[3]!, tokens: 30, forwards: 6, rows: 24, flops: 600, wallNs: 2e9 };
  const summary = summarizeEvaluation(records);
  expect(summary).toMatchObject({ n: 4, correct: 3, accuracy: 0.75, tokens: 39, forwards: 3 });
  expect(summary.tokensPerForward).toBeCloseTo(39 / 12);
  expect(summary.tokensPerSecond).toBeCloseTo(39 / 5);
  expect(summary.rowsPerForward).toBeCloseTo((3 * 16 + 24) / 12);
  expect(summary.flopsPerToken).toBeCloseTo(1500 / 39);
  // Wilson for 3 of 4, by hand: (0.75 + z²/8 ± z √(0.1875/4 + z²/64)) / (1 + z²/4), z = 1.96.
  expect(summary.confidence95.low).toBeCloseTo(0.3006, 3);
  expect(summary.confidence95.high).toBeCloseTo(0.9544, 3);
  expect(() => summarizeEvaluation([])).toThrow(RidgepointError);
});

test("a problem too long for the model is wrong and says why; another error ends the evaluation", async () => {
  const records = await evaluate(fakeSession([], ["q1", "q3"]).session, { ...evaluation, done: [] });
  expect(records.map(({ correct, error }) => [correct, error])).toEqual([
    [false, "context-overflow: too long"],
    [true, undefined],
    [false, "context-overflow: too long"],
    [true, undefined],
  ]);
  expect(summarizeEvaluation(records)).toMatchObject({ accuracy: 0.5, tokens: 6, forwards: 1 });
  const dead = { call: () => Promise.reject(new RidgepointError("device-lost", "gone")) } as unknown as Session;
  await expect(evaluate(dead, { ...evaluation, done: [] })).rejects.toMatchObject({ code: "device-lost" });
});

test("with a batch, as many as are left go together, each into a record of its own, the time divided among them", async () => {
  const { session, calls } = fakeSession(["q2"]);
  const together = { ...evaluation, conditions: { ...CONDITIONS, batch: 3 }, done: [] };
  const records = await evaluate(session, together);
  expect(calls).toEqual(["q1+q2+q3", "q1+q2+q3", "q4"]);
  const alone = await evaluate(fakeSession(["q2"]).session, { ...evaluation, done: [] });
  expect(records.map(({ wallNs, batch, ...rest }) => rest)).toEqual(alone.map(({ wallNs, batch, ...rest }) => rest));
  expect(records.map(({ wallNs }) => wallNs)).toEqual([5e8, 5e8, 5e8, 1e9]);
});

test("problems that do not fit together are answered one by one", async () => {
  const { session, calls } = fakeSession([], ["q2"]);
  const together = { ...evaluation, conditions: { ...CONDITIONS, batch: 2 }, problems: PROBLEMS.slice(0, 2), done: [] };
  const records = await evaluate(session, together);
  expect(calls).toEqual(["q1+q2", "q1", "q2", "q1+q2", "q1", "q2"]);
  expect(records.map(({ correct, error }) => [correct, error])).toEqual([
    [true, undefined],
    [false, "context-overflow: too long"],
  ]);
});

test("a model with a chat template gets the question as a user's message", () => {
  expect(promptFor({ chatTemplate: "{{ x }}" })("q")).toEqual([{ role: "user", content: "q" }]);
  expect(promptFor({ chatTemplate: null })("q")).toBe("q");
});

/** Evaluates the first two problems into a file. */
async function begun(): Promise<string> {
  const path = join(temporary(), "deep/records.jsonl");
  const { file, records } = await RecordFile.open(path, { conditions: CONDITIONS, problems: PROBLEMS, resume: false });
  const two = { ...evaluation, problems: PROBLEMS.slice(0, 2), done: records };
  await evaluate(fakeSession().session, { ...two, onRecord: (record) => file.append(record) });
  return path;
}

test("a run that was cut off goes on where it was, and ends as one that was not", async () => {
  const path = await begun();
  appendFileSync(path, '{"index":2,"question":"q3","exp');
  const { file, records } = await RecordFile.open(path, { conditions: CONDITIONS, problems: PROBLEMS, resume: true });
  expect(records).toHaveLength(2);
  const { session, calls } = fakeSession();
  const all = await evaluate(session, { ...evaluation, done: records, onRecord: (record) => file.append(record) });
  expect(calls).toEqual(["q3", "q3", "q4"]);
  const whole = await evaluate(fakeSession().session, { ...evaluation, done: [] });
  expect(all).toEqual(whole);
  const written = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(written.map((line) => JSON.parse(line))).toEqual(whole);
});

test("with a smaller limit, the records beyond it are not counted", async () => {
  const path = await begun();
  const { records } = await RecordFile.open(path, { conditions: CONDITIONS, problems: PROBLEMS.slice(0, 1), resume: true });
  expect(records.map(({ index }) => index)).toEqual([0]);
});

test.each<[string, Partial<Conditions>]>([
  ["options", { options: { threshold: 0.8 } }],
  ["model", { model: "other" }],
  ["weights", { weights: "def" }],
  ["device", { device: "another" }],
  ["judge", { judge: "story" }],
  ["batch", { batch: 2 }],
])("records made with another %s are refused", async (name, change) => {
  const path = await begun();
  const open = RecordFile.open(path, { conditions: { ...CONDITIONS, ...change }, problems: PROBLEMS, resume: true });
  await expect(open).rejects.toMatchObject({ code: "bad-option", message: expect.stringContaining(`${name} differs`) });
});

test("a file that is there is not written over; one of another dataset, or of something else, is refused", async () => {
  const path = await begun();
  const open = (problems: typeof PROBLEMS, resume: boolean) =>
    RecordFile.open(path, { conditions: CONDITIONS, problems, resume });
  await expect(open(PROBLEMS, false)).rejects.toMatchObject({ code: "bad-option", message: expect.stringContaining("--resume") });
  await expect(open(PROBLEMS.toReversed(), true)).rejects.toMatchObject({ code: "bad-option" });
  writeFileSync(path, "hello\n");
  await expect(open(PROBLEMS, true)).rejects.toMatchObject({ code: "bad-file" });
  writeFileSync(path, "null\n");
  await expect(open(PROBLEMS, true)).rejects.toMatchObject({ code: "bad-option" });
});

test("weights are told apart by their bytes, whatever the file's name", async () => {
  const folder = temporary();
  const hashOf = (name: string, bytes: string) => {
    writeFileSync(join(folder, name), bytes);
    return hashModel({ paths: [join(folder, name)] });
  };
  expect(await hashOf("a.gguf", "one")).toBe(await hashOf("b.gguf", "one"));
  expect(await hashOf("a.gguf", "one")).not.toBe(await hashOf("a.gguf", "two"));
  // SHA-256 of "abc" (FIPS 180-2, B.1).
  expect(await hashOf("a.gguf", "abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(await hashModel({ address: "hf:org/repo/model.gguf" })).toBeNull();
});
