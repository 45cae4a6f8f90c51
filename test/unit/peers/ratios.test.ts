/** Ratios of rounds, geometric means and the verdict over shapes, on outcomes made up. */
import { describe, expect, test } from "vitest";
import type { CaseResult, Outcome } from "../../../bench/peers/protocol";
import { caseRatio, geometricMean, groupRatios, rateOf, ratioOf } from "../../../bench/peers/ratios";
import { caseTable, contestantTable, groupTable } from "../../../bench/peers/tables";

const outcome = (engine: Outcome["engine"], times: readonly number[], more: Partial<Outcome> = {}): Outcome => ({
  engine,
  name: "kernel",
  gpuNs: times,
  wallNs: times.map((ns) => 2 * ns),
  calls: 1,
  dispatches: 1,
  passes: 1,
  submits: 1,
  firstNs: 1,
  error: 0,
  standing: "counts",
  note: "",
  ...more,
});
const result = (name: string, outcomes: readonly Outcome[], group = "gemm f32"): CaseResult => ({
  group,
  name,
  work: 1000,
  unit: "GFLOP/s",
  outcomes,
});

describe("ratios", () => {
  test("are taken round by round: noise that hits both in a round cancels", () => {
    expect(ratioOf([20, 60, 20], [10, 30, 10])).toEqual({ median: 2, low: 2, high: 2 });
    expect(ratioOf([20, 60, 20], [10, 10, 10])).toEqual({ median: 2, low: 2, high: 6 });
  });

  test("need rounds of both", () => {
    expect(ratioOf([], [1, 2])).toBeNull();
    expect(ratioOf([1], [0])).toBeNull();
  });

  test("geometric mean", () => {
    expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
    expect(geometricMean([0.5, 2])).toBeCloseTo(1, 12);
  });

  test("rates", () => {
    expect(rateOf(result("a", []), outcome("tfjs", [10, 20, 30]), "gpuNs")).toBe(50);
    expect(rateOf(result("a", []), outcome("tfjs", []), "gpuNs")).toBeNull();
    expect(rateOf({ ...result("a", []), unit: "tok/s", work: 64 }, outcome("tfjs", [1e9]), "wallNs")).toBe(32);
  });
});

describe("a case", () => {
  const ours = outcome("ridgepoint", [10, 10, 10]);

  test("is held against the best peer that counts", () => {
    const cpu = outcome("wllama", [1, 1, 1], { standing: "cpu", note: "ran on the CPU" });
    const slow = outcome("tfjs", [50, 50, 50]);
    const best = outcome("onnxruntime-web", [40, 30, 20]);
    const ratio = caseRatio(result("a", [ours, cpu, slow, best]));
    expect(ratio.best).toBe(best);
    expect(ratio.gpu).toEqual({ median: 3, low: 2, high: 4 });
    expect(ratio.wall).toEqual({ median: 3, low: 2, high: 4 });
  });

  test("a peer with a wrong result is told where no other is there, and is in no mean", () => {
    const wrong = outcome("onnxruntime-web", [5, 5, 5], { standing: "wrong" });
    const right = outcome("tfjs", [20, 20, 20]);
    expect(caseRatio(result("a", [ours, wrong, right]))).toMatchObject({ best: right, fair: true });
    const alone = result("a", [ours, wrong]);
    expect(caseRatio(alone)).toMatchObject({ best: wrong, fair: false, gpu: { median: 0.5 } });
    expect(groupRatios([caseRatio(alone)])[0]?.gpu).toBeNull();
    expect(caseTable([alone])).toContain("WRONG RESULT");
  });

  test("goes by wall time where passes could not be timed", () => {
    const untimed = outcome("tfjs", [], { wallNs: [30, 30, 30] });
    const ratio = caseRatio(result("a", [ours, untimed]));
    expect(ratio.gpu).toBeNull();
    expect(ratio.wall?.median).toBe(1.5);
  });

  test("is decided by our chosen variant, not by another that is faster or that works", () => {
    const other = outcome("ridgepoint", [1, 1, 1], { name: "other" });
    const peer = outcome("tfjs", [20, 20, 20]);
    expect(caseRatio(result("a", [ours, other, peer])).gpu?.median).toBe(2);
    const failed = outcome("ridgepoint", [], { standing: "failed", note: "x" });
    expect(caseRatio(result("a", [failed, other, peer]))).toMatchObject({ ours: null, gpu: null });
  });
});

describe("a group", () => {
  const won = result("won", [outcome("ridgepoint", [10]), outcome("tfjs", [80])]);
  const close = result("close", [outcome("ridgepoint", [10]), outcome("tfjs", [20])]);
  const lost = result("lost", [outcome("ridgepoint", [20]), outcome("tfjs", [10])]);
  const failed = result("failed", [outcome("ridgepoint", [], { standing: "failed", note: "x" }), outcome("tfjs", [10])]);
  const alone = result("alone", [outcome("ridgepoint", [10]), outcome("tfjs", [10], { standing: "failed", note: "x" })]);
  const verdict = (...cases: CaseResult[]) => groupRatios(cases.map(caseRatio))[0]!;

  test("has the geometric mean, and the worst case by name", () => {
    const { gpu } = verdict(won, close);
    expect(gpu).toMatchObject({ worst: 2, worstCase: "close", everywhere: true });
    expect(gpu?.mean).toBeCloseTo(4, 12);
  });

  test("is not won everywhere with one case lost, or one that we cannot compute", () => {
    expect(verdict(won, lost).gpu?.everywhere).toBe(false);
    expect(verdict(won, failed).gpu?.everywhere).toBe(false);
  });

  test("a case that no peer computes neither helps nor harms", () => {
    expect(verdict(won, alone).gpu).toMatchObject({ everywhere: true, worst: 8 });
    expect(verdict(alone).gpu).toBeNull();
  });

  test("groups stay apart", () => {
    const q4 = { ...close, group: "gemm q4" };
    expect(groupRatios([won, q4, close].map(caseRatio)).map(({ group, cases }) => [group, cases])).toEqual([
      ["gemm f32", 2],
      ["gemm q4", 1],
    ]);
  });

  test("tables say who lost, and why somebody was left out", () => {
    expect(groupTable([won, lost])).toMatch(/gemm f32 +2 +2\.00 +2\.00 +NO \/ NO +0\.500 at lost/);
    expect(caseTable([won])).toContain("8.00 (8.00–8.00)");
    expect(caseTable([failed])).toContain("failed");
    expect(contestantTable([alone])).toContain("failed: x");
  });
});
