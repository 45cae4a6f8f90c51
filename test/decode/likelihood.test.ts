/** J20, likelihood of a given answer: one token is its log-softmax, autoregressive is exact, the estimator's mean is the enumerated expectation. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { likelihood } from "../../src/decode/likelihood";
import { loadModel } from "../../src/index";
import type { LoadedEngine } from "../../src/model/load";
import type { Row } from "../../src/model/pass";
import { testGpu } from "../support/goldens";
import { GENERATION, loadRandom, randomFiles } from "../support/random-model";
import * as reference from "../support/reference";

const V = 64;
const MASK = 63;
const BLOCK = 4;
const tokens = (length: number, seed = 0): number[] => Array.from({ length }, (_, i) => (13 * i + 7 * seed + 3) % 60);
const model = (generation?: Readonly<Record<string, unknown>>) =>
  loadRandom({ vocabSize: V, headScale: 0.2, ...(generation ? { maskTokenId: MASK, generation } : {}) });

let ar: LoadedEngine;
let masked: LoadedEngine;
let block: LoadedEngine;
let shifted: LoadedEngine;
beforeAll(async () => {
  ar = await model();
  masked = await model(GENERATION.masked);
  block = await model(GENERATION.block);
  shifted = await model(GENERATION.shifted);
}, 120_000);
afterAll(() => {
  for (const { engine } of [ar, masked, block, shifted]) engine.dispose();
});

const score = ({ engine, config }: LoadedEngine, prompt: number[], answer: number[], options = {}) =>
  likelihood(engine, { config, suppress: config.family === "ar" ? [] : [MASK], prompt, answer }, options);

/** Log-softmax of `id` in the row of `at`, of one pass over a canvas. */
async function logOf({ engine, config }: LoadedEngine, canvas: number[], limitOf: (place: number) => number) {
  engine.writeCanvas(0, canvas);
  const rows = canvas.map(
    (_, place): Row => ({ place, position: place, slot: place, start: 0, limit: limitOf(place), goal: place }),
  );
  const logits = await engine.logits(rows);
  return (at: number, id: number): number => {
    const row = [...logits.subarray(at * V, (at + 1) * V)];
    if (config.family !== "ar") row[MASK] = reference.SUPPRESSED;
    return reference.log_probability(row, id);
  };
}
const blockLimit = (length: number) => (place: number) => Math.min(length, (Math.floor(place / BLOCK) + 1) * BLOCK);
const maskedAt = (canvas: readonly number[], places: readonly number[]): number[] =>
  canvas.map((id, place) => (places.includes(place) ? MASK : id));

test.each([1, 2, 9])("autoregressive: the log-softmax of each of %i tokens after all before it, exactly", async (length) => {
  const [prompt, answer] = [tokens(6), tokens(length, 5)];
  const canvas = [...prompt, ...answer];
  const log = await logOf(ar, canvas, (place) => place + 1);
  const want = answer.map((id, i) => log(5 + i, id));
  const { logLikelihood, perToken, samples } = await score(ar, prompt, answer);
  perToken?.forEach((value, i) => {
    expect(value).toBeCloseTo(want[i] as number, 4);
  });
  expect(perToken).toHaveLength(length);
  expect(logLikelihood).toBeCloseTo(
    want.reduce((a, b) => a + b, 0),
    3,
  );
  expect(samples).toBe(0);
});

describe("masked diffusion", () => {
  test("one token: its log-softmax where it is masked, in one draw", async () => {
    const [prompt, answer] = [tokens(6), tokens(1, 5)];
    const log = await logOf(masked, [...prompt, MASK], () => 7);
    const { logLikelihood, samples } = await score(masked, prompt, answer, { samples: 32 });
    expect(samples).toBe(1);
    expect(logLikelihood).toBeCloseTo(log(6, answer[0] as number), 4);
  });

  /** Mean over all masks of three places: for each number of them with equal chance, each set of that size alike. */
  async function enumerated(of: LoadedEngine, canvas: number[], begin: number, limitOf: (place: number) => number) {
    let sum = 0;
    let squares = 0;
    for (let bits = 1; bits < 8; bits++) {
      const places = [0, 1, 2].filter((i) => bits & (1 << i)).map((i) => begin + i);
      const log = await logOf(of, maskedAt(canvas, places), limitOf);
      const value = (places.reduce((total, place) => total + log(place, canvas[place] as number), 0) * 3) / places.length;
      const chance = 1 / 3 / (places.length === 3 ? 1 : 3);
      sum += chance * value;
      squares += chance * value * value;
    }
    return { mean: sum, deviation: Math.sqrt(squares - sum * sum) };
  }

  test("three tokens: the estimate is the enumerated expectation, within its error", async () => {
    const [prompt, answer] = [tokens(6), tokens(3, 5)];
    const want = await enumerated(masked, [...prompt, ...answer], 6, () => 9);
    expect(want.deviation).toBeGreaterThan(0.05);
    const { logLikelihood } = await score(masked, prompt, answer, { samples: 960, seed: 4 });
    expect(Math.abs(logLikelihood - want.mean)).toBeLessThan((4 * want.deviation) / Math.sqrt(960));
    const other = await score(masked, prompt, answer, { samples: 960, seed: 5 });
    expect(other.logLikelihood).not.toBe(logLikelihood);
    expect((await score(masked, prompt, answer, { samples: 960, seed: 4 })).logLikelihood).toBe(logLikelihood);
  }, 120_000);

  test("block diffusion: the same within a block, with what is behind the answer masked", async () => {
    const [prompt, answer] = [tokens(4), tokens(3, 5)];
    const want = await enumerated(block, [...prompt, ...answer, MASK], 4, blockLimit(8));
    const { logLikelihood } = await score(block, prompt, answer, { samples: 960, seed: 4 });
    expect(Math.abs(logLikelihood - want.mean)).toBeLessThan((4 * want.deviation) / Math.sqrt(960) + 1e-3);
  }, 120_000);
});

test("block diffusion: one token in each of two blocks is exact, the second after the first", async () => {
  const [prompt, answer] = [tokens(7), tokens(2, 5)];
  const canvas = [...prompt, ...answer];
  const first = await logOf(block, maskedAt([...canvas.slice(0, 8)], [7]), blockLimit(8));
  const second = await logOf(block, [...canvas.slice(0, 8), MASK, MASK, MASK, MASK], blockLimit(12));
  const { logLikelihood } = await score(block, prompt, answer, { samples: 3 });
  expect(logLikelihood).toBeCloseTo(first(7, answer[0] as number) + second(8, answer[1] as number), 3);
});

test("block diffusion with shift: the first token of a block is answered by the clean block before it", async () => {
  const [prompt, answer] = [tokens(8), tokens(2, 5)];
  const clean = await logOf(shifted, prompt, blockLimit(8));
  const next = await logOf(shifted, [...prompt, answer[0] as number, MASK, MASK, MASK], blockLimit(12));
  const { logLikelihood } = await score(shifted, prompt, answer);
  expect(logLikelihood).toBeCloseTo(clean(7, answer[0] as number) + next(8, answer[1] as number), 3);
});

test.each([
  ["no answer", [1], [], {}, /at least one token/],
  ["no draws", [1], [2], { samples: 0 }, /samples/],
  ["a seed that is none", [1], [2], { seed: -1 }, /seed/],
  ["an unknown option", [1], [2], { sample: 3 }, /came sample/],
  ["an id beyond the vocabulary", [1], [V], {}, /ids from 0 to 63/],
])("%s is refused", async (_, prompt, answer, options, message) => {
  await expect(score(masked, prompt, answer, options)).rejects.toMatchObject({
    code: "bad-option",
    message: expect.stringMatching(message),
  });
});

test("a model scores ids; the same answer twice, between generations", async () => {
  const files = randomFiles({ vocabSize: V, headScale: 0.2 });
  const loaded = await loadModel(files, { gpu: await testGpu() });
  const prompt = { ids: tokens(6) };
  const greedy = await loaded.generate(prompt, { maxNewTokens: 4 }).result;
  const best = await loaded.likelihood(prompt, greedy.ids);
  const other = await loaded.likelihood(prompt, tokens(4, 9));
  expect(best.logLikelihood).toBeGreaterThan(other.logLikelihood);
  expect(await loaded.likelihood(prompt, greedy.ids)).toEqual(best);
  await expect(loaded.likelihood(prompt, "text")).rejects.toMatchObject({ code: "no-tokenizer" });
  await expect(loaded.likelihood(prompt, tokens(500))).rejects.toMatchObject({ code: "context-overflow" });
  await loaded.dispose();
});
