/** How often the host waits, and for how many bytes: counted by the engine, for the three embedded families. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GenerateOptions, type GenerationResult, loadModel, type Model } from "../../src/index";
import { testGpu } from "../support/goldens";

const PROMPT = "Ben has 12 apples and buys 30 more. How many apples does Ben have?";
let models: Record<"ar" | "mdlm" | "block", Model>;
beforeAll(async () => {
  const builtinBase = new URL("/models/", location.href).href;
  const gpu = await testGpu();
  const load = (name: string) => loadModel(`builtin:${name}`, { gpu, builtinBase });
  models = { ar: await load("ar"), mdlm: await load("mdlm"), block: await load("block") };
}, 60_000);
afterAll(async () => {
  for (const model of Object.values(models)) await model.dispose();
});

const run = async (name: keyof typeof models, options: GenerateOptions): Promise<GenerationResult> =>
  models[name].generate(PROMPT, { ignoreEos: true, ...options }).result;
describe("readbacks", () => {
  test("autoregressive: one for every four tokens, and one for each of the first two", async () => {
    const result = await run("ar", { maxNewTokens: 33 });
    expect([result.ids.length, result.readbacks, result.submits, result.bytesRead]).toEqual([33, 2 + 8, 2 + 8, 33 * 48]);
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
      expect(result.bytesRead).toBe(32 * 48);
    },
  );

  test("block diffusion with shift and a schedule: one for every two passes of a block, one for its commit, none for the prefill", async () => {
    const result = await run("block", { genLength: 32 });
    const { block = 0, commit = 0 } = result.forwardsByKind;
    expect(commit).toBeGreaterThan(0);
    // Every block may end with a pass that has no second.
    expect(result.readbacks).toBeLessThanOrEqual(Math.ceil(block / 2) + 2 * commit + 1);
    expect(result.droppedForwards).toBe(0);
    expect(result.bytesRead).toBeLessThanOrEqual(64 * (block + commit + 1));
  });

  test.each([
    ["mdlm", { genLength: 64, blockLength: 16, cache: "dual", threshold: 0.9 }],
    ["mdlm", { genLength: 64, blockLength: 32, cache: "none", threshold: 0.9 }],
    ["block", { genLength: 64, threshold: 0.9 }],
  ] as const)(
    "%s with a threshold: no more than forwards, two answers' bytes a token, few forwards for nothing",
    async (name, options) => {
      const result = await run(name, options);
      const { readbacks, bytesRead, droppedForwards, forwards, ids } = result;
      // A pass that reveals far more than the ones before it takes a second readback: at most one a block, where its end falls at once.
      expect(readbacks).toBeLessThanOrEqual(forwards + 1);
      expect(bytesRead).toBeLessThanOrEqual(2 * 48 * ids.length);
      expect(droppedForwards).toBeLessThanOrEqual(0.35 * forwards);
    },
  );
});
