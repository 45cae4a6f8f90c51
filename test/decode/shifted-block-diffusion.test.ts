/** Block diffusion with shift, on the device: caches, sub-blocks, first tokens of blocks. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blockEnd } from "../../src/decode/block-diffusion";
import { Canvas } from "../../src/decode/canvas";
import type { PlannedPass } from "../../src/decode/decoder";
import type { Engine } from "../../src/model/engine";
import { GREEDY, type Row } from "../../src/model/pass";
import {
  cacheRows,
  canvasOf,
  decode,
  disposeEngines,
  follow,
  gapsToWhole,
  golden,
  greedy,
  MASK,
  prompt,
  random,
  shifted,
  TOLERANCE,
  threshold,
  told,
  wholeLogits,
} from "../support/following";
import { GENERATION } from "../support/random-model";

let fast: Engine;
let fastTwin: Engine;
let llama: Engine;
beforeAll(async () => {
  fast = await golden("fast-dllm-v2");
  fastTwin = await golden("fast-dllm-v2");
  llama = await golden("llama");
}, 120_000);
afterAll(disposeEngines);

describe("block diffusion with shift", () => {
  test.each([1, 3, 7, 8, 9, 15, 16])(
    "J5 P = %i: every cached pass equals the block mask over the whole canvas",
    async (promptLength) => {
      const run = await follow(fast, shifted(8, 2), canvasOf(promptLength));
      expect(Math.max(...(await gapsToWhole(run, fastTwin, (place) => blockEnd(place, 8, 0))))).toBeLessThan(TOLERANCE);
    },
  );

  test("J7 blocks of one are greedy decoding, token for token", async () => {
    const ar = await decode(llama, greedy(20), new Canvas(prompt(9), 9, 0xffffffff));
    const blocks = await decode(llama, shifted(1, 19), canvasOf(9));
    expect(blocks.canvas.tokens).toEqual(ar.canvas.tokens);
    expect(told(blocks).map(({ rows, revealed }) => ({ rows, revealed }))).toEqual(
      told(ar).map(({ rows, revealed }) => ({ rows, revealed })),
    );
  });

  test("J17 sub-blocks as long as the block: the sub-block cache changes nothing", async () => {
    const over = { subBlockLength: 8, selection: threshold(0.3), schedule: null };
    const [without, cached] = [
      await decode(fast, shifted(8, 3, over), canvasOf(11)),
      await decode(fast, shifted(8, 3, { ...over, subBlockCache: true }), canvasOf(11)),
    ];
    expect(told(cached)).toEqual(told(without));
  });

  test("J17 with one layer the sub-block cache is exact for any length; a masked first place takes the whole block", async () => {
    const one = { layers: 1, maskTokenId: 62, generation: { ...GENERATION.shifted, block_length: 8 } };
    const [cached, reference] = [await random(one), await random(one)];
    for (const subBlockLength of [1, 2, 4]) {
      const canvas = new Canvas(
        prompt(11).map((id) => id % 60),
        11,
        62,
      );
      const over = { subBlockLength, subBlockCache: true, selection: threshold(0.3), schedule: null };
      const run = await follow(cached, shifted(8, 3, over), canvas, { sampling: { ...GREEDY, suppress: [62, 63] } });
      expect(Math.max(...(await gapsToWhole(run, reference, (place) => blockEnd(place, 8, 0))))).toBeLessThan(TOLERANCE);
      for (const { pass, before } of run.seen) {
        if (pass.kind !== "block") continue;
        const first = before.indexOf(62, 11);
        if (first % subBlockLength === 0) expect(pass.rows).toHaveLength(8);
      }
    }
  });

  test("J18 the first place of a block is never masked: it is the best of the last row of the commit before", async () => {
    const { seen, canvas } = await follow(fast, shifted(8, 3, { subBlockLength: 4 }), canvasOf(11));
    const { vocabSize } = fast.config;
    const commits = seen.filter(({ pass }) => pass.kind === "commit");
    expect(commits).toHaveLength(3);
    for (const { pass, logits } of commits) {
      const row = logits.subarray(7 * vocabSize, 7 * vocabSize + MASK);
      expect(canvas.tokens[(pass.rows.at(-1) as Row).place + 1]).toBe(row.indexOf(Math.max(...row)));
    }
    for (const { pass, before } of seen)
      if (pass.kind === "block") expect(before[Math.floor((pass.rows[0] as Row).place / 8) * 8]).not.toBe(MASK);
  });

  test("J18 P = Bl: the answer depends on the prompt, and is that of the whole canvas computed at once", async () => {
    const of = async (tokens: readonly number[]) =>
      (await decode(fast, shifted(8, 1), new Canvas(tokens, 8, MASK))).canvas.tokens.slice(8);
    expect(await of(prompt(8))).not.toEqual(await of(prompt(8, 3)));
    const whole = await wholeLogits(fastTwin, prompt(8), () => 8);
    const row = whole.subarray(7 * fast.config.vocabSize, 7 * fast.config.vocabSize + MASK);
    expect((await of(prompt(8)))[0]).toBe(row.indexOf(Math.max(...row)));
  });

  test("J21 a run that stops early is the beginning of the one that does not", async () => {
    const whole = await decode(fast, shifted(8, 3), canvasOf(11));
    for (const place of [13, 20, 27]) {
      const stopId = whole.canvas.tokens[place] as number;
      const first = whole.canvas.tokens.indexOf(stopId, 11);
      const stopped = await decode(fast, shifted(8, 3), canvasOf(11), { stopIds: [stopId] });
      expect(stopped.canvas.tokens.slice(0, first + 1)).toEqual(whole.canvas.tokens.slice(0, first + 1));
      expect(stopped.forwards.length).toBeLessThanOrEqual(whole.forwards.length);
    }
  });

  test("J29 transient passes, sub-blocks too, leave every committed row as it is", async () => {
    let committed: Float32Array[] = [];
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      if (kind === "block") expect(await cacheRows(fast, 0, committed.length)).toEqual(committed);
      else committed = await cacheRows(fast, 0, (rows.at(-1) as Row).slot + 1);
    };
    await follow(fast, shifted(8, 2, { subBlockLength: 4, subBlockCache: true }), canvasOf(11), { after });
    expect(committed).toHaveLength(24);
  });
});
