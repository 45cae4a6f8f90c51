/** Stored rows into planes: a linear layer's weight as the GPU reads it. CPU work; it knows neither devices nor roles. */
import { ensure, RidgepointError } from "../errors";
import { checkRows, GROUP } from "../formats/dequantize";
import { halfValues } from "../formats/float16";
import { BLOCK, rowBytes, type StoredDtype } from "../formats/tensor";
import { type PlaneFormat, packerFor } from "./plane-groups";

export { dequantizeRows, maxAbs } from "../formats/dequantize";
export type { PlaneFormat };

/** Columns are padded to a multiple of it, so that a workgroup's tile needs no bounds check. */
export const COLUMN_MULTIPLE = 64;
/** Values that share a scale, and the multiple that `K` is padded to. */
export const BLOCK_LENGTH = GROUP;

/** Weight values in one u32 word. */
export const VALUES_PER_WORD: Readonly<Record<PlaneFormat, number>> = { q4: 8, q8: 4, f16: 2, f32: 1 };

export interface PlaneShape {
  readonly format: PlaneFormat;
  /** As the model has them. */
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** `K`: inFeatures padded to a multiple of 32. */
  readonly paddedIn: number;
  /** `N`: outFeatures padded to a multiple of 64. */
  readonly paddedOut: number;
  /** Rows of `words`: `K / VALUES_PER_WORD`. */
  readonly wordRows: number;
  /** Lengths in u32; `scales` is 0 for f16 and f32. */
  readonly words: number;
  readonly scales: number;
  /** Of words and scales together. */
  readonly bytes: number;
}

/**
 * The weight of a linear layer, transposed: neighbouring invocations read neighbouring output columns.
 *
 * `words` is `[wordRows, N]`. q4: byte j of word w holds value k=8w+j in its low and k=8w+4+j in its high nibble, 0..15;
 * q8: byte j is k=4w+j as int8; f16: the low half is the even k; f32: the bits.
 * `scales` is `[K/32, N]`: f16 scale in the low half, f16 minimum in the high half; value = scale · q + minimum.
 * Padding decodes to exactly 0.
 */
export interface Plane extends PlaneShape {
  readonly data: Uint32Array;
  readonly scaleData: Uint32Array | null;
}

/**
 * The format that `dtype` is kept in. `quantize` applies to f32, f16 and bf16; ggml's blocks stay as they are:
 * q4_0, q4_1 → q4; q5_0, q5_1, q8_0 → q8. bf16 → f16 holds only up to 65504: compare `maxAbs`, else take f32.
 */
export function planeFormatFor(dtype: StoredDtype, quantize?: PlaneFormat): PlaneFormat {
  if (dtype === "q4_0" || dtype === "q4_1") return "q4";
  if (dtype === "q5_0" || dtype === "q5_1" || dtype === "q8_0") return "q8";
  return quantize ?? (dtype === "f32" ? "f32" : "f16");
}

/**
 * Sizes of a plane of `inFeatures` × `outFeatures`.
 * Throws `bad-tensor` when a q4 or q8 plane's `inFeatures` is no multiple of 32.
 */
export function planeShape(format: PlaneFormat, inFeatures: number, outFeatures: number): PlaneShape {
  const quantized = format === "q4" || format === "q8";
  const advice = `K=${inFeatures} must be a multiple of ${BLOCK_LENGTH} (${format} block); load with quantize: "f16"`;
  ensure(!quantized || inFeatures % BLOCK_LENGTH === 0, "bad-tensor", advice);
  const paddedIn = Math.ceil(inFeatures / BLOCK_LENGTH) * BLOCK_LENGTH;
  const paddedOut = Math.ceil(outFeatures / COLUMN_MULTIPLE) * COLUMN_MULTIPLE;
  const wordRows = paddedIn / VALUES_PER_WORD[format];
  const words = wordRows * paddedOut;
  const scales = quantized ? (paddedIn / BLOCK_LENGTH) * paddedOut : 0;
  return { format, inFeatures, outFeatures, paddedIn, paddedOut, wordRows, words, scales, bytes: 4 * (words + scales) };
}

/**
 * The most columns of a plane whose words fit so many bytes: a multiple of {@link COLUMN_MULTIPLE}.
 * Throws `out-of-memory` where not even that many fit.
 */
export function columnsWithin(format: PlaneFormat, inFeatures: number, bytes: number): number {
  const least = 4 * planeShape(format, inFeatures, COLUMN_MULTIPLE).words;
  const advice = () =>
    `${COLUMN_MULTIPLE} columns of K=${inFeatures} in ${format} take ${least} bytes, this device binds ${bytes}; use quantize: "q4"`;
  ensure(least <= bytes, "out-of-memory", advice);
  return Math.floor(bytes / least) * COLUMN_MULTIPLE;
}

/** Memory that planes are made in one after another: a new one takes the place of the one before, so that no garbage piles up during a load. */
export class PlaneStore {
  #words = new Uint32Array(0);

  /** Zeroed words; whatever was taken before is overwritten. */
  take(words: number): Uint32Array {
    if (this.#words.length < words) this.#words = new Uint32Array(words);
    return this.#words.subarray(0, words).fill(0);
  }
}

/**
 * Allocates a plane of zeros, which decode to 0. The caller owns it, until it makes the next one in the same `store`.
 * Throws `bad-tensor` as {@link planeShape} does, `out-of-memory` when the arrays cannot be had.
 */
export function allocatePlane(format: PlaneFormat, inFeatures: number, outFeatures: number, store = new PlaneStore()): Plane {
  const shape = planeShape(format, inFeatures, outFeatures);
  try {
    const words = store.take(shape.words + shape.scales);
    return { ...shape, data: words.subarray(0, shape.words), scaleData: shape.scales > 0 ? words.subarray(shape.words) : null };
  } catch (cause) {
    throw new RidgepointError("out-of-memory", `a ${format} plane of ${shape.bytes} bytes could not be allocated`, { cause });
  }
}

export interface PackOptions {
  /** Column of the tensor's row 0: above 0 where several tensors share a plane. */
  readonly column: number;
  /** Whole stored rows, one after another. */
  readonly bytes: Uint8Array;
  readonly dtype: StoredDtype;
  /** Rows in `bytes`. */
  readonly rows: number;
  /** Values of a row; equal to the plane's `inFeatures`. */
  readonly inFeatures: number;
  /** Number, in its tensor, of the first row in `bytes`, where a tensor is packed in slices. Default 0. */
  readonly firstRow?: number;
  /** Row of the output that stored row `i` of the tensor is; default `i`. */
  readonly rowOrder?: (i: number) => number;
}

/** Rows packed together: their words of one row of `data` share a cache line. */
const TILE_ROWS = 16;

/**
 * Packs stored rows: row `i` of the tensor becomes column `column + rowOrder(i)`. Every dtype goes into every format;
 * a ggml block into its own format (`planeFormatFor`) keeps its values exactly, f16 keeps its bits,
 * floats into q8 or q4 are rounded (symmetric absmax/127; affine minimum and maximum over 15).
 * Throws `bad-tensor` for a length or a column that does not fit, and for values that f16 cannot hold (beyond ±65504, NaN).
 */
export function packRows(plane: Plane, options: PackOptions): void {
  const { column, bytes, dtype, rows, inFeatures, firstRow = 0, rowOrder } = options;
  checkRows(bytes, dtype, rows, inFeatures);
  ensure(inFeatures === plane.inFeatures, "bad-tensor", `a row of ${inFeatures} values in a plane of K=${plane.inFeatures}`);
  const columns = new Uint32Array(rows);
  for (let row = 0; row < rows; row++) {
    const at = column + (rowOrder ? rowOrder(firstRow + row) : firstRow + row);
    const fits = Number.isInteger(at) && at >= 0 && at < plane.outFeatures;
    ensure(fits, "bad-tensor", () => `row ${firstRow + row} goes to column ${at} of a plane of ${plane.outFeatures}`);
    columns[row] = at;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pack = packerFor(dtype, plane.format);
  const stride = rowBytes(dtype, inFeatures);
  const groupBytes = (GROUP / BLOCK[dtype].elements) * BLOCK[dtype].bytes;
  const groups = Math.ceil(inFeatures / GROUP);
  const target = { data: plane.data, scales: plane.scaleData, stride: plane.paddedOut };
  const groupRows = GROUP / VALUES_PER_WORD[plane.format];
  for (let tile = 0; tile < rows; tile += TILE_ROWS) {
    const tileEnd = Math.min(tile + TILE_ROWS, rows);
    for (let group = 0; group < groups; group++) {
      const count = Math.min(GROUP, inFeatures - group * GROUP);
      for (let row = tile; row < tileEnd; row++) {
        const n = columns[row]!;
        const wordAt = group * groupRows * plane.paddedOut + n;
        pack(view, row * stride + group * groupBytes, count, target, wordAt, group * plane.paddedOut + n);
      }
    }
  }
}

/** Decodes the value of output column `n` and input `k` (padded ones included), as the kernels do, in f32. A reference, not a fast path. */
export function planeValue(plane: Plane, n: number, k: number): number {
  const perWord = VALUES_PER_WORD[plane.format];
  const word = plane.data[Math.floor(k / perWord) * plane.paddedOut + n]!;
  const half = halfValues();
  if (plane.format === "f32") return new Float32Array(Uint32Array.of(word).buffer)[0]!;
  if (plane.format === "f16") return half[(word >>> (16 * (k % 2))) & 0xffff]!;
  const scales = plane.scaleData![Math.floor(k / BLOCK_LENGTH) * plane.paddedOut + n]!;
  const within = k % 8;
  const quantum =
    plane.format === "q8" ? (word << (24 - 8 * (k % 4))) >> 24 : (word >>> (8 * (within % 4) + (within < 4 ? 0 : 4))) & 15;
  return Math.fround(half[scales & 0xffff]! * quantum + half[scales >>> 16]!);
}

/** Columns after which a plane of gate and up goes from one to the other. */
export const GATED_TURN = 32;

/** Column of gate row `i` in a plane of gate and up by turns; the up of the same row is {@link GATED_TURN} columns further. */
export const gatedColumn = (i: number): number => Math.floor(i / GATED_TURN) * 2 * GATED_TURN + (i % GATED_TURN);

/**
 * Row of the q or k weight in Hugging Face order that row `i` of a GGUF llama or llada file is.
 * The converter stored reshape(heads, 2, headDim/2) → swap → flatten; this undoes it. Pass as `rowOrder`.
 */
export function unpermuteRow(i: number, heads: number, headDim: number): number {
  ensure(i < heads * headDim, "bad-tensor", () => `row ${i} of ${heads} heads of ${headDim}`);
  const head = Math.floor(i / headDim);
  const within = i % headDim;
  return head * headDim + (within % 2) * (headDim / 2) + Math.floor(within / 2);
}
