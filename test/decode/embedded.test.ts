/** The embedded models decode within their vocabularies, the same every time, and stop where they should. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel, type Model } from "../../src/index";
import { testGpu } from "../support/goldens";

describe("the embedded models", () => {
  const base = (): string => new URL("/models/", location.href).href;
  const question = "Ben has 12 apples and buys 30 more. How many apples does Ben have?";
  let models: Record<"ar" | "mdlm" | "block", Model>;
  beforeAll(async () => {
    const gpu = await testGpu();
    const load = (name: string) => loadModel(`builtin:${name}`, { gpu, builtinBase: base(), contextLength: 192 });
    models = { ar: await load("ar"), mdlm: await load("mdlm"), block: await load("block") };
  }, 120_000);
  afterAll(async () => {
    for (const model of Object.values(models)) await model.dispose();
  });

  /** What each family decodes with here: few forwards. */
  const quick = (name: string, maxNewTokens: number) => ({ maxNewTokens, ...(name === "ar" ? {} : { threshold: 0.9 }) });

  test("J12, J14 no mask and no id without a piece in any answer; the prompt stays; the same every time", async () => {
    for (const [name, model] of Object.entries(models)) {
      const options = { ...quick(name, 32), trace: true };
      const given = { ids: model.tokenizer?.encode(question) ?? [] };
      const [first, second] = [await model.generate(given, options).result, await model.generate(given, options).result];
      const size = model.tokenizer?.vocabSize ?? 0;
      for (const id of first.ids) expect([id < size, id === model.info.maskTokenId]).toEqual([true, false]);
      expect(first.canvas.slice(0, given.ids.length)).toEqual(given.ids);
      expect(second.trace).toEqual(first.trace);
      expect(second.canvas).toEqual(first.canvas);
    }
  });

  test("J21 ignoring the end of text changes nothing before it, in no fewer forwards", async () => {
    for (const [name, model] of Object.entries(models)) {
      const stopped = await model.generate(question, quick(name, 48)).result;
      const whole = await model.generate(question, { ...quick(name, 48), ignoreEos: true }).result;
      expect(whole.ids.slice(0, stopped.ids.length)).toEqual(stopped.ids);
      expect(stopped.forwards).toBeLessThanOrEqual(whole.forwards);
    }
  });
});
