/**
 * What linear layers take on besides their product: the norm of their input, and the gate of their output. Every variant × format against float64.
 * Error: that of the product (test/kernel/linear.test.ts) with an input of norm-sized values; a gate multiplies two sums, each with its own.
 */
import { describe, expect, test } from "vitest";
import { type LinearVariant, linear, normalizes } from "../../src/kernels/linear";
import { canRun, LINEAR_VARIANTS } from "../../src/kernels/linear-variants";
import { allocatePlane, GATED_TURN, gatedColumn, type PlaneFormat, packRows, planeValue } from "../../src/model/planes";
import { testGpu } from "../support/goldens";
import {
  EPSILON,
  firstFault,
  firstTouched,
  type Job,
  normals,
  plainRows,
  runJobs,
  untouched,
  type Words,
} from "../support/kernel";
import { FORMATS } from "../support/planes";
import * as reference from "../support/reference";

const EPS = 1e-3;
const ROWS = [1, 2, 3, 4, 5, 8, 9, 33];
/** K, outputs: more than one block for each share of a split sum; K is ragged for float formats only. */
const SIZES = { quantized: [320, 45], float: [301, 65] } as const;

/** A plane of gates and ups by turns of 32, and both weights as the kernels see them. */
function gatedPlane(format: PlaneFormat, inFeatures: number, features: number) {
  const plane = allocatePlane(format, inFeatures, 2 * GATED_TURN * Math.ceil(features / GATED_TURN));
  for (const [column, seed] of [
    [0, 1],
    [GATED_TURN, 2],
  ] as const) {
    const bytes = new Uint8Array(normals(inFeatures * features, seed, 0.5).buffer);
    packRows(plane, { column, bytes, dtype: "f32", rows: features, inFeatures, rowOrder: gatedColumn });
  }
  const weight = (shift: number) => decoded(features, inFeatures, (n, k) => planeValue(plane, gatedColumn(n) + shift, k));
  return { plane, bound: boundOf(plane), gate: weight(0), up: weight(GATED_TURN) };
}

/** Weights decoded once. */
function decoded(rows: number, inFeatures: number, value: reference.WeightAt): reference.WeightAt {
  const values = Float64Array.from({ length: rows * inFeatures }, (_, i) => value(Math.floor(i / inFeatures), i % inFeatures));
  return (n, k) => values[n * inFeatures + k]!;
}

const boundOf = ({ data, scaleData }: ReturnType<typeof allocatePlane>): [Words, Words] => [
  data as Words,
  (scaleData ?? new Uint32Array(4)) as Words,
];

/** Rows at the stride of an input, its padding zero. */
function strided(dense: Float32Array, size: number, stride: number): Float32Array<ArrayBuffer> {
  const rows = dense.length / size;
  const input = new Float32Array(rows * stride);
  for (let t = 0; t < rows; t++) input.set(dense.subarray(t * size, (t + 1) * size), t * stride);
  return input;
}

const maxAbs = (values: ArrayLike<number>): number => Array.from(values).reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** How far a sum of `K` products may be off: by what its variant rounds inputs to, a byte of the block's largest or half precision, or by f32. */
function sumError({ rounds }: LinearVariant, format: PlaneFormat, input: ArrayLike<number>, K: number): number {
  const rounding = rounds === "int8" ? 1 / 127 : rounds === "f16" ? 6 * 2 ** -11 : 2e-6 * (format === "q4" ? 4 : 1);
  return rounding * Math.sqrt(K) * maxAbs(input) * 2.5 + 1e-6;
}

const cases = (variant: LinearVariant): readonly (readonly [PlaneFormat, number, number])[] =>
  (variant.formats ?? FORMATS).map((format) => {
    const [K, features] = format === "q4" || format === "q8" ? SIZES.quantized : SIZES.float;
    return [format, K, features];
  });

const skipUnless = async (variant: LinearVariant, skip: (when: boolean, why: string) => void) => {
  const { profile } = await testGpu();
  skip(!canRun(variant, profile), `needs ${[...(variant.features ?? []), ...(variant.needs ?? []), "its limits"].join(", ")}`);
};

/** The gate or, with `normed`, the gate of a normalised input; sources where rows are gathered. */
async function checkGated(variant: LinearVariant, normed: boolean): Promise<void> {
  const jobs: Job[] = [];
  const checks: ((output: ArrayLike<number>) => void)[] = [];
  for (const [format, K, features] of cases(variant)) {
    const { plane, bound, gate, up } = gatedPlane(format, K, features);
    const stride = Math.ceil(features / 32) * 32;
    const most = Math.max(...ROWS);
    const gain = normals(plane.paddedIn, 7);
    const norm = normed ? { size: K, eps: EPS, gather: false } : undefined;
    const sizes = { format, inFeatures: plane.paddedIn, outFeatures: 2 * features, columns: plane.paddedOut };
    const kernel = linear(variant, { ...sizes, outStride: stride, gated: true, norm });
    const all = normals(most * K, 5, 2);
    const sources = Array.from({ length: most }, (_, i) => i);
    const x = normed ? reference.rmsnorm(all, gain, { size: K, eps: EPS, sources }) : all;
    const product = (weight: typeof gate) => reference.linear(x, weight, { rows: most, inFeatures: K, outFeatures: features });
    const [gates, ups] = [product(gate), product(up)];
    const off = sumError(variant, format, x, K);
    for (const rows of ROWS) {
      const dense = all.subarray(0, rows * K);
      const want = reference.swiglu(gates.subarray(0, rows * features), ups);
      const input = strided(dense, K, plane.paddedIn);
      const arrays = [...bound, input, untouched(rows * stride), new Float32Array(4), ...(normed ? [gain] : [])];
      jobs.push({ kernel, bound: arrays, rows: plainRows(rows) });
      checks.push((got) => {
        const what = `${variant.id} ${format}, ${rows} rows`;
        const compact = Float64Array.from(want, (_, i) => got[Math.floor(i / features) * stride + (i % features)]!);
        // |silu'| ≤ 1.1: what the sums are off, times the other factor.
        const tolerance = (i: number) =>
          off * (1.1 * Math.abs(ups[i]!) + Math.abs(gates[i]!) + off) + Math.abs(want[i]!) * EPSILON * 200;
        expect(firstFault(compact, want, tolerance), what).toBeNull();
        const around = Float32Array.from(got).filter((_, i) => i >= rows * stride || i % stride >= features);
        expect(firstTouched(around, 0), what).toBeNull();
      });
    }
  }
  const results = await runJobs(jobs);
  results.forEach((arrays, i) => {
    checks[i]!(arrays[3]!);
  });
}

describe.each(LINEAR_VARIANTS)("$id", (variant) => {
  test("gates its output", async ({ skip }) => {
    await skipUnless(variant, skip);
    await checkGated(variant, false);
  });

  test("gates where e^-gate overflows f32, and where silu is the identity", async ({ skip }) => {
    await skipUnless(variant, skip);
    if (variant.formats && !variant.formats.includes("f32")) return;
    const extremes = [-1e4, -200, -89, -88, -60, 0, 60, 89, 1e4];
    // Gate f is input f, its up input 16 + f.
    const plane = allocatePlane("f32", 32, 2 * GATED_TURN);
    const pick = (first: number) =>
      Float32Array.from({ length: 16 * 32 }, (_, i) => (i % 32 === first + Math.floor(i / 32) ? 1 : 0));
    for (const [column, first] of [
      [0, 0],
      [GATED_TURN, 16],
    ] as const) {
      const bytes = new Uint8Array(pick(first).buffer);
      packRows(plane, { column, bytes, dtype: "f32", rows: 16, inFeatures: 32, rowOrder: gatedColumn });
    }
    const input = new Float32Array(32);
    extremes.forEach((gate, i) => {
      input[i] = gate;
      input[16 + i] = i % 2 ? -1e4 : 1e4;
    });
    const kernel = linear(variant, { format: "f32", inFeatures: 32, outFeatures: 32, columns: 64, gated: true });
    const bound = [...boundOf(plane), input, untouched(16), new Float32Array(4)];
    const [results] = await runJobs([{ kernel, bound, rows: plainRows(1) }]);
    const want = reference.swiglu(input.subarray(0, 16), input.subarray(16));
    // exp(x) may be off by 3 + 2|x| units; below -80 the gate counts as -80: e^-80 < 2e-35 is what remains of it.
    const rounding = variant.rounds === "f16" ? 2 ** -10 : EPSILON;
    const tolerance = (i: number) =>
      Math.abs(want[i]!) * rounding * (8 + 2 * Math.min(80, Math.abs(input[i]!))) + Math.abs(input[i]! * input[16 + i]!) * 2e-35;
    expect(firstFault(results![3]!, want, tolerance)).toBeNull();
  });

  if (!normalizes(variant)) {
    test("refuses a norm", () => {
      const sizes = { format: "f32" as const, inFeatures: 32, outFeatures: 32, columns: 64 };
      expect(() => linear(variant, { ...sizes, norm: { size: 32, eps: EPS, gather: false } })).toThrow(/rmsnorm before/);
    });
    return;
  }

  test("normalises its input and gates its output", async ({ skip }) => {
    await skipUnless(variant, skip);
    await checkGated(variant, true);
  });

  test("normalises gathered rows, adds a bias", async ({ skip }) => {
    await skipUnless(variant, skip);
    const jobs: Job[] = [];
    const checks: ((output: ArrayLike<number>) => void)[] = [];
    for (const [format, K, N] of cases(variant)) {
      const plane = allocatePlane(format, K, N);
      packRows(plane, { column: 0, bytes: new Uint8Array(normals(K * N, 3, 0.5).buffer), dtype: "f32", rows: N, inFeatures: K });
      const weight = decoded(N, K, (n, k) => planeValue(plane, n, k));
      for (const sources of [[4], [4, 0], [3, 3, 1], [2, 4, 0, 1, 3, 0, 2, 4, 1]]) {
        const dense = normals(5 * K, 11, 3);
        const gain = normals(plane.paddedIn, 12);
        const bias = normals(N, 13);
        const norm = { size: K, eps: EPS, gather: true };
        const sizes = { format, inFeatures: plane.paddedIn, outFeatures: N, columns: plane.paddedOut };
        const kernel = linear(variant, { ...sizes, bias: true, norm });
        const x = reference.rmsnorm(dense, gain, { size: K, eps: EPS, sources });
        const rows = sources.length;
        const want = reference.linear(x, weight, { rows, inFeatures: K, outFeatures: N, bias });
        const bound = [...boundOf(plane), strided(dense, K, plane.paddedIn), untouched(rows * N), bias, gain];
        jobs.push({ kernel, bound, rows: plainRows(rows), sources });
        checks.push((got) => {
          const what = `${variant.id} ${format}, rows ${sources}`;
          expect(firstFault(got, want, sumError(variant, format, x, K)), what).toBeNull();
          expect(firstTouched(got, rows * N), what).toBeNull();
        });
      }
    }
    const results = await runJobs(jobs);
    results.forEach((arrays, i) => {
      checks[i]!(arrays[3]!);
    });
  });
});
