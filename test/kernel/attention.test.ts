/**
 * Attention against float64 loops: every way lanes work together × head dims × groups × intervals. What no row sees holds 1e30 and must not leak.
 * Error: scores to √E units of |q||k|, exp2(x) to 3 + 2|x| units, a weighted mean of values: a few units of max|v| for each unit of score.
 */
import { describe, expect, test } from "vitest";
import type { Lanes } from "../../src/kernels/lanes";
import { type AttentionShape, attention, packsOf, pad32 } from "../../src/kernels/layer";
import { extentOf, type Row } from "../../src/model/pass";
import { keyIndex, queryIndex, scatter, valueIndex } from "../support/cache";
import { testGpu } from "../support/goldens";
import { EPSILON, firstFault, firstTouched, type Job, laneVariants, normals, runJobs, untouched } from "../support/kernel";
import * as reference from "../support/reference";

interface Interval {
  readonly start: number;
  readonly limit: number;
  readonly hole?: readonly [number, number];
}

const GARBAGE = 1e30;
const rowAt = (interval: Interval): Row => ({ place: 0, position: 0, slot: 0, goal: null, ...interval });
const causal = (rows: number): Interval[] => Array.from({ length: rows }, (_, t) => ({ start: 0, limit: t + 1 }));
const all = (rows: number, limit: number, start = 0): Interval[] => Array.from({ length: rows }, () => ({ start, limit }));
const blocks = (rows: number, length: number): Interval[] =>
  Array.from({ length: rows }, (_, t) => ({ start: 0, limit: (Math.floor(t / length) + 1) * length }));
/** Two sequences in one pass, the second behind the first: neither sees the other. */
const ragged = (first: number, second: number): Interval[] => [
  ...causal(first),
  ...causal(second).map(({ limit }) => ({ start: first, limit: first + limit })),
];
/** Row t of the decoding of a long sequence, at every edge of a lane's and of a step's keys. */
const edges = (lanes: number): Interval[] =>
  [1, 2, lanes - 1, lanes, lanes + 1, 4 * lanes - 1, 4 * lanes, 4 * lanes + 1, 8 * lanes + 3].map((limit) => ({
    start: 0,
    limit,
  }));
const shifted = (intervals: Interval[], by: number): Interval[] =>
  intervals.map(({ start, limit }) => ({ start: start + by, limit: limit + by }));

/** Holes at every edge: of the interval, of a lane's keys, of a step's keys; empty, outside, all. */
const holes = (lanes: number): Interval[] =>
  [
    [0, 1],
    [1, 2],
    [lanes - 1, lanes + 1],
    [0, 4 * lanes],
    [4 * lanes - 1, 4 * lanes + 1],
    [3, 8 * lanes],
    [8 * lanes + 4, 8 * lanes + 5],
    [5, 5],
    [100, 120],
    [0, 8 * lanes + 5],
  ].map(([from, to]) => ({ start: 0, limit: Math.min(8 * lanes + 5, 290), hole: [from!, to!] as const }));

interface Case {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly intervals: readonly Interval[];
  /** Scale of queries and keys: large makes the softmax a maximum. */
  readonly scale?: number;
}

const casesOf = (lanes: number): Case[] => [
  { heads: 2, kvHeads: 2, headDim: 32, intervals: causal(1) },
  { heads: 2, kvHeads: 2, headDim: 32, intervals: causal(33) },
  { heads: 2, kvHeads: 2, headDim: 32, intervals: edges(lanes) },
  { heads: 4, kvHeads: 2, headDim: 48, intervals: all(5, 37) },
  { heads: 4, kvHeads: 2, headDim: 48, intervals: blocks(8, 4) },
  { heads: 9, kvHeads: 3, headDim: 64, intervals: ragged(5, 3) },
  { heads: 9, kvHeads: 3, headDim: 64, intervals: shifted(edges(lanes), 3) },
  {
    heads: 9,
    kvHeads: 3,
    headDim: 64,
    intervals: [
      { start: 7, limit: 40 },
      { start: 20, limit: 20 },
      { start: 0, limit: 1 },
    ],
  },
  { heads: 4, kvHeads: 1, headDim: 80, intervals: all(2, 19, 6) },
  { heads: 4, kvHeads: 1, headDim: 80, intervals: blocks(33, 32) },
  { heads: 8, kvHeads: 1, headDim: 96, intervals: causal(3) },
  { heads: 8, kvHeads: 1, headDim: 96, intervals: all(2, 0) },
  { heads: 16, kvHeads: 8, headDim: 128, intervals: all(3, 70), scale: 4 },
  { heads: 16, kvHeads: 8, headDim: 128, intervals: [{ start: 69, limit: 70 }], scale: 4 },
];

function jobOf(lanes: Lanes, c: Case, seed: number, sparse = false): { job: Job; check: (output: ArrayLike<number>) => void } {
  const { heads, kvHeads, headDim, intervals, scale = 1 } = c;
  const rows = intervals.length;
  const shown = Math.max(...intervals.map(({ limit }) => limit));
  // Capacities beyond what is used, as in an engine; one set of constants a shape.
  const bare = { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, slots: 300, packs: 0 };
  const shape: AttentionShape = { ...bare, packs: packsOf(40, bare) };
  const query = normals(rows * heads * headDim, seed, scale);
  const keys = normals(shown * kvHeads * headDim, seed + 1, scale);
  const values = normals(shown * kvHeads * headDim, seed + 2);
  const seen = (slot: number) =>
    intervals.some(({ start, limit, hole }) => slot >= start && slot < limit && !(hole && slot >= hole[0] && slot < hole[1]));
  for (let i = 0; i < keys.length; i++) {
    if (seen(Math.floor(i / (kvHeads * headDim)))) continue;
    keys[i] = i % 2 ? GARBAGE : -GARBAGE;
    values[i] = GARBAGE;
  }
  const stored = kvHeads * headDim * shape.slots;
  const stride = pad32(heads * headDim);
  const bound = [
    scatter(4 * kvHeads * shape.packs * headDim, GARBAGE, { dense: query, heads, headDim }, (t, h, i) =>
      queryIndex(shape, t, h, i),
    ),
    scatter(stored, GARBAGE, { dense: keys, heads: kvHeads, headDim }, (s, h, i) => keyIndex(shape, s, h, i)),
    scatter(stored, GARBAGE, { dense: values, heads: kvHeads, headDim }, (s, h, i) => valueIndex(shape, s, h, i)),
    untouched(rows * stride),
  ];
  const check = (output: ArrayLike<number>): void => {
    const what = `${lanes.variant} of ${lanes.count}: ${heads}/${kvHeads} heads of ${headDim}, ${JSON.stringify(intervals)}`;
    const want = reference.attention({ query, keys, values, heads, kvHeads, headDim, intervals });
    const got = Float64Array.from(want, (_, i) => output[Math.floor(i / (heads * headDim)) * stride + (i % (heads * headDim))]!);
    const largestScore = 6 * scale * scale * Math.sqrt(headDim);
    const tolerance = EPSILON * 4 * (8 + largestScore);
    const width = heads * headDim;
    const empty = (i: number) => extentOf([rowAt(intervals[Math.floor(i / width)]!)]).visible === 0;
    expect(
      firstFault(got, want, (i) => (empty(i) ? 0 : tolerance)),
      what,
    ).toBeNull();
    const padding = Array.from(output).filter((_, at) => at >= rows * stride || at % stride >= width);
    expect(firstTouched(padding, 0), what).toBeNull();
  };
  return {
    job: {
      kernel: attention(lanes, shape, sparse || intervals.some(({ hole }) => hole)),
      bound,
      rows: intervals,
    },
    check,
  };
}

describe("attention", () => {
  test.each([0, 1, 2])("lanes of variant %i", async (index) => {
    const variants = laneVariants((await testGpu()).profile);
    const lanes = variants[index] ?? variants[0]!;
    const made = casesOf(lanes.count).map((c, i) => jobOf(lanes, c, 10 * i));
    const results = await runJobs(made.map(({ job }) => job));
    made.forEach(({ check }, i) => {
      check(results[i]![3]!);
    });
  });

  test.each([0, 1, 2])("holes, lanes of variant %i", async (index) => {
    const variants = laneVariants((await testGpu()).profile);
    const lanes = variants[index] ?? variants[0]!;
    const shapes = [
      { heads: 2, kvHeads: 2, headDim: 32 },
      { heads: 9, kvHeads: 3, headDim: 64 },
      { heads: 4, kvHeads: 1, headDim: 80 },
    ];
    const made = shapes.flatMap((shape, i) => [
      jobOf(lanes, { ...shape, intervals: holes(lanes.count) }, i),
      // Beside rows without one, in packs of both.
      jobOf(lanes, { ...shape, intervals: [...causal(3), ...holes(lanes.count).slice(1, 4), ...causal(2)] }, 50 + i),
      // Shadows: each of four rows sees all but the one of its place.
      jobOf(
        lanes,
        { ...shape, intervals: [0, 1, 2, 3].map((j) => ({ start: 2, limit: 19, hole: [9 + j, 10 + j] as const })) },
        i,
      ),
    ]);
    const results = await runJobs(made.map(({ job }) => job));
    made.forEach(({ check }, i) => {
      check(results[i]![3]!);
    });
  });

  test("sequences that lie apart, in packs of both: the same bits with what nobody sees skipped", async () => {
    for (const lanes of laneVariants((await testGpu()).profile)) {
      const far = (by: number, length: number): Interval[] => shifted(causal(length), by);
      const intervals = [...far(0, 3), ...far(131, 5), ...far(260, 2), ...far(7, 1)];
      const made = [false, true].map((sparse) => jobOf(lanes, { heads: 9, kvHeads: 3, headDim: 64, intervals }, 4, sparse));
      const [plain, sparse] = await runJobs(made.map(({ job }) => job));
      made[1]!.check(sparse![3]!);
      expect(sparse![3]).toEqual(plain![3]);
    }
  });

  test("a variant without holes gives the same bits as one with holes that are empty", async () => {
    const [lanes] = laneVariants((await testGpu()).profile);
    const c: Case = { heads: 4, kvHeads: 2, headDim: 48, intervals: causal(9) };
    const plain = jobOf(lanes!, c, 3).job;
    const holed = jobOf(lanes!, { ...c, intervals: c.intervals.map((row) => ({ ...row, hole: [4, 4] as const })) }, 3).job;
    const [a, b] = await runJobs([plain, holed]);
    expect(holed.kernel.variant).not.toBe(plain.kernel.variant);
    expect(b![3]).toEqual(a![3]);
  });

  test("a row's output is the same bits alone and in a pass of many", async () => {
    const [lanes] = laneVariants((await testGpu()).profile);
    const c: Case = { heads: 4, kvHeads: 1, headDim: 32, intervals: causal(9) };
    const { job } = jobOf(lanes!, c, 1);
    const whole = (await runJobs([job]))[0]![3]!;
    const alone = { ...job, rows: [job.rows[0]!], bound: [...job.bound.slice(0, 3), untouched(128)] };
    expect((await runJobs([alone]))[0]![3]!.subarray(0, 128)).toEqual(whole.subarray(0, 128));
  });
});
