/** Autoregressive decoding, on the device: prefill in passes of any size, every step against one prefill. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blockEnd } from "../../src/decode/block-diffusion";
import { Canvas } from "../../src/decode/canvas";
import type { Engine } from "../../src/model/engine";
import type { Row } from "../../src/model/pass";
import {
  cacheRows,
  decode,
  disposeEngines,
  follow,
  gap,
  golden,
  greedy,
  prompt,
  rowsFrom,
  TOLERANCE,
  wholeLogits,
} from "../support/following";

let llama: Engine;
beforeAll(async () => {
  llama = await golden("llama");
}, 120_000);
afterAll(disposeEngines);

describe("autoregressive", () => {
  const causal = (place: number): number => place + 1;

  test("J31 logits of every step are the rows of one prefill", async () => {
    const run = await follow(llama, greedy(12, 1), new Canvas(prompt(9), 9, 0xffffffff));
    const whole = await wholeLogits(llama, run.canvas.tokens, causal);
    const { vocabSize } = llama.config;
    for (const { pass, logits } of run.seen) {
      const from = (pass.rows[0] as Row).place;
      expect(gap(logits, whole.subarray(from * vocabSize, (from + pass.rows.length) * vocabSize))).toBeLessThan(TOLERANCE);
    }
  });

  test("J31 a prefill in passes of any size is one prefill", async () => {
    const tokens = prompt(40);
    const whole = await wholeLogits(llama, tokens, causal);
    const cached = await cacheRows(llama, 0, 40);
    const { vocabSize } = llama.config;
    for (const size of [1, 7, 16, 39]) {
      for (let from = 0; from < 40; from += size) {
        const to = Math.min(from + size, 40);
        const logits = await llama.logits(rowsFrom(from, to, causal));
        expect(gap(logits, whole.subarray(from * vocabSize, to * vocabSize))).toBeLessThan(TOLERANCE);
      }
      const now = await cacheRows(llama, 0, 40);
      expect(Math.max(...now.map((row, i) => gap(row, cached[i] ?? [])))).toBeLessThan(TOLERANCE);
    }
  });

  test("J31 causal is the block grid of blocks of one", async () => {
    const tokens = prompt(20);
    const grid = await wholeLogits(llama, tokens, (place) => blockEnd(place, 1, 0));
    expect(gap(await wholeLogits(llama, tokens, causal), grid)).toBe(0);
  });

  test("J21 stopping early cuts the answer and nothing else, however many tokens go in one submit", async () => {
    const canvas = () => new Canvas(prompt(9), 9, 0xffffffff);
    const whole = await decode(llama, greedy(16), canvas());
    const stopId = whole.canvas.tokens[16] as number;
    const first = whole.canvas.tokens.indexOf(stopId, 9);
    for (const tokensPerSubmit of [1, 3, 4]) {
      const stopped = await decode(llama, greedy(16, tokensPerSubmit), canvas(), { stopIds: [stopId] });
      expect(stopped.canvas.tokens).toEqual(whole.canvas.tokens.slice(0, first + 1));
      expect(stopped.forwards).toHaveLength(first - 8);
    }
  });
});
