/** Block diffusion, on the device: every cached pass against the block mask over the whole canvas, commits, rollbacks. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blockEnd } from "../../src/decode/block-diffusion";
import type { PlannedPass } from "../../src/decode/decoder";
import type { Engine } from "../../src/model/engine";
import type { Row } from "../../src/model/pass";
import {
  block,
  cacheRows,
  canvasOf,
  DIFFERENT,
  decode,
  disposeEngines,
  follow,
  gap,
  gapsToWhole,
  golden,
  MASK,
  NEVER,
  prompt,
  rowsFrom,
  TOLERANCE,
  wholeLogits,
} from "../support/following";

let qwen3: Engine;
let qwen3Twin: Engine;
beforeAll(async () => {
  qwen3 = await golden("qwen3");
  qwen3Twin = await golden("qwen3");
}, 120_000);
afterAll(disposeEngines);

describe("block diffusion", () => {
  const shapes = [
    ...[1, 5].map((P) => [1, P] as const),
    ...[1, 3, 4, 8, 9, 11].map((P) => [4, P] as const),
    ...[1, 7, 8, 16, 17, 23].map((P) => [8, P] as const),
    ...[1, 31, 32, 33].map((P) => [32, P] as const),
  ];
  test.each(shapes)(
    "J5 Bl = %i, P = %i: every cached pass equals the block mask over the whole canvas",
    async (blockLength, promptLength) => {
      const run = await follow(qwen3, block(blockLength), canvasOf(promptLength, Math.max(4, blockLength)));
      expect(Math.max(...(await gapsToWhole(run, qwen3Twin, (place) => blockEnd(place, blockLength, 0))))).toBeLessThan(
        TOLERANCE,
      );
    },
  );

  test("J5 a grid that starts at the prompt's end", async () => {
    const run = await follow(qwen3, block(8, { gridOffset: 5 }), canvasOf(11, 16));
    expect(Math.max(...(await gapsToWhole(run, qwen3Twin, (place) => blockEnd(place, 8, 5))))).toBeLessThan(TOLERANCE);
  });

  test("J6 a commit's keys and values are those of a fresh prefill; those of the last masked pass are not", async () => {
    const last: Float32Array[][] = [];
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      if (kind !== "prefill") last.push(await cacheRows(qwen3, (rows[0] as Row).slot, (rows.at(-1) as Row).slot + 1));
    };
    const { canvas, seen } = await follow(qwen3, block(8), canvasOf(8, 8), { after });
    expect(seen.map(({ pass }) => pass.kind)).toEqual(["prefill", "block", "block", "block", "commit"]);
    await wholeLogits(qwen3Twin, canvas.tokens, (place) => blockEnd(place, 8, 0));
    const fresh = await cacheRows(qwen3Twin, 8, 16);
    const gaps = last.map((rows) => Math.max(...rows.map((row, i) => gap(row, fresh[i] ?? []))));
    expect(gaps.at(-1)).toBeLessThan(TOLERANCE);
    for (const transient of gaps.slice(0, -1)) expect(transient).toBeGreaterThan(DIFFERENT);
  });

  test("J6 leaving the commit out changes the next block", async () => {
    const { canvas } = await decode(qwen3, block(8), canvasOf(8, 8));
    const next = [...canvas.tokens, ...new Array<number>(8).fill(MASK)];
    const logitsOf = async (engine: Engine) => {
      engine.writeCanvas(0, next);
      return engine.logits(rowsFrom(16, 24, () => 24));
    };
    const committed = await logitsOf(qwen3);
    await decode(qwen3Twin, block(8, { commitLast: false }), canvasOf(8, 8));
    expect(gap(await logitsOf(qwen3Twin), committed)).toBeGreaterThan(DIFFERENT);
  });

  test("J7 blocks of one, no shift: the uncached loop over places, token for token", async () => {
    const { canvas } = await decode(qwen3, block(1), canvasOf(6, 10));
    const tokens = prompt(6);
    const { vocabSize } = qwen3.config;
    for (let place = 6; place < 16; place++) {
      const whole = await wholeLogits(qwen3Twin, [...tokens, MASK], (at) => at + 1);
      const row = whole.subarray(place * vocabSize, place * vocabSize + MASK);
      tokens.push(row.indexOf(Math.max(...row)));
    }
    expect(canvas.tokens).toEqual(tokens);
  });

  test("J8 blocks do not depend on how many follow", async () => {
    const [short, long] = [await follow(qwen3, block(8), canvasOf(11, 8)), await follow(qwen3Twin, block(8), canvasOf(11, 24))];
    expect(long.canvas.tokens.slice(0, short.canvas.length)).toEqual(short.canvas.tokens);
    for (const [i, { logits }] of short.seen.entries()) expect(gap(logits, long.seen[i]?.logits ?? [])).toBe(0);
  });

  test("J12 P mod Bl ≠ 0 and fewer steps than places: the prompt's rest is not overwritten", async () => {
    for (const promptLength of [1, 5, 7, 9, 15]) {
      const { canvas } = await decode(qwen3, block(8, { schedule: () => [8] }), canvasOf(promptLength, 8));
      expect(canvas.tokens.slice(0, promptLength)).toEqual(prompt(promptLength));
      for (const id of canvas.tokens.slice(promptLength)) expect(NEVER).not.toContain(id);
    }
  });

  test("J21 a run that stops early is the beginning of the one that does not, in no more forwards", async () => {
    const whole = await decode(qwen3, block(8), canvasOf(11, 24));
    for (const place of [12, 19, 30]) {
      const stopId = whole.canvas.tokens[place] as number;
      const first = whole.canvas.tokens.indexOf(stopId, 11);
      const stopped = await decode(qwen3, block(8, { earlyStop: true }), canvasOf(11, 24), { stopIds: [stopId] });
      expect(stopped.canvas.tokens.slice(0, first + 1)).toEqual(whole.canvas.tokens.slice(0, first + 1));
      expect(stopped.forwards.length).toBeLessThanOrEqual(whole.forwards.length);
      expect(stopped.canvas.stopIndex(new Set([stopId]))).toBe(first);
    }
  });

  test("J29 a transient pass leaves every committed row as it is, bit for bit", async () => {
    let committed: Float32Array[] = [];
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      const end = (rows.at(-1) as Row).slot + 1;
      if (kind === "block") expect(await cacheRows(qwen3, 0, committed.length)).toEqual(committed);
      else committed = await cacheRows(qwen3, 0, end);
    };
    await follow(qwen3, block(8), canvasOf(11, 16), { after });
    expect(committed).toHaveLength(32);
  });
});
