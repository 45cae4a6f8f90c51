/** `speculate` and `genLength: "auto"` on the embedded models: what they change is the number of forwards. J22, and the properties of guides and of answers that grow. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type GenerateOptions, type GenerationResult, loadModel, type Model } from "../../src/index";
import { testGpu } from "../support/goldens";
import { randomFiles } from "../support/random-model";

vi.setConfig({ testTimeout: 300_000 });

const QUESTIONS = [
  "Ben has 12 apples and buys 30 more. How many apples does Ben have?",
  "Leo has a book of 92 pages. He reads 34 pages on Sunday and 11 pages on Friday. How many pages are left?",
];

let ar: Model;
let mdlm: Model;
let block: Model;
beforeAll(async () => {
  const gpu = await testGpu();
  const base = new URL("/models/", location.href).href;
  const load = (name: string, sequences = 1) =>
    loadModel(`builtin:${name}`, { gpu, builtinBase: base, contextLength: 160, sequences });
  [ar, mdlm, block] = [await load("ar"), await load("mdlm", 3), await load("block")];
}, 120_000);
afterAll(async () => {
  for (const model of [ar, mdlm, block]) await model.dispose();
}, 120_000);

const run = (model: Model, question: string, options: GenerateOptions): Promise<GenerationResult> =>
  model.generate(question, options).result;

describe("speculate on an autoregressive model", () => {
  test.each([
    ["prompt lookup", () => ({ kind: "prompt-lookup" }) as const, false],
    ["drafts of a masked diffusion model", () => ({ kind: "draft", model: mdlm }) as const, true],
    [
      "drafts of a masked diffusion model in two forwards",
      () => ({ kind: "draft", model: mdlm, tokens: 6, forwards: 2 }) as const,
      true,
    ],
    ["drafts of a block diffusion model", () => ({ kind: "draft", model: block }) as const, true],
  ])("%s: the same answer, greedy and drawn", async (_, speculate, drafts) => {
    for (const question of QUESTIONS.slice(0, 1)) {
      for (const drawn of [{}, { temperature: 0.7, seed: 5 }]) {
        const plain = await run(ar, question, { maxNewTokens: 24, ...drawn });
        const result = await run(ar, question, { maxNewTokens: 24, ...drawn, speculate: speculate() });
        expect(result.ids).toEqual(plain.ids);
        expect([result.text, result.finishReason]).toEqual([plain.text, plain.finishReason]);
        expect(plain.speculation).toBeUndefined();
        const { drafted, accepted, acceptanceRate, draftForwards, verifyForwards } = result.speculation ?? {
          drafted: -1,
          accepted: -1,
        };
        expect(acceptanceRate).toBeCloseTo(drafted > 0 ? accepted / drafted : 0);
        expect(result.forwardsByKind.draft ?? 0).toBe(draftForwards);
        expect(result.forwardsByKind.verify ?? 0).toBe(verifyForwards);
        const own = result.forwards - (draftForwards ?? 0);
        expect(own).toBeLessThanOrEqual(plain.forwards);
        // What these models were trained on, the diffusion models can foresee.
        if (drafts) {
          expect(acceptanceRate).toBeGreaterThan(0.2);
          expect(own).toBeLessThan(0.7 * plain.forwards);
        }
      }
    }
  });

  test("generations that take turns with each other's models end, and are what they are alone", async () => {
    const alone = await run(ar, QUESTIONS[0] as string, { maxNewTokens: 24 });
    const guided: GenerateOptions = { maxNewTokens: 32, speculate: { kind: "guide", model: ar } };
    const guidedAlone = await run(mdlm, QUESTIONS[0] as string, guided);
    const [first, second, third] = await Promise.all([
      run(ar, QUESTIONS[0] as string, { maxNewTokens: 24, speculate: { kind: "draft", model: mdlm } }),
      run(mdlm, QUESTIONS[0] as string, guided),
      run(ar, QUESTIONS[0] as string, { maxNewTokens: 24 }),
    ]);
    expect(first.ids).toEqual(alone.ids);
    expect(third.ids).toEqual(alone.ids);
    expect(second.ids).toEqual(guidedAlone.ids);
  });
});

describe("J22 speculate self", () => {
  test.each([
    ["masked diffusion", () => mdlm, {}],
    ["masked diffusion, prefix cache", () => mdlm, { cache: "prefix" }],
    ["block diffusion", () => block, {}],
    ["block diffusion, sub-blocks", () => block, { subBlockLength: 4 }],
  ] as const)("%s: the answer of one token a step, in fewer forwards", async (_, modelOf, options) => {
    const question = QUESTIONS[0] as string;
    const given = { genLength: 16, ...options };
    const plain = await run(modelOf(), question, { ...given, trace: true });
    const one = await run(modelOf(), question, { ...given, speculate: { kind: "self", states: 1 }, trace: true });
    expect([one.ids, one.forwards]).toEqual([plain.ids, plain.forwards]);
    const result = await run(modelOf(), question, { ...given, speculate: { kind: "self", states: 3 } });
    expect(result.ids).toEqual(plain.ids);
    expect(result.speculation?.accepted).toBeGreaterThan(0);
    expect(result.forwards).toBeLessThan(plain.forwards);
    expect(result.rowsPerForward).toBeGreaterThan(plain.rowsPerForward);
  });

  test("in a batch each answer is what it is alone", async () => {
    const options: GenerateOptions = { genLength: 32, speculate: { kind: "self", states: 2 } };
    const results = await block.generateBatch([QUESTIONS[0] as string], options).results;
    const alone = await run(block, QUESTIONS[0] as string, options);
    expect(results[0]?.ids).toEqual(alone.ids);
  });
});

describe("speculate guide", () => {
  test.each([
    ["masked diffusion", () => mdlm, {}],
    ["masked diffusion, dual cache", () => mdlm, { cache: "dual" }],
    ["block diffusion", () => block, {}],
  ] as const)("%s: every token is one that both models agree on, or the surest of a forward", async (_, modelOf, options) => {
    const question = QUESTIONS[1] as string;
    const model = modelOf();
    const result = await run(model, question, {
      genLength: 48,
      ...options,
      speculate: { kind: "guide", model: ar },
      trace: true,
    });
    const plain = await run(model, question, { genLength: 32, ...options });
    const { drafted = 0, accepted = 0, draftForwards, verifyForwards } = result.speculation ?? {};
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThanOrEqual(drafted);
    expect(verifyForwards).toBe(draftForwards);
    expect(draftForwards).toBeLessThan(plain.forwards);
    const proposing = result.trace?.filter(({ kind }) => kind !== "verify" && kind !== "prefill" && kind !== "commit") ?? [];
    expect(proposing).toHaveLength(draftForwards as number);
    for (const { revealed } of proposing) expect(revealed.length).toBeGreaterThan(0);
    expect(result.trace?.filter(({ kind }) => kind === "verify").every(({ revealed }) => revealed.length === 0)).toBe(true);
    const revealed = proposing.reduce((sum, forward) => sum + forward.revealed.length, 0);
    // A forward without agreement reveals one token that nobody confirmed.
    expect(revealed - accepted).toBeGreaterThanOrEqual(0);
    expect(revealed - accepted).toBeLessThan(proposing.length);
  });
});

describe("genLength auto", () => {
  const question = QUESTIONS[0] as string;

  test("masked diffusion: one run a block, each with all before it as its prompt", async () => {
    const prompt = mdlm.tokenizer?.encode(question) ?? [];
    for (const options of [{}, { threshold: 0.9 }] as GenerateOptions[]) {
      const auto = await mdlm.generate(
        { ids: prompt },
        { ...options, genLength: "auto", maxNewTokens: 20, blockLength: 8, ignoreEos: true, stopIds: [767] },
      ).result;
      const known = [...prompt];
      let forwards = 0;
      for (const genLength of [8, 8, 4]) {
        const part = await mdlm.generate({ ids: known }, { ...options, genLength, blockLength: genLength, ignoreEos: true })
          .result;
        known.push(...part.canvas.slice(known.length));
        forwards += part.forwards;
      }
      expect(auto.canvas).toEqual(known);
      expect(auto.forwards).toBe(forwards);
    }
  });

  test.each([
    ["masked diffusion", () => mdlm],
    ["block diffusion", () => block],
  ] as const)("%s: ends with the block that holds a stop id, or at the cap", async (_, modelOf) => {
    const model = modelOf();
    const auto = await run(model, question, { genLength: "auto", threshold: 0.9 });
    expect(auto.finishReason).toBe("stop");
    expect(model.config.eosTokenIds).toContain(auto.ids.at(-1));
    const capped = await run(model, question, { genLength: "auto", maxNewTokens: 20, threshold: 0.9 });
    expect(capped.finishReason).toBe(auto.ids.length <= 20 ? "stop" : "length");
    expect(capped.ids.length).toBeLessThanOrEqual(20);
    // The canvas ends with the block of the stop id, or where the grid's next block does.
    if (model === mdlm) expect(auto.canvas.length - auto.usage.promptTokens).toBeLessThan(auto.ids.length + 16);
  });

  test("block diffusion: the text of any length that is long enough", async () => {
    const auto = await run(block, question, { genLength: "auto", threshold: 0.9 });
    const fixed = await run(block, question, { genLength: 96, threshold: 0.9 });
    expect([auto.ids, auto.forwards]).toEqual([fixed.ids, fixed.forwards]);
  });

  test("a growing answer may speculate on itself", async () => {
    const given: GenerateOptions = { genLength: "auto", maxNewTokens: 16, blockLength: 8 };
    const plain = await run(mdlm, question, given);
    const result = await run(mdlm, question, { ...given, speculate: { kind: "self", states: 2 } });
    expect(result.ids).toEqual(plain.ids);
    expect(result.forwards).toBeLessThan(plain.forwards);
  });
});

describe("what is refused, before any work", () => {
  const refused = async (model: Model, options: unknown, message: RegExp, code = "bad-option"): Promise<void> => {
    const attempt = async () => model.generate({ ids: [5, 6, 7] }, options as GenerateOptions).result;
    await expect(attempt()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  };

  test("speculate names its kind, its model and its numbers", async () => {
    await refused(ar, { speculate: "draft" }, /speculate: expected \{ kind \}/);
    await refused(ar, { speculate: { kind: "medusa" } }, /prompt-lookup, draft, self, guide/);
    await refused(ar, { speculate: { kind: "prompt-lookup", tokens: 0 } }, /tokens: expected an integer from 1 to 32, came 0/);
    await refused(ar, { speculate: { kind: "prompt-lookup", model: mdlm } }, /expected tokens, ngram, came model/);
    await refused(ar, { speculate: { kind: "draft" } }, /model: expected a loaded model/);
    await refused(ar, { speculate: { kind: "draft", model: {} } }, /model: expected a loaded model/);
    await refused(ar, { speculate: { kind: "draft", model: ar } }, /another model than the one that answers/);
    await refused(ar, { speculate: { kind: "self" } }, /family mdlm or block, came ar/);
    await refused(mdlm, { speculate: { kind: "draft", model: ar } }, /family ar, came mdlm/);
    await refused(mdlm, { speculate: { kind: "guide", model: block } }, /expected an autoregressive model/);
    await refused(mdlm, { speculate: { kind: "guide", model: ar }, threshold: 0.9 }, /no use for threshold/);
    await refused(mdlm, { speculate: { kind: "self" }, temperature: 0.5 }, /temperature/);
    await refused(mdlm, { speculate: { kind: "self" }, remasking: "random" }, /random/);
    await refused(mdlm, { speculate: { kind: "self" }, cache: "dual" }, /cache none, prefix or block, came dual/);
    await refused(block, { speculate: { kind: "self" }, cache: "sub-block" }, /came sub-block/);
  });

  test("room is needed for the other model's canvas and for guessed states", async () => {
    await refused(mdlm, { genLength: 96, speculate: { kind: "self", states: 8 } }, /8 states/, "context-overflow");
    await refused(block, { genLength: 96, speculate: { kind: "self", states: 20 } }, /20 states/, "context-overflow");
    const short = await loadModel("builtin:mdlm", {
      gpu: ar.gpu,
      builtinBase: new URL("/models/", location.href).href,
      contextLength: 32,
    });
    await refused(
      ar,
      { maxNewTokens: 64, speculate: { kind: "draft", model: short } },
      /the draft model needs 67 positions, 32/,
      "context-overflow",
    );
    await short.dispose();
    await refused(ar, { speculate: { kind: "draft", model: short } }, /disposed/);
  });

  test("the two models must mean the same by an id", async () => {
    const gpu = await testGpu();
    const mute = await loadModel(randomFiles(), { gpu });
    await refused(
      ar,
      { speculate: { kind: "draft", model: mute } },
      /the same tokenizer, with 768 ids, came one with 64 \(and no tokenizer\)/,
    );
    await mute.dispose();
  });

  test("genLength auto excludes what needs to know the length", async () => {
    await refused(mdlm, { genLength: "auto", steps: 8 }, /steps need to know its length/);
    await refused(mdlm, { genLength: "auto", cfgScale: 1 }, /cfgScale/);
    await refused(mdlm, { genLength: "auto", earlyStop: false }, /earlyStop/);
    await refused(mdlm, { genLength: "auto", ignoreEos: true }, /there is none; give maxNewTokens/);
    await refused(mdlm, { genLength: "long" }, /genLength: expected an integer/);
    const canvas = async () => mdlm.generate({ canvas: [5, null, 6] }, { genLength: "auto" }).result;
    await expect(canvas()).rejects.toMatchObject({ code: "bad-option" });
  });
});
