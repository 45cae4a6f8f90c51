/** Rotary position and cache write against float64 loops: scattered slots, far positions, head norm, every group. Only the written slots change. */
import { describe, expect, test } from "vitest";
import { type AttentionShape, cacheSideBytes, packsOf, qkvWidth, ropeCache } from "../../src/kernels/attention";
import type { CacheFormat } from "../../src/kernels/cache";
import type { Lanes } from "../../src/kernels/lanes";
import { pad32 } from "../../src/kernels/sizes";
import { keyIndex, queryIndex, unpackCache, valueIndex } from "../support/cache";
import { testGpu } from "../support/goldens";
import { EPSILON, firstFault, type Job, laneVariants, MARGIN, normals, runJobs, SENTINEL, untouched } from "../support/kernel";
import * as reference from "../support/reference";

const SLOTS = 50;
const POSITIONS = 4001;
const THETA = 10_000;
const EPS = 1e-6;

interface Case {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly headNorm: boolean;
  /** Slot and position of each row. */
  readonly rows: readonly (readonly [slot: number, position: number])[];
}

const SCATTERED: Case["rows"] = [
  [7, 0],
  [49, 4000],
  [0, 1],
  [31, 17],
  [8, 3999],
];
const CASES: readonly Case[] = [
  { heads: 1, kvHeads: 1, headDim: 32, headNorm: false, rows: [[0, 0]] },
  { heads: 2, kvHeads: 1, headDim: 32, headNorm: true, rows: SCATTERED },
  { heads: 6, kvHeads: 2, headDim: 48, headNorm: false, rows: SCATTERED },
  { heads: 4, kvHeads: 1, headDim: 64, headNorm: true, rows: SCATTERED },
  { heads: 10, kvHeads: 2, headDim: 80, headNorm: false, rows: SCATTERED },
  { heads: 6, kvHeads: 1, headDim: 32, headNorm: false, rows: SCATTERED },
  { heads: 7, kvHeads: 1, headDim: 64, headNorm: false, rows: SCATTERED },
  { heads: 16, kvHeads: 2, headDim: 128, headNorm: true, rows: SCATTERED },
];

const tables = new Map<number, Float32Array<ArrayBuffer>>();

/** (cos, sin) of every position and pair. */
function turnsOf(headDim: number): Float32Array<ArrayBuffer> {
  let table = tables.get(headDim);
  if (!table) {
    const half = headDim / 2;
    table = Float32Array.from({ length: POSITIONS * headDim }, (_, i) => {
      const angle = Math.floor(i / headDim) * THETA ** ((-2 * (Math.floor(i / 2) % half)) / headDim);
      return i % 2 ? Math.sin(angle) : Math.cos(angle);
    });
    tables.set(headDim, table);
  }
  return table;
}

function jobOf(
  lanes: Lanes,
  c: Case,
  seed: number,
  cache: CacheFormat = "f32",
): { job: Job; check: (arrays: readonly ArrayLike<number>[]) => void } {
  const { heads, kvHeads, headDim, headNorm, rows } = c;
  const bare = { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, slots: SLOTS, packs: 0, cache };
  const shape: AttentionShape = { ...bare, packs: packsOf(rows.length + 2, bare) };
  const width = qkvWidth(shape);
  const stride = pad32(width);
  const qkv = normals(rows.length * stride, seed, 2);
  const gain = normals(2 * headDim, seed + 1);
  const numbers = kvHeads * headDim * SLOTS;
  const stored = cacheSideBytes(shape, SLOTS) / 4;
  const queries = 4 * kvHeads * shape.packs * headDim;
  // Half a unit of f16 at what is stored; half a step of 1/127 of the largest of 32, for which the largest of the head stands.
  const checkPacked = (
    side: "keys" | "values",
    got: ArrayLike<number>,
    want: Record<"keys" | "values", Float64Array>,
    tolerance: number,
  ): void => {
    const written = new Set(rows.map(([slot]) => slot));
    const index = side === "keys" ? keyIndex : valueIndex;
    const dense = unpackCache(shape, side, got as Float32Array<ArrayBuffer>, SLOTS);
    for (const slot of written) {
      for (let head = 0; head < kvHeads; head++) {
        const right = Array.from({ length: headDim }, (_, i) => want[side][index(shape, slot, head, i)]!);
        const peak = Math.max(...right.map(Math.abs));
        const coarse = (value: number): number => (cache === "f16" ? Math.abs(value) * 2 ** -11 + 2 ** -25 : peak / 254);
        const at = (slot * kvHeads + head) * headDim;
        const fault = firstFault(dense.subarray(at, at + headDim), right, (i) => coarse(right[i]!) * 1.001 + tolerance);
        expect(fault, `${side} in ${cache}, slot ${slot}, head ${head} of ${headDim}`).toBeNull();
      }
    }
    // As many words as the written slots have changed, no other: the margin neither.
    const words = new Uint32Array((got as Float32Array<ArrayBuffer>).buffer);
    const sentinel = new Uint32Array(Float32Array.of(SENTINEL).buffer)[0];
    const changed = words.filter((word) => word !== sentinel).length;
    expect(changed).toBe((written.size * stored) / SLOTS);
    expect(words.subarray(stored).every((word) => word === sentinel)).toBe(true);
  };
  const check = ([, , , query, keys, values]: readonly ArrayLike<number>[]): void => {
    const want = {
      query: new Float64Array(queries + MARGIN),
      keys: new Float64Array(numbers + MARGIN),
      values: new Float64Array(numbers + MARGIN),
    };
    for (const array of Object.values(want)) array.fill(SENTINEL);
    rows.forEach(([slot, position], t) => {
      const headOf = (head: number) => qkv.subarray(t * stride + head * headDim, t * stride + (head + 1) * headDim);
      const turned = (head: number, gains: number) =>
        reference.rope_cache(headOf(head), {
          position,
          theta: THETA,
          norm: headNorm ? { gain: gain.subarray(gains, gains + headDim), eps: EPS } : null,
        });
      for (let head = 0; head < heads; head++) {
        turned(head, 0).forEach((value, i) => {
          want.query[queryIndex(shape, t, head, i)] = value;
        });
      }
      for (let head = 0; head < kvHeads; head++) {
        turned(heads + head, headDim).forEach((value, i) => {
          want.keys[keyIndex(shape, slot, head, i)] = value;
        });
        headOf(heads + kvHeads + head).forEach((value, i) => {
          want.values[valueIndex(shape, slot, head, i)] = value;
        });
      }
    });
    // Two products of values up to ~10 (normed and times a gain: up to ~40), a table rounded once; values are copied.
    const tolerance = EPSILON * (headNorm ? 40 * (8 + Math.sqrt(headDim)) : 40);
    const exact = (array: Float64Array) => (i: number) => (array[i] === SENTINEL ? 0 : tolerance);
    const what = `${lanes.variant} of ${lanes.count}: ${heads}/${kvHeads} heads of ${headDim}, norm ${headNorm}`;
    expect(firstFault(query!, want.query, exact(want.query)), `query, ${what}`).toBeNull();
    if (cache !== "f32") {
      for (const [side, got] of Object.entries({ keys, values })) checkPacked(side as "keys" | "values", got!, want, tolerance);
      return;
    }
    expect(firstFault(keys!, want.keys, exact(want.keys)), `keys, ${what}`).toBeNull();
    expect(firstFault(values!, want.values, 0), `values, ${what}`).toBeNull();
  };
  const kernel = ropeCache(lanes, shape, headNorm ? { eps: EPS } : null);
  const bound = [qkv, turnsOf(headDim), gain, untouched(queries), untouched(stored), untouched(stored)];
  return { job: { kernel, bound, rows: rows.map(([slot, position]) => ({ slot, position })) }, check };
}

describe("rope_cache", () => {
  test.each([0, 1, 2])("lanes of variant %i", async (index) => {
    const variants = laneVariants((await testGpu()).profile);
    const lanes = variants[index] ?? variants[0]!;
    const made = CASES.map((c, i) => jobOf(lanes, c, 10 * i));
    const results = await runJobs(made.map(({ job }) => job));
    made.forEach(({ check }, i) => {
      check(results[i]!);
    });
  });

  test.each(["f16", "q8"] as const)("a cache of %s, in every way that lanes work together", async (cache) => {
    // An odd half of a head too.
    const cases = [...CASES, { heads: 3, kvHeads: 1, headDim: 10, headNorm: false, rows: SCATTERED }];
    for (const lanes of laneVariants((await testGpu()).profile)) {
      const made = cases.map((c, i) => jobOf(lanes, c, 10 * i, cache));
      const results = await runJobs(made.map(({ job }) => job));
      made.forEach(({ check }, i) => {
        check(results[i]!);
      });
    }
  });

  test("position 0 turns nothing", async () => {
    const [lanes] = laneVariants((await testGpu()).profile);
    const { job } = jobOf(lanes!, CASES[0]!, 5);
    const [qkv, , , query, keys] = (await runJobs([job]))[0]!;
    for (let i = 0; i < 32; i++) expect([query![4 * i], keys![i * SLOTS]]).toEqual([qkv![i], qkv![32 + i]]);
  });
});
