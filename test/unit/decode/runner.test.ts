/** The runner: dropped passes, aborts, standing still, masks written as the canvas grows. */
import { describe, expect, test } from "vitest";
import { autoregressive } from "../../../src/decode/autoregressive";
import { Canvas, NO_TOKEN } from "../../../src/decode/canvas";
import type { Decoder } from "../../../src/decode/decoder";
import { maskedDiffusion } from "../../../src/decode/masked-diffusion";
import { countKinds } from "../../../src/decode/runner";
import { shiftedBlockDiffusion } from "../../../src/decode/shifted-block-diffusion";
import { drive, EOS, type FakeModel, hashed, MASK, prompt, range, saying } from "./drive";

const greedy =
  (maxNewTokens: number, tokensPerSubmit = 4) =>
  (context: Parameters<typeof autoregressive>[0]) =>
    autoregressive(context, { maxNewTokens, tokensPerSubmit });
const arCanvas = (length: number): Canvas => new Canvas(prompt(length), length, NO_TOKEN);
const THRESHOLD = { rule: "threshold", threshold: 0.5, strict: false, metric: "confidence" } as const;

describe("passes planned ahead of a stop id", () => {
  // P = 3: the prefill answers place 3, the submits after it answer 4 … 11 | 12 … 15 | 16 … 20.
  test.each([
    [3, 1, 0],
    [4, 2, 7],
    [7, 5, 4],
    [11, 9, 0],
    [12, 10, 3],
    [15, 13, 0],
    [16, 14, 4],
    [20, 18, 0],
  ])("stop id at place %i: %i forwards count, %i are dropped", async (place, counted, dropped) => {
    const model = saying(new Map([[place, EOS]]));
    const run = await drive(greedy(18), arCanvas(3), { model, stopIds: [EOS] });
    expect(run.forwards).toHaveLength(counted);
    expect(run.dropped).toHaveLength(dropped);
    expect(run.dropped.every(({ revealed }) => revealed.length === 0)).toBe(true);
    expect(run.canvas.length).toBe(place + 1);
    expect(run.canvas.tokens.at(-1)).toBe(EOS);
    expect(run.progress.flatMap(({ revealed }) => revealed.map(({ position }) => position))).toEqual(range(3, place + 1));
  });

  test("J21 what counted does not depend on how many tokens go in one submit", async () => {
    const model = saying(new Map([[9, EOS]]));
    const [one, many] = await Promise.all(
      [1, 6].map((tokens) => drive(greedy(20, tokens), arCanvas(3), { model, stopIds: [EOS] })),
    );
    expect(many?.canvas.tokens).toEqual(one?.canvas.tokens);
    expect(many?.forwards.map(({ kind, rows, revealed }) => ({ kind, rows, revealed }))).toEqual(
      one?.forwards.map(({ kind, rows, revealed }) => ({ kind, rows, revealed })),
    );
    expect(one?.dropped).toEqual([]);
  });

  test("without stop ids nothing is dropped", async () => {
    const run = await drive(greedy(8), arCanvas(3), { model: saying(new Map([[5, EOS]])) });
    expect([run.forwards.length, run.dropped.length, run.canvas.length]).toEqual([8, 0, 11]);
  });
});

describe("abort", () => {
  const until = async (submits: number) => {
    const controller = new AbortController();
    let seen = 0;
    const onProgress = (): void => {
      seen++;
      if (seen === submits) controller.abort();
    };
    return drive(greedy(20), arCanvas(3), { signal: controller.signal, onProgress });
  };

  test.each([1, 2, 3])("after submit %i no further one starts, and what ran is told", async (submits) => {
    const { engine, progress, forwards, canvas } = await until(submits);
    expect(engine.submits).toHaveLength(submits);
    expect(progress).toHaveLength(submits);
    expect(canvas.length).toBe(3 + forwards.length);
  });

  test("before the start nothing runs", async () => {
    const signal = AbortSignal.abort();
    expect((await drive(greedy(20), arCanvas(3), { signal })).engine.submits).toEqual([]);
  });
});

describe("a model that answers the mask", () => {
  const stuck: FakeModel = (state, goal) => ({ ...hashed()(state, goal), id: MASK });

  test("is an error in the end, not an endless loop", async () => {
    const canvas = new Canvas([1, 2, MASK, MASK], 2, MASK);
    const options = {
      blockLength: 2,
      cache: "none",
      refresh: 0,
      guidance: 0,
      shift: false,
      schedule: null,
      earlyStop: false,
    } as const;
    const run = drive((context) => maskedDiffusion(context, { ...options, selection: THRESHOLD }), canvas, {
      model: stuck,
      slots: 16,
    });
    await expect(run).rejects.toMatchObject({ code: "bad-option", message: expect.stringContaining("the mask") });
  });
});

test("masks are written before the rows that read them, each place once", async () => {
  const canvas = new Canvas(prompt(8), 8, MASK);
  const options = { blockLength: 8, subBlockLength: 4, subBlockCache: false, blocks: 3, selection: THRESHOLD, schedule: null };
  const { engine } = await drive((context) => shiftedBlockDiffusion(context, options), canvas);
  expect(engine.canvas).toEqual(canvas.tokens);
  expect(engine.canvas).not.toContain(MASK);
  for (const { rows, before } of engine.ran) for (const { place } of rows) expect(before[place]).toBeDefined();
});

test("a decoder that yields nothing runs nothing", async () => {
  function* idle(): Decoder {}
  expect((await drive(idle, arCanvas(3))).progress).toEqual([]);
});

test("forwards are counted by kind", () => {
  const of = (kind: "prefill" | "commit", forwards = 1) => ({ kind, forwards });
  expect(countKinds([of("prefill"), of("commit"), of("commit")])).toEqual({ prefill: 1, commit: 2 });
  expect(countKinds([])).toEqual({});
});
