/** How often the host waits, and for how many bytes: counted by the engine, for the three embedded families. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GenerateOptions, type GenerationResult, loadModel, type Model } from "../../src/index";
import { testGpu } from "../support/goldens";

const PROMPT = "Ben has 12 apples and buys 30 more. How many apples does Ben have?";
const PROMPTS = [PROMPT, "Tell a story about Ben and a bear."];
let models: Record<"ar" | "mdlm" | "block", Model>;
beforeAll(async () => {
  const builtinBase = new URL("/models/", location.href).href;
  const gpu = await testGpu();
  const load = (name: string) => loadModel(`builtin:${name}`, { gpu, builtinBase });
  models = { ar: await load("ar"), mdlm: await load("mdlm"), block: await load("block") };
}, 180_000);
afterAll(async () => {
  for (const model of Object.values(models)) await model.dispose();
});

const run = async (name: keyof typeof models, options: GenerateOptions, prompt = PROMPT): Promise<GenerationResult> =>
  models[name].generate(prompt, { ignoreEos: true, ...options }).result;

describe("readbacks", () => {
  test("autoregressive: one for every four tokens, and 36 bytes a token", async () => {
    const result = await run("ar", { maxNewTokens: 33 });
    expect([result.ids.length, result.readbacks, result.submits, result.bytesRead]).toEqual([33, 8, 8, 33 * 36]);
  });

  test("autoregressive, whatever the length: never more than one for every four tokens begun", async () => {
    for (const maxNewTokens of [1, 5, 8, 9, 14, 18]) {
      const { ids, readbacks } = await run("ar", { maxNewTokens });
      expect(readbacks, `${ids.length} tokens`).toBeLessThanOrEqual(Math.ceil(ids.length / 4));
    }
  });

  test.each([
    ["none", 32],
    ["prefix", 16],
    ["dual", 32],
  ] as const)(
    "masked diffusion with a schedule, cache %s: one for every two forwards, and what was revealed",
    async (cache, steps) => {
      const result = await run("mdlm", { genLength: 32, blockLength: 16, steps, cache });
      expect([result.forwards, result.readbacks, result.submits]).toEqual([steps, steps / 2, steps / 2]);
      expect(result.bytesRead).toBe(32 * 32 + 4 * steps);
    },
  );

  test("block diffusion with shift and a schedule: one for every two forwards, commits among them", async () => {
    const result = await run("block", { genLength: 32 });
    const { block = 0, commit = 0 } = result.forwardsByKind;
    expect(commit).toBeGreaterThan(0);
    expect(result.readbacks).toBeLessThanOrEqual(Math.ceil((block + commit) / 2) + 1);
    expect(result.droppedForwards).toBe(0);
    expect(result.bytesRead).toBeLessThanOrEqual(36 * result.canvas.length);
  });

  test.each([
    ["mdlm", { genLength: 64, blockLength: 16, cache: "dual", threshold: 0.9 }],
    ["mdlm", { genLength: 64, blockLength: 16, cache: "prefix", factor: 1 }],
    ["mdlm", { genLength: 64, blockLength: 32, cache: "none", threshold: 0.9 }],
    ["block", { genLength: 64, threshold: 0.9 }],
    ["block", { genLength: 64, ebGamma: 0.1 }],
  ] as const)("%s, %o: one for every two forwards, at most 64 bytes a token, few forwards for nothing", async (name, options) => {
    const told: string[] = [];
    for (const prompt of PROMPTS) {
      const { readbacks, bytesRead, droppedForwards, forwards, canvas, usage } = await run(name, options, prompt);
      const revealed = canvas.length - usage.promptTokens;
      told.push(`${readbacks} readbacks, ${forwards} forwards, ${droppedForwards} dropped, ${bytesRead} bytes for ${revealed}`);
      const what = told.join("; ");
      // What a block takes is not known: over so short an answer the pace is wrong up to twice more often than right.
      expect(readbacks, what).toBeLessThanOrEqual(Math.ceil(forwards / 2) + 2);
      expect(bytesRead, what).toBeLessThanOrEqual(64 * revealed);
      expect(droppedForwards, what).toBeLessThanOrEqual(0.35 * forwards + 2);
    }
  });
});
