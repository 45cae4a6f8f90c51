/** One quantised weight in every engine's layout decodes to the same values. */
import { describe, expect, test } from "vitest";
import { ggmlBlocks, onnxLevels, quantizedValue, quantizedWeight, transposed, uniform } from "../../../bench/peers/weights";
import { dequantizeRows } from "../../../src/formats/dequantize";
import { allocatePlane, packRows, planeValue } from "../../../src/model/planes";

describe.each([4, 8] as const)("%i bits", (bits) => {
  const [inFeatures, outFeatures] = [96, 5];
  const weight = quantizedWeight(bits, inFeatures, outFeatures, 7);
  const values = Array.from({ length: inFeatures * outFeatures }, (_, i) =>
    quantizedValue(weight, Math.floor(i / inFeatures), i % inFeatures),
  );

  test("levels cover the range, scales differ", () => {
    expect(Math.min(...weight.levels)).toBeLessThan(bits === 4 ? 1 : 16);
    expect(Math.max(...weight.levels)).toBeGreaterThan(bits === 4 ? 14 : 240);
    expect(new Set(weight.scales).size).toBeGreaterThan(3);
  });

  test("ggml's blocks, and the plane made of them, hold them exactly", () => {
    const dtype = bits === 4 ? "q4_0" : "q8_0";
    const bytes = ggmlBlocks(weight);
    expect(Array.from(dequantizeRows(bytes, dtype, outFeatures, inFeatures))).toEqual(values);
    const plane = allocatePlane(bits === 4 ? "q4" : "q8", inFeatures, outFeatures);
    packRows(plane, { column: 0, bytes, dtype, rows: outFeatures, inFeatures });
    const packed = values.map((_, i) => planeValue(plane, Math.floor(i / inFeatures), i % inFeatures));
    expect(packed).toEqual(values);
  });

  test("MatMulNBits's levels hold them, the even input in the low nibble", () => {
    const levels = onnxLevels(weight);
    const read = values.map((_, i) => {
      const level = bits === 8 ? levels[i]! : (levels[i >> 1]! >> (4 * (i & 1))) & 15;
      return weight.scales[Math.floor(i / 32)]! * (level - 2 ** (bits - 1));
    });
    expect(read).toEqual(values);
  });
});

test("uniform numbers lie in [−½, ½), differ with the seed and have no drift", () => {
  const values = uniform(10_000, 3);
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.5);
  expect(Math.max(...values)).toBeLessThan(0.5);
  expect(Math.abs(values.reduce((a, b) => a + b) / values.length)).toBeLessThan(0.02);
  expect(uniform(10_000, 3)).toEqual(values);
  expect(uniform(10_000, 4)).not.toEqual(values);
});

test("transposed", () => {
  expect(Array.from(transposed(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3))).toEqual([1, 4, 2, 5, 3, 6]);
});
