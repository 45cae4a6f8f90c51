/** Stored elements into f32, a block of up to 32 values at a time. It knows the element types, not what the values are for. */
import { ensure } from "../errors";
import { halfValues } from "./float16";
import { BLOCK, rowBytes, type StoredDtype } from "./tensor";

/** Values that one call of a decoder writes: a ggml block, or as many plain numbers. */
export const GROUP = 32;

/** Writes `count` values (32 for `q*`) from byte `at` of `view` to `out` from `to`. */
export type GroupDecoder = (view: DataView, at: number, out: Float32Array, to: number, count: number) => void;

const half = halfValues();

function decodeQ4(view: DataView, at: number, scale: number, minimum: number, out: Float32Array, to: number): void {
  for (let j = 0; j < 16; j++) {
    const byte = view.getUint8(at + j);
    out[to + j] = scale * (byte & 15) + minimum;
    out[to + 16 + j] = scale * (byte >> 4) + minimum;
  }
}

function decodeQ5(view: DataView, at: number, scale: number, minimum: number, out: Float32Array, to: number): void {
  const high = view.getUint32(at, true);
  for (let j = 0; j < 16; j++) {
    const byte = view.getUint8(at + 4 + j);
    out[to + j] = scale * ((byte & 15) | (((high >>> j) & 1) << 4)) + minimum;
    out[to + 16 + j] = scale * ((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) + minimum;
  }
}

/** By element type. Products of scale and quantum are exact in f64; storing to `out` rounds once to f32. */
export const DECODERS: Readonly<Record<StoredDtype, GroupDecoder>> = {
  f32(view, at, out, to, count) {
    for (let i = 0; i < count; i++) out[to + i] = view.getFloat32(at + 4 * i, true);
  },
  f16(view, at, out, to, count) {
    for (let i = 0; i < count; i++) out[to + i] = half[view.getUint16(at + 2 * i, true)]!;
  },
  bf16(view, at, out, to, count) {
    BF16_BITS.fill(0);
    for (let i = 0; i < count; i++) BF16_BITS[i] = view.getUint16(at + 2 * i, true) << 16;
    out.set(count === GROUP ? BF16_VALUES : BF16_VALUES.subarray(0, count), to);
  },
  q4_0(view, at, out, to) {
    const scale = half[view.getUint16(at, true)]!;
    decodeQ4(view, at + 2, scale, -8 * scale, out, to);
  },
  q4_1(view, at, out, to) {
    decodeQ4(view, at + 4, half[view.getUint16(at, true)]!, half[view.getUint16(at + 2, true)]!, out, to);
  },
  q5_0(view, at, out, to) {
    const scale = half[view.getUint16(at, true)]!;
    decodeQ5(view, at + 2, scale, -16 * scale, out, to);
  },
  q5_1(view, at, out, to) {
    decodeQ5(view, at + 4, half[view.getUint16(at, true)]!, half[view.getUint16(at + 2, true)]!, out, to);
  },
  q8_0(view, at, out, to) {
    const scale = half[view.getUint16(at, true)]!;
    for (let j = 0; j < 32; j++) out[to + j] = scale * view.getInt8(at + 2 + j);
  },
};

const BF16_BITS = new Uint32Array(GROUP);
const BF16_VALUES = new Float32Array(BF16_BITS.buffer);

/**
 * Decodes `rows` whole stored rows of `columns` values to f32, row-major `[rows, columns]`.
 * Throws `bad-tensor` when `bytes` is not that long or a row is no whole number of blocks.
 */
export function dequantizeRows(bytes: Uint8Array, dtype: StoredDtype, rows: number, columns: number): Float32Array {
  checkRows(bytes, dtype, rows, columns);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decode = DECODERS[dtype];
  const stride = rowBytes(dtype, columns);
  const out = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < columns; k += GROUP) {
      decode(view, row * stride + rowBytes(dtype, k), out, row * columns + k, Math.min(GROUP, columns - k));
    }
  }
  return out;
}

/** Throws `bad-tensor` unless `bytes` holds exactly `rows` rows of `columns` values of `dtype`. */
export function checkRows(bytes: Uint8Array, dtype: StoredDtype, rows: number, columns: number): void {
  const { elements } = BLOCK[dtype];
  ensure(columns % elements === 0, "bad-tensor", () => `${dtype}: a row of ${columns} values is no multiple of ${elements}`);
  const expected = rows * rowBytes(dtype, columns);
  ensure(
    bytes.byteLength === expected,
    "bad-tensor",
    () => `${dtype}: ${rows} rows of ${columns} values take ${expected} bytes, got ${bytes.byteLength}`,
  );
}

/** Largest magnitude among whole blocks of `dtype`; NaN when a value is NaN. 0 for no bytes. */
export function maxAbs(bytes: Uint8Array, dtype: StoredDtype): number {
  const { elements, bytes: blockBytes } = BLOCK[dtype];
  const count = (bytes.byteLength / blockBytes) * elements;
  ensure(Number.isInteger(count), "bad-tensor", `${dtype}: ${bytes.byteLength} bytes are no whole blocks of ${blockBytes}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decode = DECODERS[dtype];
  const group = new Float32Array(GROUP);
  let most = 0;
  for (let k = 0; k < count; k += GROUP) {
    const length = Math.min(GROUP, count - k);
    decode(view, rowBytes(dtype, k), group, 0, length);
    for (let i = 0; i < length; i++) {
      const magnitude = Math.abs(group[i]!);
      if (!(magnitude <= most)) most = magnitude;
      if (Number.isNaN(most)) return most;
    }
  }
  return most;
}
