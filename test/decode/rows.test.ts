/** Rows, on the device: equal runs are equal, rows stand where they are put, two sequences in one pass. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blockEnd } from "../../src/decode/block-diffusion";
import { Canvas } from "../../src/decode/canvas";
import type { Engine } from "../../src/model/engine";
import { GREEDY, type Row, type Sampling } from "../../src/model/pass";
import {
  block,
  canvasOf,
  DIFFERENT,
  decode,
  disposeEngines,
  gap,
  golden,
  MASK,
  masked,
  prompt,
  random,
  range,
  SAMPLING,
  steps,
  TOLERANCE,
  told,
} from "../support/following";
import { GENERATION } from "../support/random-model";

let llada: Engine;
let qwen3: Engine;
let llama: Engine;
beforeAll(async () => {
  llada = await golden("llada");
  qwen3 = await golden("qwen3");
  llama = await golden("llama");
}, 120_000);
afterAll(disposeEngines);

describe("J14 the same every time", () => {
  test("repeated runs are equal to the last bit, sampled ones too", async () => {
    const sampled: Sampling = { ...SAMPLING, temperature: 1, topP: 0.95, seed: 7 };
    for (const sampling of [SAMPLING, sampled]) {
      const runs: ReturnType<typeof told>[] = [];
      for (let i = 0; i < 4; i++) runs.push(told(await decode(llada, masked("dual"), canvasOf(9, 16), { sampling })));
      for (const run of runs.slice(1)) expect(run).toEqual(runs[0]);
    }
  });

  test("what ran before leaves no trace", async () => {
    const alone = told(await decode(qwen3, block(8), canvasOf(11, 16)));
    await decode(qwen3, block(4, { schedule: steps(1) }), canvasOf(33, 64));
    await decode(qwen3, block(8), new Canvas([...prompt(5, 2), ...new Array<number>(40).fill(MASK)], 5, MASK));
    expect(told(await decode(qwen3, block(8), canvasOf(11, 16)))).toEqual(alone);
  });

  test("all logits equal: the lowest id that may be drawn, the lowest place first", async () => {
    const flat = await random({ layers: 1, headScale: 0, maskTokenId: 62, generation: GENERATION.masked });
    for (const suppress of [[62], [0, 1, 2, 62]]) {
      const canvas = new Canvas([9, 8, 7], 3, 62);
      canvas.extend(11);
      const { forwards } = await decode(flat, masked("none", { schedule: steps(4) }), canvas, {
        sampling: { ...GREEDY, suppress },
      });
      expect(canvas.tokens.slice(3)).toEqual(new Array<number>(8).fill(suppress.length > 1 ? 3 : 0));
      expect(forwards.map(({ revealed }) => revealed.map(({ position }) => position))).toEqual([
        [3, 4],
        [5, 6],
        [7, 8],
        [9, 10],
      ]);
    }
  });
});

describe("J16 rows stand where they are put", () => {
  const n = 12;
  /** Rows of a sequence whose places, slots and positions begin at bases of their own. */
  const rowsAt = (bases: { place: number; slot: number; position: number }, limitOf: (i: number) => number): Row[] =>
    range(0, n).map((i) => ({
      place: bases.place + i,
      slot: bases.slot + i,
      position: bases.position + i,
      start: bases.slot,
      limit: bases.slot + limitOf(i),
      goal: bases.place + i,
    }));

  const views: [string, () => Engine, (i: number) => number][] = [
    ["causal", () => llama, (i) => i + 1],
    ["full", () => llada, () => n],
    ["blocks of 4", () => qwen3, (i) => blockEnd(i, 4, 0)],
  ];

  test.each(views)(
    "%s: places and slots elsewhere change nothing, positions shifted as one next to nothing",
    async (_, engineOf, limitOf) => {
      const engine = engineOf();
      engine.writeCanvas(0, prompt(n));
      const at0 = await engine.logits(rowsAt({ place: 0, slot: 0, position: 0 }, limitOf));
      engine.writeCanvas(50, prompt(n));
      expect(gap(await engine.logits(rowsAt({ place: 50, slot: 37, position: 0 }, limitOf)), at0)).toBeLessThan(TOLERANCE);
      for (const position of [1, 37, 100]) {
        expect(gap(await engine.logits(rowsAt({ place: 50, slot: 37, position }, limitOf)), at0)).toBeLessThan(TOLERANCE);
      }
      const uneven = rowsAt({ place: 50, slot: 37, position: 0 }, limitOf).map((row, i) => ({
        ...row,
        position: i < 6 ? i : i + 3,
      }));
      expect(gap(await engine.logits(uneven), at0)).toBeGreaterThan(DIFFERENT);
    },
  );

  test.each(views)("%s: two sequences in one pass are each its own", async (_, engineOf, limitOf) => {
    const engine = engineOf();
    const [a, b] = [
      { place: 0, slot: 64, position: 3 },
      { place: 40, slot: 5, position: 0 },
    ];
    engine.writeCanvas(0, prompt(n));
    engine.writeCanvas(40, prompt(n, 2));
    const solo = [await engine.logits(rowsAt(a, limitOf)), await engine.logits(rowsAt(b, limitOf))];
    const both = await engine.logits([...rowsAt(a, limitOf), ...rowsAt(b, limitOf)]);
    const half = both.length / 2;
    expect(gap(both.subarray(0, half), solo[0] ?? [])).toBeLessThan(TOLERANCE);
    expect(gap(both.subarray(half), solo[1] ?? [])).toBeLessThan(TOLERANCE);
    const mixed = range(0, n).flatMap((i) => [rowsAt(a, limitOf)[i] as Row, rowsAt(b, limitOf)[i] as Row]);
    const { vocabSize } = engine.config;
    const logits = await engine.logits(mixed);
    for (const i of range(0, n)) {
      const row = (list: Float32Array, at: number) => list.subarray(at * vocabSize, (at + 1) * vocabSize);
      expect(gap(row(logits, 2 * i), row(solo[0] as Float32Array, i))).toBeLessThan(TOLERANCE);
      expect(gap(row(logits, 2 * i + 1), row(solo[1] as Float32Array, i))).toBeLessThan(TOLERANCE);
    }
  });
});
