/** embed and rmsnorm against float64 loops, at sizes around the lanes and far from them. */
import { describe, expect, test } from "vitest";
import { lanesOf } from "../../src/kernels/lanes";
import { embed, pad32, rmsnorm } from "../../src/kernels/layer";
import { testGpu } from "../support/goldens";
import {
  EPSILON,
  firstFault,
  firstTouched,
  gpuProfile,
  type Job,
  laneVariants,
  normals,
  plainRows,
  runJobs,
  runKernel,
  untouched,
} from "../support/kernel";
import { FORMATS, randomPlane } from "../support/planes";
import * as reference from "../support/reference";

/** Rows of `size` at the stride of an activation; the padding holds `pad`. */
function strided(dense: Float32Array, size: number, pad: number): Float32Array<ArrayBuffer> {
  const rows = dense.length / size;
  const output = new Float32Array(rows * pad32(size)).fill(pad);
  for (let t = 0; t < rows; t++) output.set(dense.subarray(t * size, (t + 1) * size), t * pad32(size));
  return output;
}

/** The rows of an activation without their padding. */
function compact(output: ArrayLike<number>, rows: number, size: number): Float64Array {
  return Float64Array.from({ length: rows * size }, (_, i) => output[Math.floor(i / size) * pad32(size) + (i % size)]!);
}

describe("embed", () => {
  const SHAPES = [
    { size: 32, vocab: 1 },
    { size: 96, vocab: 70 },
    { size: 576, vocab: 130 },
  ];
  test.each(FORMATS)("%s", async (format) => {
    const ragged = format === "f16" || format === "f32" ? [{ size: 45, vocab: 65 }] : [];
    for (const { size, vocab } of [...SHAPES, ...ragged]) {
      const { plane, bound, weight, maxAbs } = randomPlane(format, size, vocab, size);
      // The last token, a repeated one, and places in no order.
      const canvas = Uint32Array.from({ length: 9 }, (_, i) => (i === 3 ? vocab - 1 : (i * 37) % vocab));
      const places = [3, 8, 0, 0, 5];
      const kernel = embed({ format, columns: plane.paddedOut, outFeatures: vocab, outOffset: 0 }, size);
      const rows = places.map((place) => ({ place }));
      const [, , , output] = await runKernel({
        kernel,
        bound: [...bound, canvas, untouched(rows.length * pad32(size))],
        rows,
      });
      const tokens = places.map((place) => canvas[place]!);
      const want = reference.embed(tokens, size, weight);
      // One fused multiply-add: exact for floats, one rounding of q · scale + minimum else.
      const tolerance = format === "q4" || format === "q8" ? EPSILON * 4 * maxAbs : 0;
      expect(firstFault(compact(output!, rows.length, size), want, tolerance)).toBeNull();
      const padding = Array.from(output!.subarray(0, rows.length * pad32(size))).filter((_, i) => i % pad32(size) >= size);
      expect(padding.every((value) => value === 0)).toBe(true);
      expect(firstTouched(output!, rows.length * pad32(size))).toBeNull();
    }
  });

  test("a shard writes the rows of its own tokens", async () => {
    const [size, first, count] = [64, 40, 30];
    const { bound, weight, plane } = randomPlane("f32", size, count, 1);
    // Before, at both ends of, and behind the shard.
    const canvas = Uint32Array.of(0, first - 1, first, first + count - 1, first + count, 2 ** 31);
    const rows = Array.from(canvas, (_, place) => ({ place }));
    const kernel = embed({ format: "f32", columns: plane.paddedOut, outFeatures: count, outOffset: first }, size);
    const [, , , output] = await runKernel({ kernel, bound: [...bound, canvas, untouched(rows.length * size)], rows });
    const want = reference.embed([0, count - 1], size, weight);
    expect(Array.from(output!.subarray(2 * size, 4 * size))).toEqual(Array.from(want));
    expect(firstTouched(output!.subarray(0, 2 * size), 0)).toBeNull();
    expect(firstTouched(output!, 4 * size)).toBeNull();
  });
});

describe("rmsnorm", () => {
  const SIZES = [1, 3, 4, 5, 31, 32, 33, 576, 1757];
  const eps = 1e-5;
  const tolerance = (size: number) => EPSILON * (8 + Math.sqrt(size));

  test("every way lanes work together, gathered rows or not", async () => {
    const { profile } = await testGpu();
    const jobs: Job[] = [];
    const wants: { what: string; want: Float64Array; rows: number; size: number }[] = [];
    for (const lanes of laneVariants(profile)) {
      for (const size of SIZES) {
        for (const sources of [null, [4, 0, 4, 2]]) {
          const dense = normals(5 * size, size);
          const gain = normals(size, size + 1);
          const rows = sources?.length ?? 5;
          const kernel = rmsnorm(lanes, size, eps, sources !== null);
          const bound = [strided(dense, size, 1e30), gain, untouched(rows * pad32(size))];
          jobs.push({ kernel, bound, rows: plainRows(rows), ...(sources ? { sources } : {}) });
          const want = reference.rmsnorm(dense, gain, { size, eps, sources: sources ?? [0, 1, 2, 3, 4] });
          wants.push({ what: `${lanes.variant} of ${lanes.count}, size ${size}, ${sources}`, want, rows, size });
        }
      }
    }
    const results = await runJobs(jobs);
    wants.forEach(({ what, want, rows, size }, i) => {
      const output = results[i]![2]!;
      const fault = firstFault(compact(output, rows, size), want, (at) => tolerance(size) * Math.abs(want[at]!) + 1e-30);
      expect(fault, what).toBeNull();
      const padding = output.filter((_, at) => at >= rows * pad32(size) || at % pad32(size) >= size);
      expect(firstTouched(padding, 0), what).toBeNull();
    });
  });

  test("values whose squares pass f16 stay finite and right; zeros give zeros", async () => {
    const { profile } = await testGpu();
    const size = 576;
    for (const scale of [300, 5000, 1e15, 0]) {
      const dense = normals(size, 7, scale);
      const gain = new Float32Array(size).fill(1);
      const kernel = rmsnorm(lanesOf(profile), size, eps, false);
      const [, , output] = await runKernel({ kernel, bound: [dense, gain, untouched(size)], rows: plainRows(1) });
      const want = reference.rmsnorm(dense, gain, { size, eps, sources: [0] });
      expect(
        firstFault(output!, want, (at) => tolerance(size) * Math.abs(want[at]!)),
        `scale ${scale}`,
      ).toBeNull();
    }
  });

  test("the epsilon is the one it is given", async () => {
    const { profile } = await testGpu();
    for (const given of [1e-6, 1e-5, 1]) {
      const dense = normals(32, 3, 1e-3);
      const gain = new Float32Array(32).fill(1);
      const kernel = rmsnorm(lanesOf(gpuProfile(profile)), 32, given, false);
      const [, , output] = await runKernel({ kernel, bound: [dense, gain, untouched(32)], rows: plainRows(1) });
      const want = reference.rmsnorm(dense, gain, { size: 32, eps: given, sources: [0] });
      expect(
        firstFault(output!, want, (at) => tolerance(32) * Math.abs(want[at]!)),
        `eps ${given}`,
      ).toBeNull();
    }
  });
});
