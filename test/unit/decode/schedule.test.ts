/** Fixed schedules: golden tables of the references, and what holds for every table. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { dllmSchedule, dreamSchedule, lladaSchedule } from "../../../src/decode/schedule";

const times = (count: number, value: number): number[] => new Array<number>(count).fill(value);
const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
const sizes = fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 200 }));

test.each([
  [lladaSchedule, 32, 10, [4, 4, ...times(8, 3)]],
  [lladaSchedule, 7, 3, [3, 2, 2]],
  [lladaSchedule, 5, 8, times(5, 1)],
  [lladaSchedule, 8, 8, times(8, 1)],
  [lladaSchedule, 0, 4, []],
  [dllmSchedule, 32, 10, [...times(6, 3), 4, 3, 4, 3]],
  [dllmSchedule, 30, 8, [...times(5, 4), 3, 4, 3]],
  [dllmSchedule, 7, 3, [2, 2, 3]],
  [dllmSchedule, 5, 8, times(5, 1)],
  [dreamSchedule, 32, 8, [3, ...times(6, 4), 5]],
  [dreamSchedule, 7, 3, [2, 2, 3]],
  [dreamSchedule, 128, 32, [3, ...times(30, 4), 5]],
  [dreamSchedule, 32, 32, [0, ...times(30, 1), 2]],
] as const)("J10 $0.name of $1 masks in $2 steps", (schedule, masks, steps, counts) => {
  expect(schedule(masks, steps)).toEqual(counts);
});

test("J10 Dream's schedule, clamped, reveals something every step", () => {
  expect(dreamSchedule(32, 32, { clamp: true })).toEqual(times(32, 1));
  expect(dreamSchedule(32, 8, { clamp: true })).toEqual(dreamSchedule(32, 8));
});

test("J10 every schedule reveals exactly the masks, in at most the steps", () => {
  fc.assert(
    fc.property(sizes, ([masks, steps]) => {
      for (const counts of [
        lladaSchedule(masks, steps),
        dllmSchedule(masks, steps),
        dreamSchedule(masks, steps),
        dreamSchedule(masks, steps, { clamp: true }),
      ]) {
        expect(sum(counts)).toBe(masks);
        expect(counts.length).toBeLessThanOrEqual(steps);
      }
    }),
  );
});

test("J10 LLaDA's counts never rise and differ by at most one; only Dream's own has empty steps", () => {
  fc.assert(
    fc.property(sizes, ([masks, steps]) => {
      const llada = lladaSchedule(masks, steps);
      expect(llada).toEqual(llada.toSorted((a, b) => b - a));
      expect((llada[0] ?? 0) - (llada.at(-1) ?? 0)).toBeLessThanOrEqual(1);
      for (const counts of [llada, dllmSchedule(masks, steps), dreamSchedule(masks, steps, { clamp: true })]) {
        expect(Math.min(1, ...counts)).toBe(1);
      }
    }),
  );
});
