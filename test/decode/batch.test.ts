/** Batches of ragged prompts: each sequence is its solo run (J16), one forward serves all, sequences end apart. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GenerateOptions, type GenerationResult, loadModel, type Model } from "../../src/index";
import { testGpu } from "../support/goldens";

const PROMPTS = [
  "Ben has 12 apples and buys 30 more. How many apples does Ben have?",
  "Mia has 5 pens. She loses 2. How many pens are left?",
  "How many is 7 and 8?",
  "Tom had 40 stickers and gave 13 to Ann and 9 to Sue. How many stickers does Tom have now?",
  "Ann has 3 coins.",
  "A box holds 6 eggs. How many eggs are in 4 boxes?",
  "Sam reads 10 pages a day for 5 days. How many pages does Sam read?",
  "There are 9 birds and 4 fly away. How many birds stay?",
];
const OPTIONS: Readonly<Record<string, GenerateOptions>> = {
  ar: { maxNewTokens: 20 },
  mdlm: { genLength: 32, blockLength: 16, cache: "dual", threshold: 0.9 },
  block: { genLength: 32, threshold: 0.9 },
};

describe.each(["ar", "mdlm", "block"])("%s", (name) => {
  let model: Model;
  const options = OPTIONS[name] as GenerateOptions;
  const told = ({ ids, forwards, forwardsByKind, finishReason, text }: GenerationResult) => ({
    ids,
    forwards,
    forwardsByKind,
    finishReason,
    text,
  });
  let alone: GenerationResult[];
  beforeAll(async () => {
    const builtinBase = new URL("/models/", location.href).href;
    model = await loadModel(`builtin:${name}`, { gpu: await testGpu(), builtinBase, sequences: 4 });
    alone = [];
    for (const prompt of PROMPTS) alone.push(await model.generate(prompt, options).result);
  }, 120_000);
  afterAll(() => model.dispose());

  test.each([1, 2, 3, 8])("J16: %i ragged prompts are each as alone: ids, forwards, text", async (count) => {
    const results = await model.generateBatch(PROMPTS.slice(0, count), options).results;
    expect(results.map(told)).toEqual(alone.slice(0, count).map(told));
  });

  test("one forward serves all: as many submits as the longest sequence alone takes, or a few more", async () => {
    const results = await model.generateBatch(PROMPTS, options).results;
    const most = Math.max(...results.map(({ submits }) => submits));
    const longest = Math.max(...alone.map(({ submits }) => submits));
    expect(most).toBeLessThanOrEqual(longest + 3);
    expect(most).toBeLessThan(alone.reduce((sum, { submits }) => sum + submits, 0) / 2);
    // The work of a forward is told among its sequences by rows.
    for (const [i, { flopsPerToken }] of results.entries()) {
      expect(flopsPerToken / (alone[i] as GenerationResult).flopsPerToken).toBeGreaterThan(0.7);
      expect(flopsPerToken / (alone[i] as GenerationResult).flopsPerToken).toBeLessThan(1.4);
    }
  });

  test("drawn at a temperature, each sequence still is as alone", async () => {
    const drawn = { ...options, temperature: 0.7, topK: 20, seed: 5 };
    const results = await model.generateBatch(PROMPTS.slice(0, 3), drawn).results;
    for (const [i, result] of results.entries()) {
      expect(told(result)).toEqual(told(await model.generate(PROMPTS[i] as string, drawn).result));
    }
  });

  test("several answers to each prompt: the first is that of one alone, the others are drawn apart", async () => {
    const drawn = { ...options, temperature: 2, seed: 7 };
    const results = await model.generateBatch(PROMPTS.slice(0, 2), { ...drawn, sequences: 2 }).results;
    expect(results).toHaveLength(4);
    for (const i of [0, 1]) {
      const [first, second] = results.slice(2 * i, 2 * i + 2) as [GenerationResult, GenerationResult];
      expect(told(first)).toEqual(told(await model.generate(PROMPTS[i] as string, drawn).result));
      expect(second.ids).not.toEqual(first.ids);
    }
    expect(() => model.generateBatch(PROMPTS, { ...options, sequences: 2 })).toThrow(/sequences: .*temperature/);
    expect(() => model.generateBatch(PROMPTS, { ...drawn, sequences: 0 })).toThrow(/sequences: .*whole number/);
  });

  if (name === "mdlm") {
    test("a policy that keeps logits keeps those of each sequence apart", async () => {
      const kept: GenerateOptions = {
        genLength: 32,
        blockLength: 16,
        policy: { name: "klass", threshold: 0.7, divergence: 0.1, history: 1 },
      };
      const results = await model.generateBatch(PROMPTS.slice(0, 3), kept).results;
      for (const [i, result] of results.entries())
        expect(told(result)).toEqual(told(await model.generate(PROMPTS[i] as string, kept).result));
    });
  }

  test("steps tell their sequence, in order, and add up to its text", async () => {
    const batch = model.generateBatch(PROMPTS.slice(0, 3), options);
    const texts = ["", "", ""];
    for await (const { sequence, delta } of batch) texts[sequence] += delta;
    expect(texts).toEqual(alone.slice(0, 3).map(({ text }) => text));
  });

  test("one sequence is aborted, the others are as alone, and the model goes on", async () => {
    const batch = model.generateBatch(PROMPTS.slice(0, 3), { ...options, ignoreEos: true });
    batch.abort(1);
    const results = await batch.results;
    expect(results.map(({ finishReason }) => finishReason === "abort")).toEqual([false, true, false]);
    const again = await model.generate(PROMPTS[2] as string, options).result;
    expect(told(again)).toEqual(told(alone[2] as GenerationResult));
    for (const i of [0, 2]) {
      const solo = await model.generate(PROMPTS[i] as string, { ...options, ignoreEos: true }).result;
      expect(results[i]?.ids).toEqual(solo.ids);
    }
  });

  test("a signal aborts all; two batches at once wait for each other", async () => {
    const aborted = await model.generateBatch(PROMPTS.slice(0, 2), { ...options, signal: AbortSignal.abort() }).results;
    expect(aborted.map(({ finishReason, ids }) => [finishReason, ids.length])).toEqual([
      ["abort", 0],
      ["abort", 0],
    ]);
    const [first, second] = [
      model.generateBatch(PROMPTS.slice(0, 2), options),
      model.generateBatch(PROMPTS.slice(2, 4), options),
    ];
    const results = [...(await first.results), ...(await second.results)];
    expect(results.map(told)).toEqual(alone.slice(0, 4).map(told));
  });

  test("what does not fit, and what does not go together, is refused before any work", () => {
    const long = Array.from({ length: 9 }, () => PROMPTS[0] as string);
    expect(() => model.generateBatch(long, name === "ar" ? { maxNewTokens: 128 } : { genLength: 128 })).toThrow(/contextLength/);
    expect(() => model.generateBatch([], options)).toThrow(/prompts/);
    expect(() => model.generateBatch(PROMPTS, { ...options, cfgScale: 1 })).toThrow(/cfgScale/);
    expect(() => model.generateBatch(PROMPTS, { ...options, temperature: -1 })).toThrow(/temperature/);
  });
});
