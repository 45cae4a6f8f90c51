/** Statistics against values worked out by hand or published. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bootstrapInterval95,
  mad,
  mean,
  meanInterval95,
  median,
  quantile,
  shareInterval95,
  spread,
} from "../../../src/measure/statistics";

const finite = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 40 });

describe("order statistics", () => {
  test("median of odd, even and single", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
  });

  test("quantiles interpolate as NumPy's default does", () => {
    const samples = [15, 20, 35, 40, 50];
    expect(quantile(samples, 0)).toBe(15);
    expect(quantile(samples, 0.4)).toBeCloseTo(29, 12);
    expect(quantile(samples, 0.25)).toBe(20);
    expect(quantile(samples, 1)).toBe(50);
  });

  test("median absolute deviation: one outlier moves nothing", () => {
    expect(spread([1, 1, 2, 2, 4, 6, 9])).toEqual({ median: 2, mad: 1 });
    expect(mad([5, 5, 5, 1000])).toBe(0);
  });

  test("the samples are left as they were", () => {
    const samples = [3, 1, 2];
    median(samples);
    expect(samples).toEqual([3, 1, 2]);
  });

  test("quantiles are monotone and within the range", () => {
    fc.assert(
      fc.property(
        finite,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (samples, p, q) => {
          const [low, high] = [quantile(samples, Math.min(p, q)), quantile(samples, Math.max(p, q))];
          expect(low).toBeLessThanOrEqual(high + 1e-6);
          expect(low).toBeGreaterThanOrEqual(Math.min(...samples) - 1e-6);
          expect(high).toBeLessThanOrEqual(Math.max(...samples) + 1e-6);
        },
      ),
    );
  });

  test("nothing, not-a-number and a p beyond 1 are refused", () => {
    expect(() => median([])).toThrow(/at least one/);
    expect(() => median([1, Number.NaN])).toThrow(/finite/);
    expect(() => quantile([1], 1.5)).toThrow(/within \[0, 1\]/);
  });
});

describe("intervals", () => {
  test("normal interval of the mean", () => {
    // s = √2.5 of 1…5, s/√5 = 0.70711, × 1.959964 = 1.38590
    const { low, high } = meanInterval95([1, 2, 3, 4, 5]);
    expect(mean([1, 2, 3, 4, 5])).toBe(3);
    expect(low).toBeCloseTo(3 - 1.3859, 4);
    expect(high).toBeCloseTo(3 + 1.3859, 4);
  });

  test("Wilson interval: 8 of 10, none and all", () => {
    const { low, high } = shareInterval95(8, 10);
    expect(low).toBeCloseTo(0.4902, 4);
    expect(high).toBeCloseTo(0.9433, 4);
    expect(shareInterval95(0, 20).low).toBe(0);
    expect(shareInterval95(20, 20).high).toBe(1);
    expect(shareInterval95(20, 20).low).toBeLessThan(0.9);
  });

  test("bootstrap is repeatable, holds the statistic and closes on equal samples", () => {
    const samples = [9, 10, 11, 10, 12, 8, 10];
    const interval = bootstrapInterval95(samples, { seed: 7 });
    expect(bootstrapInterval95(samples, { seed: 7 })).toEqual(interval);
    expect(interval.low).toBeLessThanOrEqual(10);
    expect(interval.high).toBeGreaterThanOrEqual(10);
    expect(bootstrapInterval95([4, 4, 4])).toEqual({ low: 4, high: 4 });
  });
});
