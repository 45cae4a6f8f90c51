/** FLOP and compulsory bytes of each kernel for a shape that was counted by hand, and what holds for every shape. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { guide, reveal, rowAnswer, rowStats, sampleCutoff, statsGeometry, suppress } from "../../../src/kernels/answer";
import { codeOf, type Kernel } from "../../../src/kernels/dispatch";
import { lanesOf } from "../../../src/kernels/lanes";
import { attention, embed, packsOf, pad32, qkvWidth, rmsnorm, ropeCache } from "../../../src/kernels/layer";
import { linear, normalizes } from "../../../src/kernels/linear";
import { LINEAR_VARIANTS } from "../../../src/kernels/linear-variants";
import { type WeightFormat, weightBytes } from "../../../src/kernels/weight";
import { PROFILES } from "../../support/profiles";
import { MODELS, plainKernels, weightKernels } from "../../support/shipped";

const lanes = lanesOf(PROFILES.swiftshader);
const geometry = statsGeometry(PROFILES.swiftshader, 2000);
const shape = { numAttentionHeads: 6, numKeyValueHeads: 2, headDim: 32, slots: 100, packs: 8 };
const table = { columns: 128, outFeatures: 100, outOffset: 0 };
/** Three rows that see 10, 11 and 12 keys of the same twelve. */
const extent = { rows: 3, visible: 33, span: 12 };

describe("by hand, for three rows", () => {
  test.each<[string, Kernel, flops: number, bytes: number]>([
    // A column of 64 nibbles with two scales of 4 bytes, one row of 64 floats out; unpacking is no arithmetic of the model.
    ["embed q4", embed({ ...table, format: "q4" }, 64), 0, 3 * (64 / 2 + 2 * 4 + 64 * 4)],
    ["embed f16", embed({ ...table, format: "f16" }, 64), 0, 3 * (64 * 2 + 64 * 4)],
    // Square, add, scale, gain; rows in and out, the gain once.
    ["rmsnorm", rmsnorm(lanes, 64, 1e-5, false), 4 * 3 * 64, 2 * 3 * 64 * 4 + 64 * 4],
    // Four products and two sums a pair of queries and keys; 10 heads of 32 in and out, 16 (cos, sin) a row.
    ["rope_cache", ropeCache(lanes, shape, null), 3 * (6 + 2) * 16 * 6, 3 * (2 * 10 * 32 * 4 + 16 * 2 * 4)],
    // A dot product and a weighted sum of 32 for each head and visible key; 12 keys and values of 2 heads, query and output.
    ["attention", attention(lanes, shape), 33 * 6 * (2 * 32 + 2 * 32), 4 * (2 * 12 * 2 * 32 + 2 * 3 * 6 * 32)],
    // A difference, a product and a sum; both rows in, one out.
    ["guide", guide(2000), 3 * 3 * 2000, 3 * 2000 * (4 + 4 + 4)],
    ["suppress", suppress(2000, 5), 0, 3 * 5 * 4 + 5 * 4],
    ["row_stats", rowStats(geometry, 2000, false), 5 * 3 * 2000, 3 * (2000 * 4 + 8 * 48)],
    ["row_answer", rowAnswer(geometry, 2000), 0, 3 * (8 * 48 + 48)],
    ["reveal", reveal(PROFILES.swiftshader, 64), 0, 3 * (48 + 8)],
  ])("%s", (_, kernel, flops, bytes) => {
    const work = kernel.work(extent);
    expect([work.flops, work.bytes]).toEqual([flops, bytes]);
  });

  test("sample_cutoff: the logits once, however often they are reduced", () => {
    expect(sampleCutoff(lanes, 2000).work(extent).bytes).toBe(3 * (2000 * 4 + 4));
  });

  test.each(LINEAR_VARIANTS)("$id", (variant) => {
    const sizes = { format: "q8" as const, inFeatures: 64, outFeatures: 40, columns: 64 };
    const weight = 40 * (64 + (64 / 32) * 4);
    const passes = variant.algorithm.startsWith("gemv") ? Math.ceil(3 / variant.rows) : 1;
    const plain = linear(variant, sizes).work(extent);
    expect(plain.flops).toBe(2 * 3 * 64 * 40);
    expect(plain.bytes).toBe(passes * weight + 3 * 64 * 4 + 3 * 40 * 4);
    // A residual reads the output too.
    const residual = linear(variant, { ...sizes, residual: true }).work(extent);
    expect(residual.bytes - plain.bytes).toBe(3 * 40 * 4);
    // A gate: five operations an output, half as many outputs.
    const gated = linear(variant, { ...sizes, gated: true }).work(extent);
    expect([gated.flops - plain.flops, plain.bytes - gated.bytes]).toEqual([5 * 3 * 20, 3 * 20 * 4]);
    if (!normalizes(variant)) return;
    // A norm: square, add, scale, gain of the features that are no padding; the gain is read once.
    const normed = linear(variant, { ...sizes, norm: { size: 60, eps: 1e-5, gather: false } }).work(extent);
    expect([normed.flops - plain.flops, normed.bytes - plain.bytes]).toEqual([4 * 3 * 60, 60 * 4]);
  });

  test("a shard of the vocabulary that is not the first counts no row again", () => {
    expect(embed({ ...table, format: "q4", outOffset: 100 }, 64).work(extent).bytes).toBe(0);
  });

  test.each<[WeightFormat, number]>([
    ["q4", 64 * 40 * 0.5 + 2 * 40 * 4],
    ["q8", 64 * 40 + 2 * 40 * 4],
    ["f16", 64 * 40 * 2],
    ["f32", 64 * 40 * 4],
  ])("weight bytes of %s", (format, bytes) => {
    expect(weightBytes(format, 64, 40)).toBe(bytes);
  });
});

describe("for every shape", () => {
  const kernels = Object.values(PROFILES).flatMap((profile) =>
    Object.values(MODELS).flatMap((m) => [...plainKernels(profile, m), ...weightKernels(profile, m, "q4")]),
  );

  test("work is finite, not negative, and does not shrink with rows", () => {
    fc.assert(
      fc.property(fc.constantFrom(...kernels), fc.integer({ min: 1, max: 511 }), (kernel, rows) => {
        const at = (n: number) => kernel.work({ rows: n, visible: n * 600, span: 600 });
        const [less, more] = [at(rows), at(rows + 1)];
        for (const key of ["flops", "bytes", "loads"] as const) {
          expect(Number.isFinite(less[key])).toBe(true);
          expect(less[key]).toBeGreaterThanOrEqual(0);
          expect(more[key]).toBeGreaterThanOrEqual(less[key]);
        }
      }),
    );
  });

  test("every constant finds its line", () => {
    for (const kernel of kernels) expect(codeOf(kernel)).toContain("fn main(");
  });

  test("grids cover the outputs: rows × columns of a linear layer", () => {
    for (const variant of LINEAR_VARIANTS) {
      for (const rows of [1, 7, 8, 9, 33]) {
        const sizes = { format: "f32" as const, inFeatures: 32, columns: 192 };
        const grids = [1, 64, 65, 129].map((outFeatures) => linear(variant, { ...sizes, outFeatures }).grid({ ...extent, rows }));
        for (const grid of grids) expect(Math.min(...grid)).toBeGreaterThanOrEqual(1);
        const [across, down] = variant.rowsFirst ? [1, 0] : [0, 1];
        for (const grid of grids) expect(grid[down!]).toBe(Math.ceil(rows / variant.rows));
        // Pairs of columns lie 32 apart: turns of 64 are covered whole.
        expect(grids[3]![across!]).toBe(Math.ceil(192 / variant.columns));
      }
    }
  });

  test("sizes derived from others", () => {
    expect([0, 1, 31, 32, 33].map(pad32)).toEqual([0, 32, 32, 32, 64]);
    expect(qkvWidth(shape)).toBe(10 * 32);
    expect([1, 2, 4, 5].map((rows) => packsOf(rows, shape))).toEqual([1, 2, 3, 4]);
  });
});
