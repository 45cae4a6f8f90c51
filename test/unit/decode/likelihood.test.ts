/** Which places the likelihood's draws mask: the reference's counts, and places without bias. */
import { expect, test } from "vitest";
import { maskCounts, maskings } from "../../../src/decode/likelihood";

test.each([
  [5, 4, 3, [3, 4, 1, 2]],
  [7, 8, 2, [2, 3, 4, 5, 6, 6, 7, 1]],
  [1, 4, 1, [1, 1, 1, 1]],
])("K: counts of an answer of %i in a batch of %i from %i", (length, batch, first, want) => {
  expect(maskCounts(length, batch, first)).toEqual(want);
});

test("draws are distinct places in order, every number of them and every place as often", () => {
  const length = 5;
  const draws = maskings(length, 6400, 3);
  expect(draws).toHaveLength(6400);
  const counts = new Array<number>(length).fill(0);
  const places = new Array<number>(length).fill(0);
  for (const draw of draws) {
    expect(new Set(draw).size).toBe(draw.length);
    expect([...draw].sort((a, b) => a - b)).toEqual(draw);
    counts[draw.length - 1]!++;
    for (const i of draw) places[i]!++;
  }
  for (const count of counts) expect(Math.abs(count - 1280)).toBeLessThan(130);
  const all = places.reduce((a, b) => a + b, 0);
  for (const place of places) expect(Math.abs(place - all / length)).toBeLessThan(200);
});

test("one token takes one draw, and the seed decides", () => {
  expect(maskings(1, 128, 0)).toEqual([[0]]);
  expect(maskings(9, 20, 1)).toEqual(maskings(9, 20, 1));
  expect(maskings(9, 20, 1)).not.toEqual(maskings(9, 20, 2));
});
