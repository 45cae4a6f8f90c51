/**
 * Attention against float64 loops: every variant × way lanes work together × head dims × groups × intervals, and every format of the cache against what it
 * holds. What no row sees holds 1e30 and must not leak.
 * Error: scores to √E units of |q||k|, exp2(x) to 3 + 2|x| units, a weighted mean of values: a few units of max|v| for each unit of score.
 */
import { describe, expect, test } from "vitest";
import {
  type AttentionShape,
  type AttentionVariant,
  attention,
  attentionReduce,
  PLAIN_ATTENTION,
  packsOf,
  piecesOf,
} from "../../src/kernels/attention";
import { ATTENTION_VARIANTS, attentionVariant, attentionVariants } from "../../src/kernels/attention-variants";
import type { CacheFormat } from "../../src/kernels/cache";
import type { Lanes } from "../../src/kernels/lanes";
import { pad32 } from "../../src/kernels/sizes";
import { extentOf, type Row } from "../../src/model/pass";
import { packCache, queryIndex, scatter, unpackCache } from "../support/cache";
import { testGpu } from "../support/goldens";
import {
  EPSILON,
  firstFault,
  firstTouched,
  type Job,
  laneVariants,
  normals,
  runJobs,
  untouched,
  type Words,
} from "../support/kernel";
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

/** How a case is run. */
interface Way {
  readonly variant?: AttentionVariant;
  readonly cache?: CacheFormat;
  /** Default: where a row has a hole. */
  readonly sparse?: boolean;
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
  // Half a head is odd: its last numbers are two, not four.
  { heads: 3, kvHeads: 1, headDim: 10, intervals: causal(7) },
];

interface Made {
  readonly job: Job;
  /** Joins the pieces of a split pass. */
  readonly reduce: ((pieces: Words) => Job) | null;
  readonly check: (output: ArrayLike<number>) => void;
  /** RMS of the error against what was to be cached, over the RMS of the right outputs. */
  readonly loss: (output: ArrayLike<number>) => number;
}

function jobOf(lanes: Lanes, c: Case, seed: number, { variant = PLAIN_ATTENTION, cache = "f32", sparse }: Way = {}): Made {
  const { heads, kvHeads, headDim, intervals, scale = 1 } = c;
  const rows = intervals.length;
  const shown = Math.max(...intervals.map(({ limit }) => limit));
  // Capacities beyond what is used, as in an engine; one set of constants a shape.
  const bare = { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, slots: 300, packs: 0, cache };
  const shape: AttentionShape = { ...bare, packs: packsOf(40, bare) };
  const query = normals(rows * heads * headDim, seed, scale);
  const dense = {
    keys: normals(shown * kvHeads * headDim, seed + 1, scale),
    values: normals(shown * kvHeads * headDim, seed + 2),
  };
  const seen = (slot: number) =>
    intervals.some(({ start, limit, hole }) => slot >= start && slot < limit && !(hole && slot >= hole[0] && slot < hole[1]));
  for (let i = 0; i < dense.keys.length; i++) {
    if (seen(Math.floor(i / (kvHeads * headDim)))) continue;
    dense.keys[i] = i % 2 ? GARBAGE : -GARBAGE;
    dense.values[i] = GARBAGE;
  }
  const stride = pad32(heads * headDim);
  const stored = { keys: packCache(shape, "keys", dense.keys), values: packCache(shape, "values", dense.values) };
  const queries = scatter(4 * kvHeads * shape.packs * headDim, GARBAGE, { dense: query, heads, headDim }, (t, h, i) =>
    queryIndex(shape, t, h, i),
  );
  const split = variant.parts > 1;
  const output = untouched(rows * stride);
  const check = (written: ArrayLike<number>): void => {
    const what = `${variant.id}, ${lanes.variant} of ${lanes.count}, ${cache}: ${heads}/${kvHeads} heads of ${headDim}, ${JSON.stringify(intervals)}`;
    const keys = unpackCache(shape, "keys", stored.keys, shown);
    const values = unpackCache(shape, "values", stored.values, shown);
    const want = reference.attention({ query, keys, values, heads, kvHeads, headDim, intervals });
    const width = heads * headDim;
    const got = Float64Array.from(want, (_, i) => written[Math.floor(i / width) * stride + (i % width)]!);
    const largestScore = 6 * scale * scale * Math.sqrt(headDim);
    // A tile of f16 rounds keys and values once, by 2^-11 of what is below 8.
    const staged = variant.half ? 2 ** -11 * 8 * (1 + largestScore / 4) : 0;
    const tolerance = EPSILON * 4 * (8 + largestScore) + staged;
    const empty = (i: number) => extentOf([rowAt(intervals[Math.floor(i / width)]!)]).visible === 0;
    expect(
      firstFault(got, want, (i) => (empty(i) ? 0 : tolerance)),
      what,
    ).toBeNull();
    const padding = Array.from(written).filter((_, at) => at >= rows * stride || at % stride >= width);
    expect(firstTouched(padding, 0), what).toBeNull();
  };
  const loss = (written: ArrayLike<number>): number => {
    const want = reference.attention({ query, ...dense, heads, kvHeads, headDim, intervals });
    const width = heads * headDim;
    const off = want.reduce((sum, value, i) => sum + (value - written[Math.floor(i / width) * stride + (i % width)]!) ** 2, 0);
    return Math.sqrt(off / want.reduce((sum, value) => sum + value ** 2, 0));
  };
  const kernel = attention(lanes, shape, { variant, sparse: sparse ?? intervals.some(({ hole }) => hole) });
  const bound = [queries, stored.keys, stored.values, split ? untouched(piecesOf(rows, variant.parts, shape)) : output];
  const reduce = (pieces: Words): Job => {
    expect(firstTouched(pieces, piecesOf(rows, variant.parts, shape)), `pieces of ${variant.id}`).toBeNull();
    return { kernel: attentionReduce(shape, variant.parts), bound: [pieces, output], rows: intervals };
  };
  return { job: { kernel, bound, rows: intervals }, reduce: split ? reduce : null, check, loss };
}

/** Runs jobs, with their reductions, and gives the outputs. */
async function outputsOf(made: readonly Made[]): Promise<Words[]> {
  const first = (await runJobs(made.map(({ job }) => job))).map((arrays) => arrays[3]!);
  const reductions = made.flatMap(({ reduce }, i) => (reduce ? [{ i, job: reduce(first[i]!) }] : []));
  const joined = await runJobs(reductions.map(({ job }) => job));
  reductions.forEach(({ i }, order) => {
    first[i] = joined[order]![1]!;
  });
  return first;
}

async function checkAll(made: readonly Made[]): Promise<void> {
  const outputs = await outputsOf(made);
  made.forEach(({ check }, i) => {
    check(outputs[i]!);
  });
}

const lanesAt = async (index: number): Promise<Lanes> => {
  const variants = laneVariants((await testGpu()).profile);
  return variants[index] ?? variants[0]!;
};

/** Rows with holes: at every edge, beside rows without one, and shadows, each of four rows seeing all but the one of its place. */
const holed = (lanes: number): Case[] =>
  [
    { heads: 2, kvHeads: 2, headDim: 32 },
    { heads: 9, kvHeads: 3, headDim: 64 },
    { heads: 4, kvHeads: 1, headDim: 80 },
  ].flatMap((shape) => [
    { ...shape, intervals: holes(lanes) },
    { ...shape, intervals: [...causal(3), ...holes(lanes).slice(1, 4), ...causal(2)] },
    { ...shape, intervals: [0, 1, 2, 3].map((j) => ({ start: 2, limit: 19, hole: [9 + j, 10 + j] as const })) },
  ]);

/** Which variants lanes that work together by subgroup, and by workgroup memory, take: the first is this device's own. */
const taken = (lanes: Lanes): AttentionVariant[] =>
  ATTENTION_VARIANTS.filter(({ algorithm, spread }) => algorithm === "lanes" && (!spread || lanes.variant === "subgroup"));

describe("attention", () => {
  test.each([0, 1, 2])("lanes of variant %i, whole", async (index) => {
    const lanes = await lanesAt(index);
    for (const variant of taken(lanes).filter(({ parts }) => parts === 1)) {
      await checkAll(casesOf(lanes.count).map((c, i) => jobOf(lanes, c, 10 * i, { variant })));
    }
  });

  test.each([0, 1, 2])("lanes of variant %i, split", async (index) => {
    const lanes = await lanesAt(index);
    for (const variant of taken(lanes).filter(({ parts }) => parts > 1)) {
      // The largest shapes take long to compile, and differ in nothing from others of their kind.
      const cases = casesOf(lanes.count).filter(({ headDim, intervals }) => headDim < 96 && intervals.length <= 15);
      await checkAll(cases.map((c, i) => jobOf(lanes, c, 10 * i, { variant })));
    }
  });

  test.each([0, 1, 2])("holes, lanes of variant %i", async (index) => {
    const lanes = await lanesAt(index);
    for (const id of ["pairs4", "pairs8"]) {
      await checkAll(holed(lanes.count).map((c, i) => jobOf(lanes, c, i, { variant: attentionVariant(id) })));
    }
  });

  test.each(["tile", "tile_f16"])("%s", async (id) => {
    const lanes = await lanesAt(0);
    const variant = attentionVariant(id);
    const many: Case[] = [
      { heads: 9, kvHeads: 3, headDim: 64, intervals: causal(40) },
      { heads: 9, kvHeads: 3, headDim: 64, intervals: blocks(32, 8) },
    ];
    await checkAll([...casesOf(8), ...many, ...holed(8)].map((c, i) => jobOf(lanes, c, 10 * i, { variant })));
  });

  test.each(["f16", "q8"] as const)("a cache of %s", async (cache) => {
    const lanes = await lanesAt(0);
    const [, , fallback] = laneVariants((await testGpu()).profile);
    const cases: Case[] = [
      { heads: 9, kvHeads: 3, headDim: 64, intervals: ragged(5, 3) },
      { heads: 2, kvHeads: 2, headDim: 32, intervals: causal(33) },
      { heads: 4, kvHeads: 1, headDim: 80, intervals: all(2, 19, 6) },
      { heads: 3, kvHeads: 1, headDim: 10, intervals: causal(7) },
    ];
    for (const [some, id] of [
      [lanes, "pairs4"],
      [lanes, "pairs8"],
      [fallback ?? lanes, "pairs4_split4"],
      [lanes, "tile"],
    ] as const) {
      await checkAll(
        cases
          .filter(({ intervals }) => intervals.length <= 15 || !id.includes("split"))
          .map((c, i) => jobOf(some, c, 10 * i, { variant: attentionVariant(id), cache })),
      );
    }
  });

  test.each<[CacheFormat, number]>([
    // Rounding of keys moves scores by 2^-12 and 2^-9 of |q||k|, that of values the sums likewise; both average out over 64 dimensions and many keys.
    ["f32", 1e-6],
    ["f16", 1e-3],
    ["q8", 2e-2],
  ])("what a cache of %s loses of the attention over normal keys and values", async (cache, bound) => {
    const lanes = await lanesAt(0);
    const made = jobOf(lanes, { heads: 9, kvHeads: 3, headDim: 64, intervals: blocks(32, 8) }, 3, { cache });
    const [output] = await outputsOf([made]);
    expect(made.loss(output!)).toBeLessThan(bound);
    // It does lose what it should: the bound is no looser than needed by two orders.
    expect(made.loss(output!)).toBeGreaterThan(bound / 300);
  });

  test("sequences that lie apart, in packs of both: the same bits with what nobody sees skipped", async () => {
    for (const lanes of laneVariants((await testGpu()).profile)) {
      const far = (by: number, length: number): Interval[] => shifted(causal(length), by);
      const intervals = [...far(0, 3), ...far(131, 5), ...far(260, 2), ...far(7, 1)];
      const made = [false, true].map((sparse) => jobOf(lanes, { heads: 9, kvHeads: 3, headDim: 64, intervals }, 4, { sparse }));
      const [plain, sparse] = await outputsOf(made);
      made[1]!.check(sparse!);
      expect(sparse).toEqual(plain);
    }
  });

  test("a variant without holes gives the same bits as one with holes that are empty", async () => {
    const lanes = await lanesAt(0);
    const c: Case = { heads: 4, kvHeads: 2, headDim: 48, intervals: causal(9) };
    const plain = jobOf(lanes, c, 3);
    const empty = jobOf(lanes, { ...c, intervals: c.intervals.map((row) => ({ ...row, hole: [4, 4] as const })) }, 3);
    const [a, b] = await outputsOf([plain, empty]);
    expect(empty.job.kernel.variant).not.toBe(plain.job.kernel.variant);
    expect(b).toEqual(a);
  });

  test("a row's output is the same bits alone and in a pass of many", async () => {
    const lanes = await lanesAt(0);
    const c: Case = { heads: 4, kvHeads: 1, headDim: 32, intervals: causal(9) };
    const { job } = jobOf(lanes, c, 1);
    const whole = (await runJobs([job]))[0]![3]!;
    const alone = { ...job, rows: [job.rows[0]!], bound: [...job.bound.slice(0, 3), untouched(128)] };
    expect((await runJobs([alone]))[0]![3]!.subarray(0, 128)).toEqual(whole.subarray(0, 128));
  });

  test("everything that this device can run is among what was run", async () => {
    const { profile } = await testGpu();
    const shape = { numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 64, slots: 64, packs: 8 };
    const runnable = attentionVariants(profile, { rows: 1, keys: 64, shape });
    const run = [...taken(await lanesAt(0)), attentionVariant("tile"), attentionVariant("tile_f16")];
    expect(runnable.filter((variant) => !run.includes(variant))).toEqual([]);
  });
});
