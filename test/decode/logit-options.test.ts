/** Penalties, bias and log-probabilities in whole generations, against a model's raw logits on the host. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GenerateOptions, loadModel, type Model } from "../../src/index";
import { testGpu } from "../support/goldens";
import { GENERATION, randomFiles } from "../support/random-model";
import * as reference from "../support/reference";

const V = 64;
const MASK = 63;
const prompt = { ids: Array.from({ length: 6 }, (_, i) => (13 * i + 3) % 60) };
let ar: Model;
let masked: Model;
beforeAll(async () => {
  const gpu = await testGpu();
  ar = await loadModel(randomFiles({ vocabSize: V }), { gpu, sequences: 3 });
  masked = await loadModel(randomFiles({ vocabSize: V, maskTokenId: MASK, generation: GENERATION.masked }), { gpu });
}, 120_000);
afterAll(async () => {
  await ar.dispose();
  await masked.dispose();
});

/** Greedy decoding on the host, one whole forward a token, its logits changed by `change`. */
async function onHost(length: number, change: (logits: number[], tokens: number[]) => ArrayLike<number>) {
  const tokens = [...prompt.ids];
  const rows: number[][] = [];
  for (let i = 0; i < length; i++) {
    const { logits } = await ar.forward({ tokens, attention: "causal" });
    const row = Array.from(change([...logits.subarray((tokens.length - 1) * V)], tokens));
    rows.push(row);
    tokens.push(row.indexOf(Math.max(...row)));
  }
  return { ids: tokens.slice(prompt.ids.length), rows };
}

describe("autoregressive", () => {
  test.each([
    { repetitionPenalty: 1.5 },
    { presencePenalty: 1.5 },
    { frequencyPenalty: 2 },
    { repetitionPenalty: 1.2, presencePenalty: -0.5, frequencyPenalty: 0.7 },
  ])("%o: the text of penalties applied on the host, though four tokens go in one submit", async (options) => {
    const { repetitionPenalty: repetition = 1, presencePenalty: presence = 0, frequencyPenalty: frequency = 0 } = options;
    const want = await onHost(14, (logits, tokens) =>
      reference.penalize(logits, tokens, { answer: prompt.ids.length, mask: -1, repetition, presence, frequency }),
    );
    const { ids } = await ar.generate(prompt, { maxNewTokens: 14, ...options }).result;
    expect(ids).toEqual(want.ids);
    const plain = await ar.generate(prompt, { maxNewTokens: 14 }).result;
    expect(ids).not.toEqual(plain.ids);
    const batch = await ar.generateBatch([{ ids: [9, 8] }, prompt], { maxNewTokens: 14, ...options }).results;
    expect(batch[1]?.ids).toEqual(ids);
  });

  test("a bias forbids one token and forces another", async () => {
    const plain = await ar.generate(prompt, { maxNewTokens: 8 }).result;
    const banned = plain.ids[0] as number;
    const without = await ar.generate(prompt, { maxNewTokens: 8, logitBias: { [banned]: -100 } }).result;
    expect(without.ids).not.toContain(banned);
    expect(without.ids).toEqual((await onHost(8, (logits) => logits.map((l, id) => (id === banned ? l - 100 : l)))).ids);
    const forced = await ar.generate(prompt, { maxNewTokens: 3, logitBias: { 41: 100 } }).result;
    expect(forced.ids).toEqual([41, 41, 41]);
    // A list is that of its run alone.
    expect((await ar.generate(prompt, { maxNewTokens: 8 }).result).ids).toEqual(plain.ids);
  });

  test.each([0, 3, 20])("logprobs %i: of each token, and of the most probable beside it", async (logprobs) => {
    const want = await onHost(9, (logits) => logits);
    const result = await ar.generate(prompt, { maxNewTokens: 9, logprobs }).result;
    expect(result.logprobs?.map(({ id }) => id)).toEqual(result.ids);
    expect(result.ids).toEqual(want.ids);
    result.logprobs?.forEach(({ id, logProbability, top }, i) => {
      const row = want.rows[i] as number[];
      expect(logProbability).toBeCloseTo(reference.log_probability(row, id), 3);
      const best = reference.top_tokens(row, logprobs);
      expect(top.map((token) => token.id)).toEqual(best.map((token) => token.id));
      top.forEach((token, j) => {
        expect(token.logProbability).toBeCloseTo(best[j]?.logProbability as number, 3);
      });
    });
    expect(await ar.generate(prompt, { maxNewTokens: 2 }).result).not.toHaveProperty("logprobs");
    const batch = await ar.generateBatch([{ ids: [9, 8] }, prompt], { maxNewTokens: 9, logprobs }).results;
    expect(batch[1]?.logprobs?.map(({ top }) => top.map(({ id }) => id))).toEqual(
      result.logprobs?.map(({ top }) => top.map(({ id }) => id)),
    );
  });

  test("drawn at a temperature, log-probabilities are of the raw distribution, and the token's own is told", async () => {
    const options = { maxNewTokens: 12, temperature: 2, seed: 3, logprobs: 20 };
    const { logprobs = [], ids } = await ar.generate(prompt, options).result;
    const tokens = [...prompt.ids, ...ids];
    const { logits } = await ar.forward({ tokens, attention: "causal" });
    logprobs.forEach(({ id, logProbability }, i) => {
      const at = (prompt.ids.length - 1 + i) * V;
      expect(logProbability).toBeCloseTo(reference.log_probability([...logits.subarray(at, at + V)], id), 3);
    });
    expect(logprobs.some(({ id, top }) => top[0]?.id !== id)).toBe(true);
  });
});

describe("masked diffusion", () => {
  test("logprobs of each token in the forward that revealed it; penalties change the answer, a bias forbids", async () => {
    const options: GenerateOptions = { genLength: 12, blockLength: 6, cache: "dual" };
    const result = await masked.generate(prompt, { ...options, logprobs: 2, trace: true }).result;
    const plain = await masked.generate(prompt, options).result;
    expect(result.ids).toEqual(plain.ids);
    const values = new Map(
      result.trace?.flatMap(({ revealed }) => revealed.map(({ position, confidence }) => [position, confidence])),
    );
    result.logprobs?.forEach(({ id, logProbability, top }, i) => {
      expect(Math.exp(logProbability)).toBeCloseTo(values.get(prompt.ids.length + i) as number, 4);
      expect([top.length, top[0]?.id]).toEqual([2, id]);
    });
    const repeated = plain.ids.find((id, i) => plain.ids.indexOf(id) !== i);
    const penalized = await masked.generate(prompt, { ...options, repetitionPenalty: 3, presencePenalty: 2 }).result;
    expect(new Set(penalized.ids).size).toBeGreaterThanOrEqual(new Set(plain.ids).size);
    expect(penalized.ids).not.toEqual(plain.ids);
    const banned = repeated ?? (plain.ids[0] as number);
    expect((await masked.generate(prompt, { ...options, logitBias: { [banned]: -100 } }).result).ids).not.toContain(banned);
  });
});

test.each<[string, object, RegExp]>([
  ["a penalty out of range", { repetitionPenalty: 0 }, /repetitionPenalty: expected a number from 0.01/],
  ["a presence out of range", { presencePenalty: 3 }, /presencePenalty/],
  ["a frequency that is no number", { frequencyPenalty: "1" }, /frequencyPenalty/],
  ["too many logprobs", { logprobs: 21 }, /logprobs: expected a number from 0 to 20/],
  ["half a logprob", { logprobs: 1.5 }, /an integer/],
  ["a bias out of range", { logitBias: { 3: 101 } }, /logitBias of 3/],
  ["a bias of no token", { logitBias: { 64: 1 } }, /ids from 0 to 63, came 64/],
  ["a bias that is no list", { logitBias: 4 }, /logitBias: expected/],
  ["with speculation", { logprobs: 1, speculate: { kind: "prompt-lookup" } }, /not together with speculate/],
])("%s is refused before any work", (_, options, message) => {
  expect(() => ar.generate(prompt, options as GenerateOptions)).toThrow(message);
});
