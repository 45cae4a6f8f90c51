/** Options of caches, blocks and policies: what is refused and how it is named, what each one changes. The others are in `resolve.test.ts`. */
import { describe, expect, test } from "vitest";
import type { GenerateOptions } from "../../../src/decode/options";
import { POLICY_NAMES } from "../../../src/decode/policies/index";
import { type PromptIds, type Resolved, resolve } from "../../../src/decode/resolve";
import { RidgepointError } from "../../../src/errors";
import type { ModelConfig } from "../../../src/model/config";
import { CONFIG, drive, EOS, fixed, hashed, MASK, mix, prompt, type Ran, range } from "./drive";

const MDLM: ModelConfig = { ...CONFIG, family: "mdlm", shift: false, maskTokenId: MASK };
const MODELS = {
  ar: CONFIG,
  mdlm: MDLM,
  "mdlm with shift": { ...MDLM, shift: true },
  block: { ...MDLM, family: "block", blockLength: 8 },
  "block with shift": { ...MDLM, family: "block", shift: true, blockLength: 16 },
} as const satisfies Record<string, ModelConfig>;
type Name = keyof typeof MODELS;
const MASKED: readonly Name[] = ["mdlm", "mdlm with shift"];
const BLOCK: readonly Name[] = ["block", "block with shift"];

const run = (name: Name, options: object, ids: PromptIds = prompt(9), contextLength = 256): Resolved =>
  resolve(ids, options as GenerateOptions, { config: MODELS[name], contextLength, maxRows: contextLength, usedVocabSize: 201 });

function refusal(name: Name, options: object, ids?: PromptIds, contextLength?: number): RidgepointError {
  try {
    run(name, options, ids, contextLength);
  } catch (error) {
    if (error instanceof RidgepointError) return error;
    throw error;
  }
  throw new Error(`${name}: ${JSON.stringify(options)} was taken`);
}
const isRefused = (name: Name, options: object, word: string, ids?: PromptIds): void => {
  const { code, message } = refusal(name, options, ids);
  expect(code).toBe("bad-option");
  expect(message).toContain(word);
};

/** The passes that a resolved generation plans. */
async function passes(
  name: Name,
  options: object,
  ids: PromptIds = prompt(16),
  model = fixed((goal) => mix(goal) / 2 ** 32),
): Promise<Ran[]> {
  const { decoder, canvas, stopIds } = run(name, { genLength: 32, ...options }, ids);
  return [...(await drive(decoder, canvas, { model, stopIds: [...stopIds] })).ran];
}
const forwards = (ran: readonly Ran[]): Ran[] => ran.filter(({ rows }) => rows.length > 0);

describe("bad options", () => {
  test.each(["refreshInterval", "cacheWindow", "cacheWarmup", "suffixWindow", "suffixDensity"])(
    "%s is for masked diffusion",
    (option) => {
      for (const name of ["ar", ...BLOCK] as const) isRefused(name, { [option]: 1 }, option);
    },
  );

  test.each([
    ["gridOffset", 1],
    ["commitLast", true],
    ["fusedCommit", true],
  ])("%s is for block diffusion without shift", (option, value) => {
    for (const name of ["ar", ...MASKED, "block with shift"] as const) isRefused(name, { [option]: value }, option);
    expect(run("block", { [option]: value }).answerLength).toBe(64);
  });

  test.each([
    ["refreshInterval", [-1, 1.5, "4", null]],
    ["cacheWindow", [-1, 1.5, Number.NaN]],
    ["cacheWarmup", [-1, 0.5]],
    ["suffixWindow", [-1, 2 ** 32]],
    ["suffixDensity", [-0.1, 1.1, "all"]],
  ])("%s out of range", (option, values) => {
    const others = { cache: "vicinity", ...(option === "suffixDensity" ? { suffixWindow: 4 } : {}) };
    for (const value of values) isRefused("mdlm", { ...others, [option]: value }, option);
  });

  test.each(["commitLast", "fusedCommit", "earlyStop"])("%s is true or false", (option) => {
    for (const value of [1, "true", null]) isRefused("block", { [option]: value }, option);
  });

  test("gridOffset is less than a block, or prompt", () => {
    for (const value of [8, -1, 1.5, "start"]) isRefused("block", { gridOffset: value }, "gridOffset");
    for (const value of [0, 7, "prompt"]) expect(run("block", { gridOffset: value }).answerLength).toBe(64);
  });

  test("what a cache does not look at is refused with it", () => {
    for (const cache of [undefined, "none"] as const) isRefused("mdlm", { cache, refreshInterval: 4 }, "refreshInterval");
    for (const cache of ["prefix", "dual", "delayed", "frozen"] as const)
      isRefused("mdlm", { cache, cacheWindow: 4 }, "cacheWindow");
    for (const cache of ["prefix", "dual", "frozen"] as const) isRefused("mdlm", { cache, cacheWarmup: 4 }, "cacheWarmup");
    isRefused("mdlm", { suffixDensity: 0.5 }, "suffixWindow");
  });

  test("early stop does not go with a canvas of holes", () =>
    isRefused("mdlm", { earlyStop: true }, "earlyStop", [1, 2, null, 4, null]));

  test("policy: a name of the table, and numbers of its own in their ranges", () => {
    for (const policy of ["best", 3, null, {}, { name: "toString" }, ["p2"]]) isRefused("mdlm", { policy }, "policy");
    for (const name of ["best", "constructor"])
      expect(refusal("mdlm", { policy: name }).message).toContain(POLICY_NAMES.join(", "));
    isRefused("mdlm", { policy: { name: "hierarchical", lower: 0.3 } }, "lower");
    isRefused("mdlm", { policy: { name: "hierarchical", toString: 0.3 } }, "toString");
    for (const low of [-0.1, 1.1, "0.4", null, Number.NaN]) isRefused("mdlm", { policy: { name: "hierarchical", low } }, "low");
    for (const steps of [0, 1.5]) isRefused("mdlm", { policy: { name: "p2", steps } }, "steps");
    isRefused("ar", { policy: "p2" }, "policy");
  });

  test("a policy decides alone how much a forward reveals", () => {
    const others = [{ steps: 8 }, { threshold: 0.9 }, { factor: 1 }, { ebGamma: 1 }, { remasking: "entropy" }];
    for (const other of others) isRefused("mdlm", { policy: "p2", ...other }, Object.keys(other)[0] as string);
  });

  test("policies that plan their own passes: one family, no shift, none of the options that they do not look at", () => {
    for (const name of ["mdlm with shift", ...BLOCK] as const) isRefused(name, { policy: "wino" }, "wino");
    for (const name of [...MASKED, "block with shift"] as const) isRefused(name, { policy: "pipelined" }, "pipelined");
    for (const other of [{ cache: "dual" }, { cfgScale: 1 }, { suffixWindow: 4 }]) {
      isRefused("mdlm", { policy: "wino", ...other }, Object.keys(other)[0] as string);
    }
    for (const other of [{ fusedCommit: true }, { commitLast: true }]) {
      isRefused("block", { policy: "pipelined", ...other }, Object.keys(other)[0] as string);
    }
    expect(refusal("mdlm", { policy: "wino", genLength: 32 }, prompt(9), 72).code).toBe("context-overflow");
    expect(run("mdlm", { policy: "wino", genLength: 32 }, prompt(9), 73).answerLength).toBe(32);
  });

  test("sequential has no ranking for a threshold or an entropy bound", () => {
    for (const other of [{ threshold: 0.9 }, { factor: 1 }, { ebGamma: 1 }])
      isRefused("mdlm", { remasking: "sequential", ...other }, "remasking");
  });
});

describe("what the options change", () => {
  test("steps with threshold: SDAR's dynamic rule", async () => {
    const [first] = forwards(await passes("block", { steps: 16, threshold: 0.8 })).filter(({ kind }) => kind === "block");
    expect(first?.reveal).toEqual({ rule: "dynamic", bound: 0.8, strict: true, count: 2, metric: "confidence" });
  });

  test("remasking sequential reveals from the left", async () => {
    const ran = await passes("mdlm", { remasking: "sequential", blockLength: 32, steps: 8 });
    expect(ran.flatMap(({ revealed }) => revealed)).toEqual(range(16, 48));
  });

  test("refreshInterval: every so many passes are full", async () => {
    const kinds = forwards(await passes("mdlm", { cache: "dual", blockLength: 32, steps: 8, refreshInterval: 3 })).map(
      ({ kind }) => kind,
    );
    expect(kinds).toEqual(["full", "block", "block", "full", "block", "block", "full", "block"]);
  });

  test("vicinity: defaults of dInfer, 16 places either side after 4 full passes; or what is asked", async () => {
    const rows = async (over: object) =>
      forwards(await passes("mdlm", { cache: "vicinity", blockLength: 8, steps: 32, genLength: 32, ...over }, prompt(40))).map(
        (pass) => pass.rows.length,
      );
    expect(await rows({})).toEqual(
      [72, 72, 72, 72, 40, 40, 40, 40, 72, ...Array(7).fill(40), 72, ...Array(7).fill(32 + 8), 72, ...Array(7).fill(24)].map(
        (n, i) => (i > 16 && i < 24 ? 32 : n),
      ),
    );
    expect((await rows({ cacheWindow: 2, cacheWarmup: 0 })).slice(0, 8)).toEqual([72, ...Array(7).fill(12)]);
  });

  test("gridOffset: where blocks end", async () => {
    const starts = async (gridOffset: number | "prompt") => {
      const ran = forwards(await passes("block", { gridOffset, genLength: 16, steps: 4 }, prompt(11))).filter(
        ({ kind }) => kind === "block",
      );
      return [...new Set(ran.map(({ rows }) => rows[0]?.place))];
    };
    expect(await starts(0)).toEqual([8, 16, 24]);
    expect(await starts(3)).toEqual([5, 13, 21]);
    expect(await starts("prompt")).toEqual([11, 19]);
  });

  test("commitLast, fusedCommit: forwards that keep clean rows", async () => {
    const count = async (over: object) => forwards(await passes("block", { steps: 16, ...over })).length;
    expect([await count({}), await count({ commitLast: true }), await count({ fusedCommit: true })]).toEqual([20, 21, 17]);
    expect(await count({ fusedCommit: true, commitLast: true })).toBe(18);
  });

  test("suffixWindow: masks behind it are no rows", async () => {
    const first = async (over: object) => forwards(await passes("mdlm", { blockLength: 8, ...over }))[0]?.rows.length;
    expect([await first({}), await first({ suffixWindow: 4 }), await first({ suffixWindow: 0 })]).toEqual([48, 28, 24]);
  });

  test("earlyStop false goes on after a stop id, true or nothing does not", async () => {
    const model = (state: number, goal: number) => ({ ...hashed()(state, goal), id: goal === 17 ? EOS : 1 });
    for (const name of [...MASKED, ...BLOCK]) {
      const count = async (over: object) => (await passes(name, { genLength: 64, ...over }, prompt(16), model)).length;
      expect(await count({ earlyStop: false })).toBe(await count({ ignoreEos: true }));
      expect(await count({ earlyStop: true })).toBe(await count({}));
      expect(await count({})).toBeLessThan(await count({ earlyStop: false }));
    }
  });
});

describe.each(POLICY_NAMES)("policy %s", (policy) => {
  const models: readonly Name[] = policy === "wino" ? ["mdlm"] : policy === "pipelined" ? ["block"] : [...MASKED, ...BLOCK];

  test("by name or with its name: the canvas is filled, nothing but masks is written, the same every time", async () => {
    for (const name of models) {
      for (const length of [5, 16]) {
        const tokens: number[][] = [];
        for (const given of [policy, { name: policy }]) {
          const { decoder, canvas, stopIds } = run(
            name,
            { genLength: 16, blockLength: 8, policy: given, seed: 3 },
            prompt(length),
          );
          const { ran } = await drive(decoder, canvas, { model: hashed(length), stopIds: [...stopIds] });
          expect(canvas.tokens.slice(0, length)).toEqual(prompt(length));
          expect(canvas.tokens.slice(length, length + 16)).not.toContain(MASK);
          expect(ran.length).toBeLessThan(400);
          tokens.push(canvas.tokens);
        }
        expect(tokens[1]).toEqual(tokens[0]);
      }
    }
  });

  test("holes are filled, what was given stays", async () => {
    if (models[0] !== "mdlm") return expect(policy).toBe("pipelined");
    const given = [1, 2, 3, null, 5, null, null, 8, 9, null, null, 12];
    const { decoder, canvas } = run("mdlm", { policy, blockLength: 3, seed: 5 }, given);
    await drive(decoder, canvas, { model: hashed(2) });
    given.forEach((id, place) => {
      if (id === null) expect(canvas.tokens[place]).not.toBe(MASK);
      else expect(canvas.tokens[place]).toBe(id);
    });
  });
});
