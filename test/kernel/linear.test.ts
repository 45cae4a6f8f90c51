/**
 * Linear layers against float64 loops over the dequantised weight: every algorithm × format × number of rows around every tile edge.
 * Error of a sum of K products in f32: 2e-6 · √K · max|a| · max|w|; q4 sums stored numbers and minima apart, which costs up to four times that.
 * A variant that rounds to bytes is given inputs that are bytes already; to f16, each product may be off by six roundings of 2⁻¹¹.
 */
import { describe, expect, test } from "vitest";
import { type LinearVariant, linear } from "../../src/kernels/linear";
import { canRun, LINEAR_VARIANTS } from "../../src/kernels/linear-variants";
import type { PlaneFormat } from "../../src/model/planes";
import { testGpu } from "../support/goldens";
import { firstFault, firstTouched, type Job, MARGIN, normals, plainRows, runJobs, SENTINEL, untouched } from "../support/kernel";
import { FORMATS, randomPlane } from "../support/planes";
import * as reference from "../support/reference";

const ROWS = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65];

interface Case {
  readonly K: number;
  readonly N: number;
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly outOffset?: number;
  readonly outStride?: number;
}
const CASES: readonly Case[] = [
  { K: 32, N: 1, bias: true },
  { K: 64, N: 7, residual: true, outStride: 32 },
  { K: 96, N: 65, bias: true, residual: true, outOffset: 7, outStride: 96 },
  { K: 192, N: 320 },
  { K: 576, N: 130, bias: true, outOffset: 62, outStride: 256 },
];
/** Float formats also take a K that is no multiple of a block. */
const RAGGED: readonly Case[] = [
  { K: 1, N: 5, outStride: 32 },
  { K: 45, N: 33, residual: true },
];

/** Matrix products take a CPU adapter up to a second to compile: there each format gets the case with every option and some others, in turn. */
function casesOf({ algorithm }: LinearVariant, format: PlaneFormat): readonly Case[] {
  const ragged = format === "f16" ? [RAGGED[0]!] : format === "f32" ? [RAGGED[1]!] : [];
  if (algorithm.startsWith("gemv")) return [...CASES, ...ragged];
  return [CASES[2]!, ...{ q4: [CASES[0]!, CASES[4]!], q8: [CASES[1]!, CASES[3]!], f16: ragged, f32: ragged }[format]];
}

/** Whole numbers of a byte, the largest of them in every block of 32: rounding a block to bytes keeps them. */
function wholeBytes(length: number, seed: number): Float32Array<ArrayBuffer> {
  const values = normals(length, seed, 40).map((value) => Math.max(-127, Math.min(127, Math.round(value))));
  for (let i = 0; i < length; i += 32) values[i] = 127;
  return values;
}

/** Root mean square of the error over that of the outputs. */
function relativeError(got: ArrayLike<number>, want: Float64Array): number {
  let [error, size] = [0, 0];
  want.forEach((value, i) => {
    error += (got[i]! - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(error / size);
}

const ROUNDING = LINEAR_VARIANTS.filter(({ rounds }) => rounds !== undefined);
/** A byte with a scale for 32 normal numbers is off by 0.6 % of their deviation, half precision by 0.03 %. */
const QUALITY = { int8: 0.01, f16: 0.001 } as const;

test.for(ROUNDING)("$id keeps the outputs of normal inputs", async (variant, { skip }) => {
  const { profile } = await testGpu();
  skip(!canRun(variant, profile), `needs ${[...(variant.features ?? []), ...(variant.needs ?? [])].join(", ")}`);
  const [K, N, rows] = [576, 192, 33];
  for (const format of variant.formats ?? FORMATS) {
    const { plane, bound, weight } = randomPlane(format, K, N, 5);
    const kernel = linear(variant, { format, inFeatures: K, outFeatures: N, columns: plane.paddedOut });
    const input = normals(rows * K, 6);
    const [results] = await runJobs([
      { kernel, bound: [...bound, input, new Float32Array(rows * N), new Float32Array(N)], rows: plainRows(rows) },
    ]);
    const want = reference.linear(input, weight, { rows, inFeatures: K, outFeatures: N });
    const error = relativeError(results![3]!, want);
    expect(error, format).toBeLessThan(QUALITY[variant.rounds!]);
    expect(error, format).toBeGreaterThan(0);
  }
});

describe.each(LINEAR_VARIANTS)("$id", (variant) => {
  test.for(variant.formats ?? FORMATS)("%s", async (format, { skip }) => {
    const { profile } = await testGpu();
    skip(!canRun(variant, profile), `needs ${[...(variant.features ?? []), ...(variant.needs ?? []), "its limits"].join(", ")}`);
    const cases = casesOf(variant, format);
    const jobs: Job[] = [];
    const checks: ((output: ArrayLike<number>) => void)[] = [];
    cases.forEach(({ K, N, bias = false, residual = false, outOffset = 0, outStride = N }, seed) => {
      const { plane, bound, weight, maxAbs } = randomPlane(format, K, N, seed);
      const kernel = linear(variant, {
        format,
        inFeatures: plane.paddedIn,
        outFeatures: N,
        columns: plane.paddedOut,
        outOffset,
        outStride,
        bias,
        residual,
      });
      const most = Math.max(...ROWS);
      const dense = (variant.rounds === "int8" ? wholeBytes : normals)(most * K, seed + 100);
      const biases = normals(N, seed + 200);
      const before = normals((most + 1) * outStride, seed + 300);
      const product = reference.linear(dense, weight, {
        rows: most,
        inFeatures: K,
        outFeatures: N,
        bias: bias ? biases : undefined,
      });
      const largest = dense.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const rounding = variant.rounds === "f16" ? 6 * 2 ** -11 : 2e-6 * (format === "q4" ? 4 : 1);
      const tolerance = rounding * Math.sqrt(K) * largest * maxAbs + 1e-6;
      for (const rows of ROWS) {
        // Padding of an input row holds what was there; the rows behind the last are another pass's.
        const input = new Float32Array((rows + 1) * plane.paddedIn).fill(1000);
        for (let t = 0; t < rows; t++) input.set(dense.subarray(t * K, (t + 1) * K), t * plane.paddedIn);
        const output = untouched(rows * outStride);
        if (residual) output.set(before.subarray(0, rows * outStride));
        jobs.push({ kernel, bound: [...bound, input, output, biases], rows: plainRows(rows) });
        checks.push((got) => {
          const what = `K=${K} N=${N} rows=${rows}`;
          expect(got.length, what).toBe(rows * outStride + MARGIN);
          const want = Float64Array.from(got, (_, i) => {
            const column = (i % outStride) - outOffset;
            const held = residual && i < rows * outStride ? before[i]! : SENTINEL;
            if (i >= rows * outStride || column < 0 || column >= N) return held;
            return product[Math.floor(i / outStride) * N + column]! + (residual ? held : 0);
          });
          const computed = (i: number) => i < rows * outStride && i % outStride >= outOffset && i % outStride < outOffset + N;
          expect(
            firstFault(got, want, (i) => (computed(i) ? tolerance : 0)),
            what,
          ).toBeNull();
          expect(firstTouched(got, rows * outStride), what).toBeNull();
        });
      }
    });
    const results = await runJobs(jobs);
    results.forEach((arrays, i) => {
      checks[i]!(arrays[3]!);
    });
  });
});
