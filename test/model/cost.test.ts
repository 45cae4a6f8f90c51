/** FLOPs counted from the recorded dispatches equal the closed form of the shape, exactly, for every architecture and kind of pass. */
import { describe, expect, test } from "vitest";
import { forwardFlops } from "../../src/measure/cost";
import { extentOf, type Row } from "../../src/model/pass";
import { loadGolden } from "../support/goldens";

const PASSES: Record<
  string,
  { n: number; from: number; limit: (i: number, n: number) => number; emits: (i: number, n: number) => boolean }
> = {
  prefill: { n: 67, from: 0, limit: (i) => i + 1, emits: (i, n) => i === n - 1 },
  decode: { n: 1, from: 66, limit: () => 67, emits: () => true },
  full: { n: 43, from: 0, limit: (_, n) => n, emits: (i) => i > 10 },
  block: { n: 8, from: 11, limit: () => 43, emits: (i) => i % 2 === 0 },
  commit: { n: 8, from: 16, limit: () => 24, emits: () => false },
};

describe.each(["llama-tied", "qwen2", "qwen3", "llada", "gguf-q4_0"])("%s", (folder) => {
  test("every kind of pass", async () => {
    const { engine, config } = await loadGolden(folder);
    for (const [name, { n, from, limit, emits }] of Object.entries(PASSES)) {
      const rows = Array.from({ length: n }, (_, i): Row => {
        const place = from + i;
        return { place, position: place, slot: place, start: 0, limit: limit(i, n), goal: emits(i, n) ? place : null };
      });
      const counted = engine.record({ rows, reveal: { rule: "all" } }).reduce((sum, { flops }) => sum + flops, 0);
      const emitted = rows.filter(({ goal }) => goal !== null).length;
      expect(counted, name).toBe(forwardFlops(config, { ...extentOf(rows), emitted }));
    }
    engine.dispose();
  });
});
