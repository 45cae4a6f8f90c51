import fc from "fast-check";
import { expect, test } from "vitest";
import { floatToHalf, HALF_MAX, halfValues } from "../../../src/formats/float16";

const half = halfValues();

test("every finite binary16 value survives the way to f32 and back", () => {
  for (let bits = 0; bits < 65536; bits++) {
    if ((bits & 0x7c00) === 0x7c00) continue;
    expect(floatToHalf(half[bits]!)).toBe(bits);
  }
});

test("known values", () => {
  expect(half[0x3c00]).toBe(1);
  expect(half[0x0001]).toBe(2 ** -24);
  expect(half[0x0400]).toBe(2 ** -14);
  expect(half[0x7bff]).toBe(HALF_MAX);
  expect(half[0xfc00]).toBe(Number.NEGATIVE_INFINITY);
  expect(half[0x7e00]).toBeNaN();
  expect(floatToHalf(65519.99)).toBe(0x7bff);
  expect(floatToHalf(65520)).toBe(0x7c00);
  expect(floatToHalf(-1e9)).toBe(0xfc00);
  expect(floatToHalf(Number.NaN)).toBe(0x7e00);
  expect(floatToHalf(-0)).toBe(0x8000);
  expect(floatToHalf(2 ** -25)).toBe(0);
  expect(floatToHalf(2 ** -25 * 1.0001)).toBe(1);
  expect(floatToHalf(3 * 2 ** -25)).toBe(2); // a tie between 1 and 2
});

test("rounds to the nearest value, ties to even", () => {
  const value = fc.oneof(
    fc.float({ min: -HALF_MAX, max: HALF_MAX, noNaN: true }),
    fc.float({ min: -(2 ** -13), max: 2 ** -13, noNaN: true }),
  );
  fc.assert(
    fc.property(value, (x) => {
      const bits = floatToHalf(x);
      const error = Math.abs(half[bits]! - x);
      for (const other of [bits - 1, bits + 1]) {
        if (other < 0 || (other & 0x7c00) === 0x7c00 || ((other ^ bits) & 0x8000) !== 0) continue;
        const distance = Math.abs(half[other]! - x);
        expect(distance > error || (distance === error && (bits & 1) === 0)).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});

test("midpoints go to the even neighbour", () => {
  for (let bits = 0; bits < 0x7bff; bits++) {
    expect(floatToHalf((half[bits]! + half[bits + 1]!) / 2)).toBe(bits & 1 ? bits + 1 : bits);
  }
});
