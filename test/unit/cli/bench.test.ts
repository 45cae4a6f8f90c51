/** What `bench` and `sweep` plan and how they take failures, without a browser. */
import { describe, expect, test } from "vitest";
import { type BenchSettings, type BenchTask, failedRow, planBench, roomOf } from "../../../cli/bench";
import { failedPoint } from "../../../cli/sweep-points";
import { type KnownModel, promptIds } from "../../../cli/sweep-prompts";
import { RidgepointError } from "../../../src/errors";
import { type Family, planSweep } from "../../../src/index";
import { MODEL_PRESETS } from "../../../src/measure/presets";

const known = (family: Family, blockLength: number | null = null): KnownModel => ({
  config: { ...MODEL_PRESETS["llama-3-8b"], family, blockLength, maxPositionEmbeddings: 256 },
  textIds: [3, 4, 5, 6, 7],
});

const SETTINGS: BenchSettings = { prompts: [64, 512], tokens: [32], batches: [1, 8], depths: [0, 40], decoding: {} };

describe("the tests of bench", () => {
  test("autoregressive: pp is one token behind the prompt, tg a forward a token behind its depth", () => {
    const tasks = planBench("m", known("ar"), { ...SETTINGS, batches: [1] });
    expect(tasks.map(({ name }) => name)).toEqual(["pp64", "pp512", "tg32", "tg32 @ d40"]);
    expect(tasks[0]).toMatchObject({ promptLength: 64, tokens: 64, options: { maxNewTokens: 1, ignoreEos: true } });
    expect(tasks[2]).toMatchObject({ promptLength: 1, tokens: 32, options: { maxNewTokens: 33 } });
    expect(tasks[3]).toMatchObject({ promptLength: 40, tokens: 32 });
  });

  test("diffusion: canvases in blocks, the model's own or the given one; a cache is a masked model's", () => {
    const names = (family: Family, more: Partial<BenchSettings>, block: number | null = 16) =>
      planBench("m", known(family, block), { ...SETTINGS, batches: [1], depths: [0], ...more }).map(({ name }) => name);
    expect(names("mdlm", {})).toEqual(["dlm32x16"]);
    expect(names("mdlm", {}, null)).toEqual(["dlm32x32"]);
    expect(names("block", { genLength: 64, decoding: { blockLength: 8 } })).toEqual(["dlm64x8"]);
    expect(() => names("mdlm", { genLength: 40 })).toThrow(/expected a multiple of the block length 16, got 40/);
    const cached = { ...SETTINGS, decoding: { cache: "dual" } } as const;
    expect(planBench("m", known("mdlm", 16), cached)[0]?.options.cache).toBe("dual");
    expect(planBench("m", known("block", 16), cached)[0]?.options.cache).toBeUndefined();
  });

  test("room: the longest test fits, at most the model's context; a batch has a part for each", () => {
    const tasks = planBench("m", known("ar"), { ...SETTINGS, prompts: [64] });
    const room = (batch: number) =>
      roomOf(
        tasks.filter((task) => task.batch === batch),
        known("ar"),
      );
    expect(room(1)).toEqual({ contextLength: 130 });
    expect(room(8)).toEqual({ contextLength: 130, sequences: 8 });
    expect(roomOf(planBench("m", known("ar"), SETTINGS), known("ar")).contextLength).toBe(256);
  });
});

describe("failures", () => {
  const [task] = planBench("m", known("ar"), SETTINGS) as [BenchTask];
  const point = planSweep("length", [{ name: "m", family: "ar", blockLength: null }], {
    values: [8],
    promptLengths: [4],
    genLength: 0,
  })[0]!;
  const error = (code: ConstructorParameters<typeof RidgepointError>[0]) => new RidgepointError(code, "why");

  test.each([
    ["out-of-memory", "out-of-memory"],
    ["timeout", "timeout"],
    ["context-overflow", "does-not-fit"],
    ["device-lost", "lost"],
    ["browser", "lost"],
  ] as const)("%s is a point of a sweep: %s", (code, status) => {
    expect(failedPoint(point, error(code))).toEqual({ ...point, status, message: "why", result: null });
  });

  test("what is wrong with the options, or with this project, ends it", () => {
    expect(() => failedPoint(point, error("bad-option"))).toThrow("why");
    expect(() => failedPoint(point, new TypeError("x is undefined"))).toThrow(TypeError);
    expect(() => failedRow(task, error("timeout"))).toThrow("why");
    expect(failedRow(task, error("context-overflow"))).toMatchObject({ name: "pp64", status: "does-not-fit", ns: null });
  });
});

test("prompts have their length, and those of a batch differ", () => {
  const model = known("ar");
  expect(promptIds(model, 7)).toEqual([3, 4, 5, 6, 7, 3, 4]);
  expect(promptIds(model, 0)).toEqual([]);
  expect(promptIds(model, 4, 1)).not.toEqual(promptIds(model, 4, 2));
});
