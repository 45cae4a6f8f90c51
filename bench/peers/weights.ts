/** Random weights that every engine is given in its own layout, so that all compute the same product. */
import { floatToHalf } from "../../src/formats/float16";

/** Weights that share a scale. */
const BLOCK = 32;

export type Floats = Float32Array<ArrayBuffer>;
export type Bytes = Uint8Array<ArrayBuffer>;

/** Uniform random numbers in [−½, ½), the same for the same seed. */
export function uniform(length: number, seed: number): Floats {
  let state = seed >>> 0;
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state / 2 ** 32 - 0.5;
  }
  return values;
}

/** [rows, columns] to [columns, rows]. */
export function transposed(values: Floats, rows: number, columns: number): Floats {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column]!;
  return turned;
}

/** A weight of N outputs in blocks of 32 along its K inputs: value = scale · (level − 2^(bits − 1)). */
export interface QuantizedWeight {
  readonly bits: 4 | 8;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** `[N, K]`, 0 to 2^bits − 1. */
  readonly levels: Bytes;
  /** `[N, K / 32]`, exact in f16. */
  readonly scales: Floats;
}

/** Random levels, and scales of few digits: they, and eight times them, are exact in f16, as ggml's formats need. */
export function quantizedWeight(bits: 4 | 8, inFeatures: number, outFeatures: number, seed: number): QuantizedWeight {
  const count = inFeatures * outFeatures;
  const most = 2 ** bits;
  const levels = new Uint8Array(count);
  uniform(count, seed).forEach((value, i) => {
    levels[i] = Math.floor((value + 0.5) * most);
  });
  const scales = uniform(count / BLOCK, seed + 1).map((value) => (16 + Math.floor((value + 0.5) * 16)) / 16 / (8 * most));
  return { bits, inFeatures, outFeatures, levels, scales };
}

/** What all engines make of one weight. */
export function quantizedValue({ bits, inFeatures, levels, scales }: QuantizedWeight, output: number, input: number): number {
  const at = output * inFeatures + input;
  return scales[Math.floor(at / BLOCK)]! * (levels[at]! - 2 ** (bits - 1));
}

/** MatMulNBits's levels `[N, K / 32, 4 · bits]`: of two inputs in a byte, the even one lies in the low nibble. */
export function onnxLevels({ bits, levels }: QuantizedWeight): Bytes {
  if (bits === 8) return levels;
  return Uint8Array.from({ length: levels.length / 2 }, (_, i) => levels[2 * i]! | (levels[2 * i + 1]! << 4));
}

/** ggml's q4_0 or q8_0 blocks: a f16 scale, then 16 bytes whose low nibbles are the first half, or 32 signed bytes. */
export function ggmlBlocks({ bits, levels, scales }: QuantizedWeight): Bytes {
  const stride = 2 + 4 * bits;
  const bytes = new Uint8Array(scales.length * stride);
  const view = new DataView(bytes.buffer);
  scales.forEach((scale, block) => {
    const to = block * stride;
    const from = block * BLOCK;
    view.setUint16(to, floatToHalf(scale), true);
    if (bits === 8) for (let i = 0; i < BLOCK; i++) view.setInt8(to + 2 + i, levels[from + i]! - 128);
    else for (let i = 0; i < 16; i++) bytes[to + 2 + i] = levels[from + i]! | (levels[from + 16 + i]! << 4);
  });
  return bytes;
}
