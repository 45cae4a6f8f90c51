/** Options to a decoder: what is refused and how it is named, the defaults of each family, what each option changes. */
import { describe, expect, test } from "vitest";
import type { GenerateOptions } from "../../../src/decode/options";
import { type PromptIds, type ResolveContext, type Resolved, resolve } from "../../../src/decode/resolve";
import { RidgepointError } from "../../../src/errors";
import type { ModelConfig } from "../../../src/model/config";
import { CONFIG, drive, EOS, type FakeModel, fixed, hashed, MASK, prompt, type Ran } from "./drive";

const diffusion = { ...CONFIG, maskTokenId: MASK };
const MODELS = {
  ar: CONFIG,
  mdlm: { ...diffusion, family: "mdlm", shift: false },
  "mdlm with shift": { ...diffusion, family: "mdlm" },
  block: { ...diffusion, family: "block", shift: false, blockLength: 8 },
  "block with shift": { ...diffusion, family: "block", blockLength: 16 },
} as const satisfies Record<string, ModelConfig>;
type Name = keyof typeof MODELS;
const names = Object.keys(MODELS) as Name[];

const context = (name: Name, over: Partial<ResolveContext> = {}): ResolveContext => ({
  config: MODELS[name],
  contextLength: 256,
  maxRows: 256,
  usedVocabSize: 201,
  ...over,
});

const run = (
  name: Name,
  options: GenerateOptions = {},
  ids: PromptIds = prompt(9),
  over: Partial<ResolveContext> = {},
): Resolved => resolve(ids, options, context(name, over));

function refusal(
  name: Name,
  options: object,
  ids?: PromptIds,
  over?: Partial<ResolveContext>,
): { code: string; message: string } {
  try {
    run(name, options as GenerateOptions, ids, over);
  } catch (error) {
    if (error instanceof RidgepointError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error(`${JSON.stringify(options)} was taken`);
}

const isRefused = (name: Name, options: object, word: string, ids?: PromptIds): void => {
  const { code, message } = refusal(name, options, ids);
  expect(code).toBe("bad-option");
  expect(message).toContain(word);
};

describe("a value out of range is refused by name, in every family", () => {
  const notInteger = [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "8", null, 2 ** 32];
  const notNumber = [null, "0.5", true, Number.NaN, -0.1, Number.POSITIVE_INFINITY, "warm"];
  const rows: [string, readonly unknown[]][] = [
    ["maxNewTokens", [0, ...notInteger]],
    ["genLength", [0, ...notInteger]],
    ["seed", notInteger],
    ["topK", notInteger],
    ["temperature", [...notNumber, 101]],
    ["topP", [0, 1.01, ...notNumber]],
    ["minP", [1.01, ...notNumber]],
    ["stop", [[""], ["a", ""], "text", [3]]],
    ["stopIds", [[-1], [208], [1.5], [5, Number.NaN]]],
  ];
  test.each(rows)("%s", (option, values) => {
    for (const name of names) for (const value of values) isRefused(name, { temperature: 1, [option]: value }, option);
  });

  const onlyDiffusion: [string, readonly unknown[]][] = [
    ["blockLength", [0, ...notInteger]],
    ["steps", [0, ...notInteger]],
    ["threshold", [0, 1.01, ...notNumber]],
    ["factor", [0, ...notNumber]],
    ["ebGamma", notNumber],
    ["remasking", ["confidence", "toString", "", 3]],
    ["preset", ["LLaDA", "constructor", "", 3]],
    ["cache", ["on", "", true, "toString"]],
  ];
  test.each(onlyDiffusion)("%s", (option, values) => {
    for (const name of names.slice(1)) for (const value of values) isRefused(name, { [option]: value }, option);
  });

  test("the message says what was expected and what came", () => {
    expect(refusal("ar", { seed: -1 }).message).toBe("seed: expected an integer from 0 to 4294967295, came -1");
    expect(refusal("mdlm", { threshold: 0 }).message).toBe("threshold: expected a number above 0 and up to 1, came 0");
    expect(refusal("mdlm", { remasking: "best" }).message).toContain(
      'low_confidence, entropy, topk_margin, random, sequential, came "best"',
    );
  });
});

describe("names", () => {
  test.each(names)("%s: an unknown one is refused, with the list of those there are", (name) => {
    for (const option of ["temprature", "n", "toString", "__proto__x"]) {
      isRefused(name, { [option]: 1 }, option);
      expect(refusal(name, { [option]: 1 }).message).toContain("temperature");
    }
  });

  test.each(["blockLength", "subBlockLength", "steps", "cache", "remasking", "threshold", "factor", "ebGamma", "preset"])(
    "%s does not apply to an autoregressive model",
    (option) => isRefused("ar", { [option]: 1 }, option),
  );

  test("an option that is undefined is not given", () => {
    const options = { temprature: undefined, threshold: undefined };
    expect(run("ar", options as unknown as GenerateOptions).answerLength).toBe(128);
  });

  test.each([
    ["mdlm", ["none", "prefix", "dual", "vicinity", "delayed", "frozen"], ["block", "sub-block"]],
    ["mdlm with shift", ["none", "prefix", "dual", "vicinity", "delayed", "frozen"], ["block", "sub-block"]],
    ["block", ["block"], ["none", "prefix", "dual", "vicinity", "sub-block"]],
    ["block with shift", ["block", "sub-block"], ["none", "prefix", "dual", "frozen"]],
  ] as const)("cache of %s", (name, taken, refused) => {
    for (const cache of taken) expect(run(name, { cache }).answerLength).toBe(64);
    for (const cache of refused) isRefused(name, { cache }, "cache");
  });

  test("subBlockLength is for block models with shift", () => {
    isRefused("block", { subBlockLength: 4 }, "subBlockLength");
    isRefused("mdlm", { subBlockLength: 4 }, "subBlockLength");
    expect(run("block with shift", { subBlockLength: 4 }).answerLength).toBe(64);
  });
});

describe("options that do not go together", () => {
  test("genLength is a multiple of blockLength", () => {
    for (const name of names.slice(1)) {
      isRefused(name, { genLength: 30, blockLength: 8 }, "genLength");
      isRefused(name, { maxNewTokens: 30, blockLength: 8 }, "genLength");
    }
    expect(refusal("mdlm", { genLength: 30, blockLength: 8 }).message).toContain("blockLength 8, came 30");
  });

  test("steps is a multiple of the number of blocks, and no more than genLength", () => {
    for (const name of names.slice(1)) {
      isRefused(name, { genLength: 32, blockLength: 8, steps: 10 }, "steps");
      isRefused(name, { genLength: 32, blockLength: 8, steps: 36 }, "steps");
      expect(run(name, { genLength: 32, blockLength: 8, steps: 32 }).answerLength).toBe(32);
    }
  });

  test("subBlockLength divides blockLength", () => isRefused("block with shift", { subBlockLength: 3 }, "subBlockLength"));

  test.each([
    [{ threshold: 0.9, steps: 8, factor: 1 }, "threshold"],
    [{ threshold: 0.9, factor: 1 }, "factor"],
    [{ threshold: 0.9, ebGamma: 1 }, "ebGamma"],
    [{ factor: 1, ebGamma: 1 }, "ebGamma"],
    [{ steps: 8, factor: 1, ebGamma: 1 }, "steps and factor and ebGamma"],
  ])("two rules of how much a forward reveals: %j", (options, word) => {
    for (const name of names.slice(1)) isRefused(name, options, word);
  });

  test.each(["entropy", "topk_margin", "random"] as const)("threshold and factor test the confidence, not %s", (remasking) => {
    isRefused("mdlm", { remasking, threshold: 0.9 }, "remasking");
    isRefused("block", { remasking, factor: 1 }, "remasking");
    expect(run("mdlm", { remasking, ebGamma: 0.1 }).metric).not.toBe("confidence");
  });

  test.each([{ topK: 5 }, { topP: 0.9 }, { minP: 0.1 }])("%j has no effect at temperature 0", (options) => {
    const [option = ""] = Object.keys(options);
    for (const name of names) {
      isRefused(name, options, option);
      isRefused(name, { ...options, temperature: 0 }, option);
      expect(run(name, { ...options, temperature: 0.7 }).sampling).toMatchObject({ ...options, temperature: 0.7 });
    }
  });

  test("the values that switch a filter off may be given at temperature 0", () => {
    expect(run("ar", { topK: 0, topP: 1, minP: 0 }).sampling).toMatchObject({ topK: 0, topP: 1, minP: 0, temperature: 0 });
  });

  test("maxNewTokens and genLength are one thing", () => {
    for (const name of names) isRefused(name, { maxNewTokens: 16, genLength: 16 }, "maxNewTokens and genLength");
    for (const option of ["maxNewTokens", "genLength"]) {
      for (const name of names) expect(run(name, { [option]: 32 }).answerLength).toBe(32);
    }
  });
});

describe("prompt", () => {
  test.each(names)("%s: at least one token, and only ids of the vocabulary", (name) => {
    isRefused(name, {}, "prompt", []);
    for (const bad of [-1, 208, 1.5, Number.NaN]) isRefused(name, {}, "prompt", [1, bad, 3]);
    expect(run(name, {}, [0, 207]).canvas.promptLength).toBe(2);
  });

  test("holes are for masked diffusion; with shift the first place must be known", () => {
    for (const name of ["ar", "block", "block with shift"] as const) isRefused(name, {}, "canvas", [1, null]);
    isRefused("mdlm with shift", {}, "canvas", [null, 1]);
    expect(run("mdlm", {}, [null, 1, null]).canvas.tokens).toEqual([MASK, 1, MASK]);
    expect(run("mdlm with shift", {}, [1, null, 3]).canvas.tokens).toEqual([1, MASK, 3]);
  });

  test("a canvas gives its own genLength, from its first hole on", () => {
    const canvas = [5, 6, null, 7, null, 8];
    const { promptLength, tokens } = run("mdlm", {}, canvas).canvas;
    expect([promptLength, tokens]).toEqual([2, [5, 6, MASK, 7, MASK, 8]]);
    expect(run("mdlm", { genLength: 4, blockLength: 2 }, canvas).answerLength).toBe(4);
    isRefused("mdlm", { genLength: 8 }, "genLength", canvas);
    isRefused("mdlm", { blockLength: 3 }, "genLength", canvas);
  });

  test("a canvas without holes is a prompt", () => expect(run("mdlm", { genLength: 32 }, [1, 2, 3]).canvas.length).toBe(35));
});

describe("context-overflow", () => {
  const overflows = (name: Name, ids: number, options: GenerateOptions, contextLength: number): void => {
    const { code, message } = refusal(name, options, prompt(ids), { contextLength });
    expect(code).toBe("context-overflow");
    expect(message).toMatch(new RegExp(`\\b${contextLength}\\b`));
    expect(message).toMatch(/contextLength|shorten/);
  };

  test("a prompt that leaves no room", () => {
    for (const name of names) {
      overflows(name, 64, {}, 64);
      overflows(name, 65, {}, 64);
    }
  });

  test("prompt and answer fill the context exactly, not one more", () => {
    expect(run("ar", { maxNewTokens: 55 }, prompt(9), { contextLength: 64 }).answerLength).toBe(55);
    overflows("ar", 9, { maxNewTokens: 56 }, 64);
    expect(run("mdlm", { genLength: 32, blockLength: 32 }, prompt(32), { contextLength: 64 }).canvas.length).toBe(64);
    overflows("mdlm", 33, { genLength: 32, blockLength: 32 }, 64);
    expect(run("block", { genLength: 32 }, prompt(32), { contextLength: 64 }).canvas.length).toBe(64);
  });

  test("a block model's canvas ends on its grid, and with shift one place later", () => {
    overflows("block", 33, { genLength: 24, blockLength: 8 }, 63);
    expect(run("block", { genLength: 24 }, prompt(33), { contextLength: 64 }).answerLength).toBe(24);
    overflows("block with shift", 32, { genLength: 32 }, 64);
    expect(run("block with shift", { genLength: 32 }, prompt(32), { contextLength: 65 }).answerLength).toBe(32);
  });

  test("a canvas longer than the context", () => {
    const { code } = refusal("mdlm", {}, [1, ...new Array<null>(64).fill(null)], { contextLength: 64 });
    expect(code).toBe("context-overflow");
  });

  test("by default an autoregressive model takes what room there is, up to 128", () => {
    expect(run("ar").answerLength).toBe(128);
    expect(run("ar", {}, prompt(60), { contextLength: 64 }).answerLength).toBe(4);
  });
});

/** The passes that a resolved generation plans. */
async function passes(
  name: Name,
  options: GenerateOptions,
  ids: PromptIds = prompt(16),
  model: FakeModel = fixed(() => 0.5),
): Promise<Ran[]> {
  const { decoder, canvas, stopIds } = run(name, { genLength: 32, ...options }, ids);
  return [...(await drive(decoder, canvas, { model, stopIds: [...stopIds] })).ran];
}
const reveals = (ran: readonly Ran[]): number[] => ran.map(({ revealed }) => revealed.length);
const kinds = (ran: readonly Ran[]): string[] => [...new Set(ran.map(({ kind }) => kind))];

describe("defaults", () => {
  test.each(names)("%s: greedy, seed 0, nothing filtered", (name) => {
    const { sampling, metric, stopStrings, stopIds } = run(name);
    expect(sampling).toMatchObject({ temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0, tempered: false });
    expect([metric, stopStrings, [...stopIds]]).toEqual(["confidence", [], [EOS]]);
  });

  test("lengths: 128 tokens; 64 in blocks of 32, or of the model's own", () => {
    expect(names.map((name) => run(name).answerLength)).toEqual([128, 64, 64, 64, 64]);
    expect(run("mdlm", { genLength: 16 }).answerLength).toBe(16);
  });

  test("masked diffusion: no cache, one place a forward, block by block", async () => {
    const ran = await passes("mdlm", { genLength: 64 });
    expect([kinds(ran), ran.length, new Set(reveals(ran))]).toEqual([["full"], 64, new Set([1])]);
    expect(ran[0]?.rows.filter(({ goal }) => goal !== null)).toHaveLength(32);
    const { config } = context("mdlm");
    const tuned = resolve(prompt(16), { genLength: 64 }, { ...context("mdlm"), config: { ...config, blockLength: 16 } });
    const first = (await drive(tuned.decoder, tuned.canvas, {})).ran[0];
    expect(first?.rows.filter(({ goal }) => goal !== null)).toHaveLength(16);
  });

  test("block diffusion: blocks of the model's length, one place a forward, no commit of the last", async () => {
    const ran = await passes("block", {});
    expect(ran.filter(({ kind }) => kind === "block").every(({ rows }) => rows.length === 8)).toBe(true);
    expect(ran.filter(({ kind }) => kind === "commit")).toHaveLength(3);
    const shifted = await passes("block with shift", {});
    expect(shifted.filter(({ kind }) => kind === "block").every(({ rows }) => rows.length === 16)).toBe(true);
    expect(shifted).toHaveLength(1 + 32);
  });

  test("cache sub-block: sub-blocks of 8", async () => {
    const ran = await passes("block with shift", { cache: "sub-block" });
    expect(new Set(ran.filter(({ kind }) => kind === "block").map(({ rows }) => rows.length))).toEqual(new Set([16, 8]));
  });

  test("ids that no token has, and the mask, are never drawn", () => {
    const padding = [201, 202, 203, 204, 205, 206, 207];
    expect(run("ar").sampling.suppress).toEqual(padding);
    for (const name of names.slice(1)) expect(run(name).sampling.suppress).toEqual([MASK, ...padding]);
    expect(run("ar", {}, [1], { usedVocabSize: 208 }).sampling.suppress).toEqual([]);
    expect(run("mdlm", {}, [1], { usedVocabSize: 300 }).sampling.suppress).toEqual([MASK]);
    expect(run("mdlm", {}, [1], { usedVocabSize: 199 }).sampling.suppress).toEqual([MASK, EOS, ...padding]);
  });
});

describe("what options change", () => {
  test("steps: forwards of the whole answer, shared by its blocks", async () => {
    expect(reveals(await passes("mdlm", { blockLength: 16, steps: 8 }))).toEqual(new Array<number>(8).fill(4));
    expect(reveals(await passes("mdlm", { blockLength: 32, steps: 10 }))).toEqual([4, 4, 3, 3, 3, 3, 3, 3, 3, 3]);
    const block = await passes("block", { steps: 8 });
    expect(reveals(block.filter(({ kind }) => kind === "block"))).toEqual(new Array<number>(8).fill(4));
  });

  test("preset: the schedule, the comparator and the distribution of the confidence", async () => {
    const of = async (preset: GenerateOptions["preset"] & string) =>
      reveals(await passes("mdlm", { preset, blockLength: 32, steps: 10 }));
    expect(await of("llada")).toEqual([4, 4, 3, 3, 3, 3, 3, 3, 3, 3]);
    expect(await of("fast-dllm")).toEqual(await of("llada"));
    expect(await of("dllm")).toEqual([3, 3, 3, 3, 3, 3, 4, 3, 4, 3]);
    expect(reveals(await passes("mdlm", { preset: "dream", blockLength: 32, steps: 8 }))).toEqual([3, 4, 4, 4, 4, 4, 4, 5]);
    expect(reveals(await passes("mdlm", { preset: "dream", blockLength: 32, steps: 32 }))).toEqual(new Array<number>(32).fill(1));
    const presets = ["llada", "fast-dllm", "dllm", "dream", "sdar", "fast-dllm-v2"] as const;
    expect(presets.map((preset) => run("mdlm", { preset }).sampling.tempered)).toEqual([false, false, false, true, true, true]);
    const strict = async (preset: (typeof presets)[number]) => {
      const [first] = await passes("mdlm", { preset, threshold: 0.5 });
      return first?.reveal;
    };
    expect(await strict("llada")).toMatchObject({ rule: "threshold", bound: 0.5, strict: false });
    expect(await strict("sdar")).toMatchObject({ strict: true });
    expect(await strict("fast-dllm-v2")).toMatchObject({ strict: true });
  });

  test.each([
    [{ threshold: 0.8 }, { rule: "threshold", bound: 0.8, strict: false, metric: "confidence" }],
    [{ factor: 2 }, { rule: "factor", bound: 2, metric: "confidence" }],
    [{ ebGamma: 0.1 }, { rule: "entropy-bound", bound: 0.1, metric: "confidence" }],
    [
      { ebGamma: 0, remasking: "entropy" },
      { rule: "entropy-bound", bound: 0, metric: "entropy" },
    ],
    [
      { steps: 32, remasking: "entropy" },
      { rule: "count", count: 1, metric: "entropy" },
    ],
    [
      { steps: 32, remasking: "topk_margin" },
      { rule: "count", count: 1, metric: "margin" },
    ],
    [
      { steps: 32, remasking: "random" },
      { rule: "count", count: 1, metric: "random" },
    ],
  ] as const)("%j", async (options, reveal) => {
    for (const name of ["mdlm", "block"] as const) {
      const first = (await passes(name, options)).find(({ kind }) => kind !== "prefill");
      expect(first?.reveal).toEqual(reveal);
    }
  });

  test("cache: kinds of the passes", async () => {
    expect(kinds(await passes("mdlm", { cache: "none" }))).toEqual(["full"]);
    expect(kinds(await passes("mdlm", { cache: "prefix" }))).toEqual(["full", "suffix"]);
    expect(kinds(await passes("mdlm", { cache: "dual" }))).toEqual(["full", "block"]);
    expect(kinds(await passes("block", { cache: "block" }))).toEqual(["prefill", "block", "commit"]);
  });

  test("stop ids: the model's own and further ones; ignoreEos leaves the model's out", () => {
    expect([...run("ar", { stopIds: [3, EOS] }).stopIds]).toEqual([EOS, 3]);
    expect([...run("ar", { ignoreEos: true }).stopIds]).toEqual([]);
    expect([...run("block", { ignoreEos: true, stopIds: [3] }).stopIds]).toEqual([3]);
  });

  test("a stop id ends the answer early in every family, unless it is ignored", async () => {
    const ending: FakeModel = (state, goal) => ({ ...hashed()(state, goal), id: goal === 17 ? EOS : 1 });
    for (const name of names) {
      const stopped = await passes(name, { genLength: 64 }, prompt(16), ending);
      const whole = await passes(name, { genLength: 64, ignoreEos: true }, prompt(16), ending);
      expect(stopped.length).toBeLessThan(whole.length);
    }
  });

  test("holes of a given canvas are all filled, stop ids or not", async () => {
    const canvas = [1, 2, null, EOS, null, 5, null, null, 8];
    const ran = await passes("mdlm", { genLength: 7, blockLength: 1 }, canvas);
    expect(ran.flatMap(({ revealed }) => revealed).sort()).toEqual([2, 4, 6, 7]);
  });

  test("answers start where the prompt ends, wherever the grid lies", async () => {
    for (const name of names) {
      for (const length of [1, 7, 8, 9, 16, 17]) {
        const { decoder, canvas, answerLength } = run(name, { genLength: 32 }, prompt(length));
        await drive(decoder, canvas, {});
        const answer = canvas.tokens.slice(length, length + answerLength);
        expect(answer).toHaveLength(32);
        expect(answer).not.toContain(MASK);
        expect(canvas.tokens.slice(0, length)).toEqual(prompt(length));
      }
    }
  });
});
