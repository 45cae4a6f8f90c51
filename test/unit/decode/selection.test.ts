/** Selection rules as data, and the float64 reference of the reveal rules that the other tests of this folder run on, against hand-made vectors. */
import { describe, expect, test } from "vitest";
import { revealOf, type Selection } from "../../../src/decode/selection";
import type { Reveal } from "../../../src/model/pass";
import { taken } from "./drive";

const metric = "confidence";

test.each([
  [
    { rule: "schedule", metric },
    { rule: "count", count: 3, metric },
  ],
  [
    { rule: "sequential", metric },
    { rule: "sequential", count: 3, metric },
  ],
  [
    { rule: "threshold", threshold: 0.9, strict: true, metric },
    { rule: "threshold", bound: 0.9, strict: true, metric },
  ],
  [
    { rule: "dynamic", threshold: 0.85, metric },
    { rule: "dynamic", bound: 0.85, strict: true, count: 3, metric },
  ],
  [
    { rule: "factor", factor: 1, metric },
    { rule: "factor", bound: 1, metric },
  ],
  [
    { rule: "eb", gamma: 0.1, metric: "entropy" },
    { rule: "entropy-bound", bound: 0.1, metric: "entropy" },
  ],
] satisfies [Selection, Reveal][])("$0.rule", (selection, reveal) => {
  expect(revealOf(selection, 3)).toEqual(reveal);
});

describe("the reference", () => {
  const of = (confidences: readonly (number | null)[], entropies: readonly number[] = []) =>
    confidences.flatMap((confidence, goal) =>
      confidence === null ? [] : [{ goal, id: 0, confidence, entropy: entropies[goal] ?? 0, margin: confidence }],
    );
  const picks = (candidates: ReturnType<typeof of>, reveal: Reveal) => taken(candidates, reveal).sort((a, b) => a - b);

  test.each([
    [
      [0.95, 0.9, 0.4, 0.85],
      [0, 1],
    ],
    [[0.5, 0.4, 0.3, 0.2], [0]],
    [
      [null, 0.95, 0.97, 0.2],
      [1, 2],
    ],
  ])("threshold 0.9 of %j", (confidences, goals) => {
    expect(picks(of(confidences), { rule: "threshold", bound: 0.9, strict: false, metric })).toEqual(goals);
  });

  test("threshold: strict leaves out the bound itself, the best is always taken", () => {
    const at = { rule: "threshold", bound: 0.5, metric } as const;
    expect(picks(of([0.5, 0.75]), { ...at, strict: false })).toEqual([0, 1]);
    expect(picks(of([0.5, 0.75]), { ...at, strict: true })).toEqual([1]);
    expect(picks(of([0.5, 0.25]), { ...at, strict: true })).toEqual([0]);
  });

  test.each([
    [[0.99, 0.98, 0.97], 3],
    [[0.99, 0.98, 0.1], 2],
    [[0.99, 0.1, 0.05], 1],
    [[0.99, 0.6], 1],
  ])("J11 factor 1 of %j takes %i", (confidences, count) => {
    expect(picks(of(confidences), { rule: "factor", bound: 1, metric })).toHaveLength(count);
  });

  test.each([
    [0, 2],
    [0.05, 3],
    [0.1, 4],
    [Number.POSITIVE_INFINITY, 4],
  ])("J11 entropy bound %f takes %i of H = 0, 0.02, 0.05, 0.5", (bound, count) => {
    const candidates = of([0.9, 0.9, 0.9, 0.9], [0, 0.02, 0.05, 0.5]);
    expect(picks(candidates, { rule: "entropy-bound", bound, metric: "entropy" })).toHaveLength(count);
  });

  test("J13 of H = 0.1 and H = 2 the entropy rule takes H = 0.1 first", () => {
    expect(picks(of([0.5, 0.5], [2, 0.1]), { rule: "count", count: 1, metric: "entropy" })).toEqual([1]);
  });

  test("J14 equal values: the lowest place", () => {
    for (const one of ["confidence", "entropy", "margin"] as const) {
      expect(picks(of([0.5, 0.5, 0.5]), { rule: "count", count: 2, metric: one })).toEqual([0, 1]);
    }
  });

  test("dynamic: all above the bound if these are enough, else the count's best", () => {
    const at = { rule: "dynamic", bound: 0.8, strict: true, metric } as const;
    expect(picks(of([0.9, 0.1, 0.95, 0.85]), { ...at, count: 2 })).toEqual([0, 2, 3]);
    expect(picks(of([0.9, 0.1, 0.3, 0.2]), { ...at, count: 2 })).toEqual([0, 2]);
  });

  test("sequential takes the leftmost", () => {
    expect(picks(of([0.1, 0.9, 0.5]), { rule: "sequential", count: 2, metric })).toEqual([0, 1]);
  });
});
