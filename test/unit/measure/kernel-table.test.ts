/** The kernel table against sums worked out by hand from the round calibration. */
import { describe, expect, test } from "vitest";
import { kernelTable, mergeKernelRows, phaseTable, type TimedDispatch } from "../../../src/measure/kernel-table";
import { CALIBRATION } from "./fixtures";

const gemm: TimedDispatch = {
  kernel: "gemm_reg",
  variant: "q4",
  role: "up_proj",
  phase: "denoise",
  shape: { T: 32, N: 1536, K: 576 },
  flops: 1e7,
  bytes: 1e5,
  loads: 1e5,
  ns: 202_000,
};
const norm: TimedDispatch = {
  ...gemm,
  kernel: "rmsnorm",
  role: "norm",
  shape: { T: 32, D: 576 },
  flops: 1e4,
  bytes: 1e3,
  loads: 1e3,
  ns: 2400,
};

describe("kernelTable", () => {
  test("sums calls; roof is the sum of floors over the sum of times", () => {
    const rows = kernelTable([gemm, norm, { ...gemm, ns: 303_000 }], CALIBRATION);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({
      kernel: "gemm_reg",
      calls: 2,
      ns: 505_000,
      flops: 2e7,
      bytes: 2e5,
      loads: 2e5,
      floorNs: 202_000,
    });
    expect(rows[0]!.gflops).toBeCloseTo(2e7 / 505_000, 12);
    expect(rows[0]!.gbps).toBeCloseTo(2e5 / 505_000, 12);
    expect(rows[0]!.percentOfRoof).toBeCloseTo(40, 12);
    expect(rows[0]!.boundBy).toBe("compute");
    expect(rows[0]!.share).toBeCloseTo(505_000 / 507_400, 12);
    expect(rows[1]).toMatchObject({ kernel: "rmsnorm", boundBy: "launch", percentOfRoof: 50 });
    expect(rows.every((row) => !("aboveRoof" in row))).toBe(true);
  });

  test("another shape, phase, role or variant is another row; the order of shape letters is not", () => {
    const others = [
      { ...gemm, shape: { T: 8, N: 1536, K: 576 } },
      { ...gemm, phase: "prefill" },
      { ...gemm, role: "gate_proj" },
      { ...gemm, variant: "f32" },
      { ...gemm, shape: { K: 576, N: 1536, T: 32 } },
    ];
    expect(
      kernelTable([gemm, ...others], CALIBRATION)
        .map((row) => row.calls)
        .sort(),
    ).toEqual([1, 1, 1, 1, 2]);
  });

  test("a time the clock could not see is no number", () => {
    const [timed, unseen] = kernelTable([gemm, { ...norm, ns: null }, norm], CALIBRATION);
    expect(timed!.share).toBe(1);
    expect(unseen).toMatchObject({
      kernel: "rmsnorm",
      calls: 2,
      ns: null,
      gflops: null,
      gbps: null,
      percentOfRoof: null,
      share: null,
    });
    expect(unseen).toMatchObject({ flops: 2e4, boundBy: "launch" });
  });

  test("a sum is resolved once it stands out of the quantum, though single calls are not", () => {
    const coarse = { ...CALIBRATION, quantumNs: 65_536 };
    expect(kernelTable([{ ...norm, ns: 65_536 }], coarse)[0]!.ns).toBeNull();
    // 1,000 calls, one in ten seen as one quantum: 6.55 ms against 4 × 65,536 × √(1000/6) = 3.38 ms
    const many = Array.from({ length: 1000 }, (_, i) => ({ ...norm, ns: i % 10 ? 0 : 65_536 }));
    expect(kernelTable(many, coarse)[0]!.ns).toBe(6_553_600);
    expect(kernelTable([{ ...norm, ns: 5000 }], coarse, { quantumNs: 10 })[0]!.ns).toBe(5000);
  });

  test("above the roof is marked, and with strict an error that names the kernel", () => {
    const fast = { ...gemm, ns: 90_000 };
    expect(kernelTable([fast], CALIBRATION)[0]).toMatchObject({ aboveRoof: true });
    expect(() => kernelTable([fast], CALIBRATION, { strict: true })).toThrow(/gemm_reg \(up_proj, T=32 N=1536 K=576\): 112 %/);
    expect(() => kernelTable([fast], CALIBRATION, { strict: true })).toThrow(expect.objectContaining({ code: "gpu-validation" }));
    expect(kernelTable([{ ...gemm, ns: 97_000 }], CALIBRATION, { strict: true })).toHaveLength(1);
  });

  test("timer noise excuses what it can explain", () => {
    // floor 1,200 ns; 1,050 ns would be 114 %, but two deviations of a 100 ns quantum are 82 ns: 106 %; of a 200 ns quantum 163 ns: 99 %
    const tiny = { ...norm, ns: 1050 };
    expect(kernelTable([tiny], CALIBRATION)[0]!.aboveRoof).toBe(true);
    expect(kernelTable([tiny], CALIBRATION, { quantumNs: 200 })[0]!.aboveRoof).toBeUndefined();
  });
});

describe("times that were measured one by one, with an error each", () => {
  const timed = { ...gemm, errorNs: 10_000 };

  test("errors of calls add up: they share a measurement", () => {
    const [row] = kernelTable([timed, timed], CALIBRATION);
    expect(row).toMatchObject({ calls: 2, ns: 404_000, errorNs: 20_000 });
    const merged = mergeKernelRows([kernelTable([timed], CALIBRATION), kernelTable([timed], CALIBRATION)]);
    expect(merged[0]).toMatchObject({ ns: 404_000, errorNs: 20_000 });
  });

  test("a time below four of its deviations is no number, whatever the clock's step", () => {
    expect(kernelTable([{ ...timed, errorNs: 90_000 }], CALIBRATION)[0]?.ns).toBe(202_000);
    const [row] = kernelTable([{ ...timed, errorNs: 110_000 }], CALIBRATION);
    expect(row).toMatchObject({ ns: null, gflops: null });
    expect(row).not.toHaveProperty("errorNs");
  });

  test("merged with times that have none there is none", () => {
    const merged = mergeKernelRows([kernelTable([timed], CALIBRATION), kernelTable([gemm], CALIBRATION)]);
    expect(merged[0]).not.toHaveProperty("errorNs");
  });
});

test("mergeKernelRows adds runs and keeps floors over times", () => {
  const [a, b] = [kernelTable([gemm], CALIBRATION), kernelTable([{ ...gemm, ns: 404_000 }, norm], CALIBRATION)];
  const rows = mergeKernelRows([a, b]);
  expect(rows[0]).toMatchObject({ kernel: "gemm_reg", calls: 2, ns: 606_000, flops: 2e7, floorNs: 202_000 });
  expect(rows[0]!.percentOfRoof).toBeCloseTo((202_000 / 606_000) * 100, 10);
  expect(rows.reduce((sum, row) => sum + row.share!, 0)).toBeCloseTo(1, 12);
});

test("phaseTable sums by phase in order of appearance", () => {
  const rows = phaseTable([{ ...gemm, phase: "prefill" }, gemm, { ...norm, ns: null }], { denoise: { tokens: 32, forwards: 9 } });
  expect(rows).toEqual([
    { name: "prefill", ns: 202_000, flops: 1e7, bytes: 1e5, tokens: 0, forwards: 0 },
    { name: "denoise", ns: null, flops: 1.001e7, bytes: 1.01e5, tokens: 32, forwards: 9 },
  ]);
});
