/** Logits of every architecture and weight format against an independent PyTorch implementation (float64, dequantised weights). */
import { describe, expect, test } from "vitest";
import type { Row } from "../../src/model/pass";
import { type GoldenCase, goldenCases, loadGolden } from "../support/goldens";

const FOLDERS = [
  ...["llama-tied", "llama-bf16", "llama3-rope", "qwen2", "qwen3", "llada", "dream", "fast-dllm-v2"],
  ...["gguf-f16", "gguf-q4_0", "gguf-q4_1", "gguf-q5_0", "gguf-q8_0"],
];
const TOLERANCE = 2e-3;

/** Rows whose intervals are the mask's. */
function rowsOf({ tokens, mask }: GoldenCase): Row[] {
  const n = tokens.length;
  return tokens.map((_, i) => {
    const row = mask.subarray(i * n, (i + 1) * n);
    return { place: i, position: i, slot: i, start: row.indexOf(1), limit: row.lastIndexOf(1) + 1, goal: i };
  });
}

describe.each(FOLDERS)("%s", (folder) => {
  test("logits equal the golden ones", async () => {
    const { engine, config } = await loadGolden(folder);
    const cases = await goldenCases(folder);
    expect(cases.length).toBeGreaterThanOrEqual(3);
    for (const golden of cases) {
      engine.writeCanvas(0, golden.tokens);
      const logits = await engine.logits(rowsOf(golden));
      expect(logits.length).toBe(golden.logits.length);
      let worst = 0;
      logits.forEach((value, i) => {
        worst = Math.max(worst, Math.abs(value - (golden.logits[i] as number)));
      });
      expect(worst, `${golden.name}: greatest difference`).toBeLessThanOrEqual(TOLERANCE);
      for (let row = 0; row < golden.tokens.length; row++) {
        const slice = (data: Float32Array) => [...data.subarray(row * config.vocabSize, (row + 1) * config.vocabSize)];
        const expected = slice(golden.logits);
        const [best = 0, second = 0] = [...expected].sort((a, b) => b - a);
        const came = slice(logits);
        if (best - second > 2 * TOLERANCE) expect(came.indexOf(Math.max(...came))).toBe(expected.indexOf(best));
      }
    }
    engine.dispose();
  });
});
