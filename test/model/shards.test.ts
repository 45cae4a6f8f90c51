/** A vocabulary beyond what a binding holds lies in shards: the same logits and answers, counts as the closed forms say, no buffer above the limit. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Gpu } from "../../src/gpu/device";
import { costOfPasses } from "../../src/measure/cost-model";
import { engineLayout } from "../../src/measure/layout";
import { extentOf, type Row } from "../../src/model/pass";
import type { PlaneFormat } from "../../src/model/planes";
import { openTestGpu, testGpu } from "../support/goldens";
import { firstFault } from "../support/kernel";
import { loadRandom } from "../support/random-model";

const LIMIT = 384 * 1024;
/** 64 f32 of 3500 tokens are 875 KiB: three shards, the last one of 428 tokens. */
const MODEL = { hiddenSize: 64, vocabSize: 3500, layers: 1, intermediateSize: 96, contextLength: 64 } as const;
const CONTEXT = 16;

let small: Gpu;
beforeAll(async () => {
  small = await openTestGpu({ limits: { maxStorageBufferBindingSize: LIMIT } });
});
afterAll(() => small.dispose());

const causal = (count: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({ place: i, position: i, slot: i, start: 0, limit: i + 1, goal: i }));

/** Two engines compile their kernels in each. */
const TIMEOUT = 180_000;

describe.each<[PlaneFormat, number]>([
  ["f32", 3],
  ["f16", 2],
])("%s in %i shards", (quantize, shards) => {
  test("logits of every row, and answers, equal those of one plane", { timeout: TIMEOUT }, async () => {
    const [whole, split] = await Promise.all(
      [await testGpu(), small].map((gpu) => loadRandom(MODEL, { quantize, contextLength: CONTEXT }, gpu)),
    );
    const tokens = [0, 1535, 1536, 3071, 3072, 3499, 511, 512, 5];
    for (const { engine } of [whole!, split!]) engine.writeCanvas(0, tokens);
    for (const count of [1, tokens.length]) {
      const [want, got] = [await whole!.engine.logits(causal(count)), await split!.engine.logits(causal(count))];
      // One plane takes the norm on where shards share one: roundings differ.
      expect(firstFault(got, want, (i) => 1e-5 * (1 + Math.abs(want[i]!)))).toBeNull();
      expect(want.some((value) => value !== 0)).toBe(true);
    }
    const [want, got] = await Promise.all(
      [whole!, split!].map(({ engine }) => engine.run([{ rows: causal(tokens.length), reveal: { rule: "none" } }])),
    );
    const idsOf = (results: typeof want) => results![0]!.answers.map(({ id }) => id);
    expect(idsOf(got)).toEqual(idsOf(want));

    const { engine, config } = split!;
    const dispatches = engine.record({ rows: causal(1), reveal: { rule: "none" } });
    expect(dispatches.filter(({ role }) => role === "embed_tokens").length).toBe(shards);
    expect(dispatches.filter(({ role }) => role === "lm_head").length).toBe(shards);
    const formats = { embed: quantize, layers: quantize, head: quantize };
    const layout = engineLayout(small.profile, config, { formats, contextLength: CONTEXT });
    for (const count of [1, tokens.length]) {
      const rows = causal(count);
      const { visible, span } = extentOf(rows);
      const pass = { phase: "prefill", forwards: 1, rows: count, visible, span, answered: [count] } as const;
      const closed = costOfPasses(config, layout, pass);
      const recorded = engine.record({ rows, reveal: { rule: "all" } });
      const sum = (of: "flops" | "bytes") => recorded.reduce((total, dispatch) => total + dispatch[of], 0);
      expect([recorded.length, sum("flops"), sum("bytes")]).toEqual([closed.dispatches, closed.flops, closed.bytes]);
    }
    for (const model of [whole!, split!]) model.engine.dispose();
  });
});

test("a device that cannot bind even a few columns is refused by name", async () => {
  const tiny = await openTestGpu({ limits: { maxStorageBufferBindingSize: 8192 } });
  await expect(loadRandom(MODEL, { contextLength: CONTEXT }, tiny)).rejects.toThrow(/64 columns of K=64 in f32 take 16384 bytes/);
  expect(tiny.buffers.count).toBe(0);
  tiny.dispose();
});
