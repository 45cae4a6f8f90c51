/** The replays the calibration kernels are held against, themselves against values worked out apart. */
import { expect, test } from "vitest";
import { hashWord, replayDp4a, replayFma, replayRead } from "../../../src/measure/calibration-replay";

test("the hash is MurmurHash3's finaliser, a permutation of the words", () => {
  expect(hashWord(0)).toBe(0);
  expect(hashWord(1)).toBe(0x514e28b7);
  expect(new Set(Array.from({ length: 4096 }, (_, i) => hashWord(i))).size).toBe(4096);
});

test("the quadratic recurrence stays bounded and converges to its fixed point", () => {
  // x = x² − 0.625 has the attracting fixed point (1 − √3.5) / 2.
  const fixed = (1 - Math.sqrt(1 + 4 * 0.625)) / 2;
  expect(replayFma({ id: 3, steps: 200, chains: 1, lanes: 1 })).toBeCloseTo(fixed, 5);
  expect(replayFma({ id: 3, steps: 200, chains: 4, lanes: 4 })).toBeCloseTo(16 * fixed, 4);
  expect(Math.abs(replayFma({ id: 3, steps: 1, chains: 1, lanes: 1 }) - fixed)).toBeGreaterThan(1e-3);
});

test("reads wrap within their section", () => {
  const run = { id: 5, steps: 1, stride: 3, section: 8, wordLanes: 1, lanesApart: 1 };
  const section = (at: number) => Array.from({ length: 8 }, (_, s) => hashWord(at + s * 8)).reduce((a, b) => (a + b) >>> 0);
  expect(replayRead(run)).toBe(section(5));
  expect(replayRead({ ...run, steps: 2 })).toBe((section(5) + section(0)) >>> 0);
  expect(replayRead({ ...run, lanesApart: 0 })).toBe(section(0));
});

test("dot products take signed bytes and wrap", () => {
  expect(replayDp4a({ id: 0, steps: 0 })).toBe(Math.imul(0x12345678, 64) >>> 0); // 1 + 3 + … + 15 = 64 times the seed
  expect(replayDp4a({ id: 0, steps: 1 })).not.toBe(replayDp4a({ id: 1, steps: 1 }));
});
