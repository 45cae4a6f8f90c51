/** Floors, attainable rates and the ridge point against numbers worked out by hand from the round calibration. */
import { describe, expect, test } from "vitest";
import { attainable, bandwidthAt, floorNs, percentOfRoof, ridgePoint } from "../../../src/measure/roofline";
import { CALIBRATION } from "./fixtures";

describe("floor", () => {
  test("compute binds: 10 MFLOP at 100 FLOP/ns is 100 µs, plus the dispatch", () => {
    const floor = floorNs({ flops: 1e7, bytes: 1e5, loads: 1e5 }, CALIBRATION);
    expect(floor).toEqual({ ns: 101_000, boundBy: "compute", terms: { compute: 1e5, memory: 2500, issue: 2e4, launch: 1000 } });
  });

  test("f16 arithmetic halves the compute term, an arithmetic that was not measured falls back to f32", () => {
    expect(floorNs({ flops: 1e7, bytes: 0, loads: 0, arithmetic: "f16" }, CALIBRATION).terms.compute).toBe(5e4);
    expect(floorNs({ flops: 1e7, bytes: 0, loads: 0, arithmetic: "dp4a" }, CALIBRATION).terms.compute).toBe(1e5);
  });

  test("memory binds, at the level its working set falls into", () => {
    expect(floorNs({ flops: 1, bytes: 4e5, loads: 1 }, CALIBRATION)).toMatchObject({ ns: 11_000, boundBy: "memory" });
    const cold = floorNs({ flops: 1, bytes: 4e5, loads: 1, workingSetBytes: 2 ** 30 }, CALIBRATION);
    expect(cold).toMatchObject({ ns: 41_000, boundBy: "memory" });
  });

  test("issue binds when words are loaded again and again", () => {
    expect(floorNs({ flops: 1e5, bytes: 1e4, loads: 1e6 }, CALIBRATION)).toMatchObject({ ns: 201_000, boundBy: "issue" });
  });

  test("launch binds when nothing else takes as long as the dispatch", () => {
    expect(floorNs({ flops: 1e4, bytes: 1e3, loads: 1e3 }, CALIBRATION)).toMatchObject({ ns: 1200, boundBy: "launch" });
  });

  test("percent of roof: at twice its floor a kernel is at 50 %", () => {
    expect(percentOfRoof({ flops: 1e7, bytes: 0, loads: 0 }, 202_000, CALIBRATION)).toBeCloseTo(50, 12);
  });
});

describe("bandwidth", () => {
  test("takes the level at or below the size, never less than a larger level's", () => {
    expect(bandwidthAt(CALIBRATION, 1000)).toBe(40);
    expect(bandwidthAt(CALIBRATION, 2 ** 20)).toBe(40);
    expect(bandwidthAt(CALIBRATION, 2 ** 24 - 1)).toBe(40);
    expect(bandwidthAt(CALIBRATION, 2 ** 24)).toBe(20);
    expect(bandwidthAt(CALIBRATION, 2 ** 40)).toBe(10);
  });

  test("a dip at a small level does not lower the roof", () => {
    const { bytesPerNs } = CALIBRATION;
    const levels = bytesPerNs.levels.map((level, i) => (i === 0 ? { ...level, median: 3 } : level));
    expect(bandwidthAt({ ...CALIBRATION, bytesPerNs: { ...bytesPerNs, levels } }, 0)).toBe(20);
  });
});

test("attainable rises to the ridge point and stays there", () => {
  expect(ridgePoint(CALIBRATION)).toBe(10);
  expect(attainable(1, CALIBRATION)).toBe(10);
  expect(attainable(10, CALIBRATION)).toBe(100);
  expect(attainable(1000, CALIBRATION)).toBe(100);
  expect(attainable(1, CALIBRATION, { workingSetBytes: 0 })).toBe(40);
  expect(attainable(1000, CALIBRATION, { arithmetic: "f16" })).toBe(200);
});
