/** What a pass is counted as: visible keys and distinct cache rows, against counting them one by one. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { extentOf, type Row } from "../../../src/model/pass";

const rows = fc.array(
  fc.tuple(fc.nat(30), fc.nat(30), fc.option(fc.tuple(fc.nat(35), fc.nat(35)), { nil: undefined })).map(([a, b, hole]): Row => {
    const [start, limit] = [Math.min(a, b), Math.max(a, b)];
    const sorted = hole && ([Math.min(...hole), Math.max(...hole)] as const);
    return { place: 0, position: 0, slot: 0, start, limit, goal: null, hole: sorted };
  }),
  { minLength: 1, maxLength: 12 },
);

test("random intervals with and without holes", () => {
  fc.assert(
    fc.property(rows, (pass) => {
      const seen = pass.map(({ start, limit, hole = [0, 0] }) =>
        Array.from({ length: limit - start }, (_, i) => start + i).filter((slot) => slot < hole[0] || slot >= hole[1]),
      );
      const extent = extentOf(pass);
      expect(extent.rows).toBe(pass.length);
      expect(extent.visible).toBe(seen.flat().length);
      const holed = pass.some(({ start, limit }, i) => (seen[i] as number[]).length < limit - start);
      expect(extent.sparse).toBe(holed || new Set(pass.map(({ start }) => start)).size > 1);
      expect(extent.span).toBe(new Set(seen.flat()).size);
    }),
    { numRuns: 500 },
  );
});
