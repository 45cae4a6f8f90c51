import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { floatToHalf, halfValues } from "../../../src/formats/float16";
import { readSafetensors } from "../../../src/formats/safetensors";
import { rowBytes, type StoredDtype } from "../../../src/formats/tensor";
import {
  allocatePlane,
  dequantizeRows,
  maxAbs,
  type Plane,
  type PlaneFormat,
  packRows,
  planeFormatFor,
  planeShape,
  planeValue,
} from "../../../src/model/planes";
import { goldenBytes, refusal } from "../formats/files";
import { DTYPES, GGUF_GOLDENS, openGolden, randomRows, values } from "./fixtures";

const half = halfValues();
const FORMATS: readonly PlaneFormat[] = ["q4", "q8", "f16", "f32"];
const floatBytes = (floats: Float32Array) => new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);

function pack(format: PlaneFormat, dtype: StoredDtype, bytes: Uint8Array, rows: number, inFeatures: number): Plane {
  const plane = allocatePlane(format, inFeatures, rows);
  packRows(plane, { column: 0, bytes, dtype, rows, inFeatures });
  return plane;
}

/** First column and row where the plane, padding included, differs from `want` by more than `loose`; the sign of a zero is free. */
function firstDifference(plane: Plane, want: (n: number, k: number) => number, loose = 0): string | null {
  for (let n = 0; n < plane.paddedOut; n++) {
    for (let k = 0; k < plane.paddedIn; k++) {
      const expected = n < plane.outFeatures && k < plane.inFeatures ? want(n, k) : 0;
      const got = planeValue(plane, n, k);
      if (!(Math.abs(got - expected) <= loose)) return `n=${n} k=${k}: expected ${expected}, got ${got}`;
    }
  }
  return null;
}

/** One stored block decoded by the letter of ggml's description, bit by bit. */
function blockReference(bytes: Uint8Array, dtype: StoredDtype): number[] {
  const halfAt = (at: number) => half[bytes[at]! | (bytes[at + 1]! << 8)]!;
  const bit = (at: number, i: number) => (bytes[at + (i >> 3)]! >> (i & 7)) & 1;
  const nibble = (at: number, i: number) => (i < 16 ? bytes[at + i]! & 15 : bytes[at + i - 16]! >> 4);
  return Array.from({ length: 32 }, (_, i) => {
    switch (dtype) {
      case "q4_0":
        return halfAt(0) * (nibble(2, i) - 8);
      case "q4_1":
        return halfAt(0) * nibble(4, i) + halfAt(2);
      case "q5_0":
        return halfAt(0) * (nibble(6, i) + 16 * bit(2, i) - 16);
      case "q5_1":
        return halfAt(0) * (nibble(8, i) + 16 * bit(4, i)) + halfAt(2);
      default:
        return halfAt(0) * new Int8Array(bytes.buffer, bytes.byteOffset)[2 + i]!;
    }
  });
}

describe("dequantizeRows", () => {
  test.each(["q4_0", "q4_1", "q5_0", "q5_1", "q8_0"] as const)("%s follows ggml's block", (dtype) => {
    const bytes = randomRows(dtype, 50, 32, 1);
    const size = rowBytes(dtype, 32);
    const decoded = dequantizeRows(bytes, dtype, 50, 32);
    for (let row = 0; row < 50; row++) {
      const expected = blockReference(bytes.slice(row * size, (row + 1) * size), dtype).map(Math.fround);
      // `+ 0`: the sign of a zero is free.
      expect([...decoded.subarray(row * 32, row * 32 + 32)].map((value) => value + 0)).toEqual(
        expected.map((value) => value + 0),
      );
    }
  });

  test("floats of a ragged row", () => {
    const f32 = Float32Array.from({ length: 3 * 37 }, (_, i) => Math.sin(i) * 3);
    expect(dequantizeRows(floatBytes(f32), "f32", 3, 37)).toEqual(f32);
    const bf16 = new Uint8Array(Uint16Array.from(new Uint32Array(f32.buffer), (bits) => bits >>> 16).buffer);
    dequantizeRows(bf16, "bf16", 3, 37).forEach((value, i) => {
      expect(Math.abs(value - f32[i]!)).toBeLessThanOrEqual(Math.abs(f32[i]!) * 2 ** -7);
    });
    const f16 = new Uint8Array(Uint16Array.from(f32, floatToHalf).buffer);
    expect(dequantizeRows(f16, "f16", 3, 37)).toEqual(Float32Array.from(f32, (value) => half[floatToHalf(value)]!));
  });

  test.each(GGUF_GOLDENS)("%s stays near the weights it was made from", async (name) => {
    const stored = await openGolden(name);
    const plain = await openGolden("llama-tied");
    const got = await values(stored.weights.layers[0]!.get("down_proj")!);
    const want = await values(plain.weights.layers[0]!.get("down_proj")!);
    const step = { "gguf-f16": 2 ** -11, "gguf-q4_0": 1 / 8, "gguf-q4_1": 1 / 15, "gguf-q5_0": 1 / 16, "gguf-q8_0": 1 / 127 }[
      name
    ]!;
    for (let block = 0; block < want.length; block += 32) {
      const most = Math.max(...want.subarray(block, block + 32).map(Math.abs));
      const error = Math.max(...want.subarray(block, block + 32).map((value, i) => Math.abs(got[block + i]! - value)));
      expect(error).toBeLessThanOrEqual(most * step * 1.01);
    }
  });

  test("a length that does not fit is refused", async () => {
    await refusal(() => dequantizeRows(new Uint8Array(17), "q4_0", 1, 32), "bad-tensor");
    await refusal(() => dequantizeRows(new Uint8Array(18), "q4_0", 1, 33), "bad-tensor");
  });
});

describe("planes hold what the file holds", () => {
  // Below, at and above a tile of 16 rows and a padding of 64 columns.
  const SIZES = [1, 15, 16, 17, 63, 64, 65, 130];
  test.each(DTYPES)("%s in its own format", (dtype) => {
    for (const rows of SIZES) {
      for (const inFeatures of [32, 96]) {
        const bytes = randomRows(dtype, rows, inFeatures, rows);
        const plane = pack(planeFormatFor(dtype), dtype, bytes, rows, inFeatures);
        const expected = dequantizeRows(bytes, dtype, rows, inFeatures);
        const loose = dtype === "bf16" ? 2 ** -24 : 0; // f16 has fewer small values
        expect(
          firstDifference(plane, (n, k) => expected[n * inFeatures + k]!, loose),
          `${rows} rows`,
        ).toBeNull();
      }
    }
  });

  test.each(["q4_0", "q4_1", "q5_0", "q5_1", "q8_0"] as const)("%s in q8, f16 and f32", (dtype) => {
    const bytes = randomRows(dtype, 20, 64, 3);
    const expected = dequantizeRows(bytes, dtype, 20, 64);
    for (const format of ["q8", "f32", "f16"] as const) {
      const plane = pack(format, dtype, bytes, 20, 64);
      const want = (value: number) => (format === "f16" ? half[floatToHalf(value)]! : value);
      expect(
        firstDifference(plane, (n, k) => want(expected[n * 64 + k]!)),
        format,
      ).toBeNull();
    }
  });

  test("f16 bits are copied as they are", () => {
    const bits = Uint16Array.from({ length: 64 }, (_, i) => i * 1021);
    const plane = pack("f16", "f16", new Uint8Array(bits.buffer), 1, 64);
    for (let k = 0; k < 64; k++) expect((plane.data[(k >> 1) * 64]! >>> (16 * (k & 1))) & 0xffff).toBe(bits[k]);
  });

  test("the q4 word: value 8w+j in the low nibble of byte j, 8w+4+j in the high one", () => {
    const floats = Float32Array.from({ length: 32 }, (_, i) => i % 16);
    const plane = pack("q4", "f32", floatBytes(floats), 1, 32);
    expect(plane.scaleData![0]).toBe(floatToHalf(1) | (floatToHalf(0) << 16));
    expect([0, 1, 2, 3].map((w) => plane.data[w * 64]!.toString(16))).toEqual(["73625140", "fbead9c8", "73625140", "fbead9c8"]);
  });

  test("the q8 word: value 4w+j in byte j", () => {
    const floats = Float32Array.from({ length: 32 }, (_, i) => (i === 31 ? 127 : -i));
    const plane = pack("q8", "f32", floatBytes(floats), 1, 32);
    expect(plane.scaleData![0]).toBe(floatToHalf(1));
    expect(plane.data[64]! >>> 0).toBe(0xf9fafbfc);
  });

  test("ragged rows end in zeros", () => {
    for (const dtype of ["f32", "f16", "bf16"] as const) {
      for (const inFeatures of [1, 31, 33, 50]) {
        const bytes = randomRows(dtype, 3, inFeatures, 11);
        const expected = dequantizeRows(bytes, dtype, 3, inFeatures);
        for (const format of ["f16", "f32"] as const) {
          const plane = pack(format, dtype, bytes, 3, inFeatures);
          expect(plane.paddedIn % 32).toBe(0);
          const want = (value: number) => (format === "f16" ? half[floatToHalf(value)]! : value);
          expect(firstDifference(plane, (n, k) => want(expected[n * inFeatures + k]!))).toBeNull();
        }
      }
    }
  });

  test("slices, an offset and an order of rows end in the same plane", () => {
    const rows = 70;
    const inFeatures = 64;
    const bytes = randomRows("q5_1", rows, inFeatures, 5);
    const stride = rowBytes("q5_1", inFeatures);
    const rowOrder = (i: number) => rows - 1 - i;
    const plane = allocatePlane("q8", inFeatures, rows + 10);
    for (let firstRow = 0; firstRow < rows; firstRow += 23) {
      const count = Math.min(23, rows - firstRow);
      // A slice that is not aligned in its buffer, as a range of a download may be.
      const shifted = new Uint8Array(count * stride + 1);
      shifted.set(bytes.subarray(firstRow * stride, (firstRow + count) * stride), 1);
      packRows(plane, { column: 10, bytes: shifted.subarray(1), dtype: "q5_1", rows: count, inFeatures, firstRow, rowOrder });
    }
    const expected = dequantizeRows(bytes, "q5_1", rows, inFeatures);
    const want = (n: number, k: number) => (n < 10 ? 0 : expected[rowOrder(n - 10) * inFeatures + k]!);
    expect(firstDifference(plane, want)).toBeNull();
  });

  test("a golden's matrices, whole", async () => {
    for (const name of GGUF_GOLDENS) {
      const { weights } = await openGolden(name);
      for (const tensor of [weights.global.get("embed_tokens")!, weights.layers[2]!.get("down_proj")!]) {
        const [rows, inFeatures] = tensor.shape as [number, number];
        const bytes = await tensor.source.read(tensor.start, tensor.end);
        const plane = pack(planeFormatFor(tensor.dtype), tensor.dtype, bytes, rows, inFeatures);
        const expected = await values(tensor);
        expect(
          firstDifference(plane, (n, k) => expected[n * inFeatures + k]!),
          `${name}: ${tensor.name}`,
        ).toBeNull();
      }
    }
  });
});

describe("quantization of floats", () => {
  const block = fc
    .tuple(
      fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 32, maxLength: 32 }),
      fc.integer({ min: -10, max: 10 }),
    )
    .map(([list, exponent]) => Float32Array.from(list, (value) => value * 2 ** exponent));
  const ulp = (value: number) => Math.max(Math.abs(value) * 2 ** -11, 2 ** -25);

  test("q8 errs by half a step and the rounding of the scale", () => {
    fc.assert(
      fc.property(block, (floats) => {
        const plane = pack("q8", "f32", floatBytes(floats), 1, 32);
        const most = Math.max(...floats.map(Math.abs));
        const bound = 0.5 * (most / 127 + ulp(most / 127)) + 127 * ulp(most / 127);
        for (let k = 0; k < 32; k++) expect(Math.abs(planeValue(plane, 0, k) - floats[k]!)).toBeLessThanOrEqual(bound);
      }),
      { numRuns: 500 },
    );
  });

  test("q4 errs by half a step and the rounding of scale and minimum", () => {
    fc.assert(
      fc.property(block, (floats) => {
        const plane = pack("q4", "f32", floatBytes(floats), 1, 32);
        const least = Math.min(...floats);
        const step = (Math.max(...floats) - least) / 15;
        const bound = 0.5 * (step + ulp(step)) + 15 * ulp(step) + ulp(least);
        for (let k = 0; k < 32; k++)
          expect(Math.abs(planeValue(plane, 0, k) - floats[k]!)).toBeLessThanOrEqual(bound * (1 + 1e-6));
      }),
      { numRuns: 500 },
    );
  });

  test("blocks of one value, and of zeros, are exact", () => {
    for (const value of [0, 0.5, -2]) {
      const floats = new Float32Array(32).fill(value);
      for (const format of FORMATS) {
        if (format === "q8" && value !== 0) continue; // a scale of value/127 rounds
        expect(planeValue(pack(format, "f32", floatBytes(floats), 1, 32), 0, 5)).toBe(value);
      }
    }
  });

  test.each([-1e5, Number.POSITIVE_INFINITY, Number.NaN])("%d does not fit f16", async (value) => {
    const floats = new Float32Array(32);
    floats[7] = value;
    for (const format of ["f16", "q4"] as const)
      await refusal(() => pack(format, "f32", floatBytes(floats), 1, 32), "bad-tensor");
    if (!Number.isFinite(value)) await refusal(() => pack("q8", "f32", floatBytes(floats), 1, 32), "bad-tensor");
    const plane = pack("f32", "f32", floatBytes(floats), 1, 32);
    expect(planeValue(plane, 0, 7)).toBe(Math.fround(value));
    expect(maxAbs(floatBytes(floats), "f32")).toBe(Math.abs(Math.fround(value)));
  });

  test("a damaged block scale is refused", async () => {
    const bytes = new Uint8Array(18);
    bytes[1] = 0x7c; // infinity
    await refusal(() => pack("q4", "q4_0", bytes, 1, 32), "bad-tensor");
  });
});

describe("shapes", () => {
  test("padding and bytes", () => {
    const q4 = planeShape("q4", 576, 192);
    expect(q4).toMatchObject({
      paddedIn: 576,
      paddedOut: 192,
      wordRows: 72,
      words: 72 * 192,
      scales: 18 * 192,
      bytes: 4 * 90 * 192,
    });
    expect(planeShape("q8", 64, 65)).toMatchObject({ paddedOut: 128, words: 16 * 128, scales: 2 * 128 });
    expect(planeShape("f16", 33, 1)).toMatchObject({ paddedIn: 64, paddedOut: 64, words: 32 * 64, scales: 0 });
    expect(planeShape("f32", 33, 1).words).toBe(64 * 64);
    expect(allocatePlane("f16", 32, 1).scaleData).toBeNull();
  });

  test("a ragged K cannot be quantized, with advice", async () => {
    expect(await refusal(() => planeShape("q4", 575, 8), "bad-tensor")).toBe(
      'K=575 must be a multiple of 32 (q4 block); load with quantize: "f16"',
    );
  });

  test("formats by dtype", () => {
    expect(DTYPES.map((dtype) => planeFormatFor(dtype))).toEqual(["f32", "f16", "f16", "q4", "q4", "q8", "q8", "q8"]);
    expect(DTYPES.map((dtype) => planeFormatFor(dtype, "q4"))).toEqual(["q4", "q4", "q4", "q4", "q4", "q8", "q8", "q8"]);
  });

  test("rows that do not fit the plane are refused", async () => {
    const plane = allocatePlane("f32", 32, 2);
    const bytes = new Uint8Array(256);
    const base = { column: 0, bytes, dtype: "f32" as const, rows: 2, inFeatures: 32 };
    packRows(plane, base);
    await refusal(() => packRows(plane, { ...base, column: 1 }), "bad-tensor");
    await refusal(() => packRows(plane, { ...base, rows: 1 }), "bad-tensor");
    await refusal(() => packRows(plane, { ...base, rows: 1, inFeatures: 64 }), "bad-tensor");
    await refusal(() => packRows(plane, { ...base, rowOrder: () => -1 }), "bad-tensor");
  });

  test("maxAbs", () => {
    expect(maxAbs(floatBytes(Float32Array.of(1, -7, 3)), "f32")).toBe(7);
    expect(maxAbs(new Uint8Array(0), "f16")).toBe(0);
    const golden = readSafetensors(goldenBytes("llama-tied/model.safetensors")).get("model.embed_tokens.weight")!;
    const floats = golden.data as Float32Array;
    expect(maxAbs(floatBytes(floats), "f32")).toBe(floats.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  });
});
