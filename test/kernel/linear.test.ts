/**
 * Linear layers against float64 loops over the dequantised weight: every algorithm × format × number of rows around every tile edge.
 * Error of a sum of K products in f32: 2e-6 · √K · max|a| · max|w|; q4 sums stored numbers and minima apart, which costs up to four times that.
 */
import { describe, expect, test } from "vitest";
import { type LinearVariant, linear } from "../../src/kernels/linear";
import { canRun, LINEAR_VARIANTS } from "../../src/kernels/linear-variants";
import type { PlaneFormat } from "../../src/model/planes";
import { testGpu } from "../support/goldens";
import { firstFault, firstTouched, type Job, MARGIN, normals, plainRows, runJobs, SENTINEL, untouched } from "../support/kernel";
import { FORMATS, randomPlane } from "../support/planes";
import * as reference from "../support/reference";

const ROWS = [1, 2, 3, 5, 7, 8, 9, 17, 31, 33, 64];

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

describe.each(LINEAR_VARIANTS)("$id", (variant) => {
  test.for(variant.formats ?? FORMATS)("%s", async (format, { skip }) => {
    const { profile } = await testGpu();
    skip(!canRun(variant, profile), `needs ${[...(variant.features ?? []), "its limits"].join(", ")}`);
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
      const dense = normals(most * K, seed + 100);
      const biases = normals(N, seed + 200);
      const before = normals((most + 1) * outStride, seed + 300);
      const product = reference.linear(dense, weight, {
        rows: most,
        inFeatures: K,
        outFeatures: N,
        bias: bias ? biases : undefined,
      });
      const largest = dense.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const tolerance = 2e-6 * Math.sqrt(K) * largest * maxAbs * (format === "q4" ? 4 : 1) + 1e-6;
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
