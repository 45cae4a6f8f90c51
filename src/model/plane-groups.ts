/** Groups of 32 stored values into the words of a plane: exact where the formats agree, rounded where they do not. */
import { ensure } from "../errors";
import { DECODERS, GROUP } from "../formats/dequantize";
import { floatToHalf, HALF_MAX, halfValues } from "../formats/float16";
import type { StoredDtype } from "../formats/tensor";
import type { WeightFormat } from "../kernels/weight";

/** Element format of a plane, as the kernels read it. q4: 0..15, affine; q8: int8, affine. */
export type PlaneFormat = WeightFormat;

/** Arrays of a plane; `stride` is the distance between two rows of words, and of scales. */
export interface GroupTarget {
  readonly data: Uint32Array;
  readonly scales: Uint32Array | null;
  readonly stride: number;
}

/**
 * Packs `count` values (32, or fewer at a ragged end) from byte `at` of `view`:
 * words go to `data[wordAt + i · stride]`, the scale to `scales[scaleAt]`.
 */
export type GroupPacker = (
  view: DataView,
  at: number,
  count: number,
  target: GroupTarget,
  wordAt: number,
  scaleAt: number,
) => void;

/** Four nibbles, one to a byte. */
const NIBBLES = 0x0f0f0f0f;
const half = halfValues();
const floats = new Float32Array(GROUP);
const floatWords = new Uint32Array(floats.buffer);
const quanta = new Int8Array(GROUP);
const quantumWords = new Uint32Array(quanta.buffer);

/** The packer from a stored type into a plane's format. */
export function packerFor(dtype: StoredDtype, format: PlaneFormat): GroupPacker {
  const direct = DIRECT[`${dtype}>${format}`];
  if (direct) return direct;
  const decode = DECODERS[dtype];
  const encode = ENCODERS[format];
  return (view, at, count, target, wordAt, scaleAt) => {
    if (count < GROUP) floats.fill(0);
    decode(view, at, floats, 0, count);
    encode(target, wordAt, scaleAt);
  };
}

/** Scale and minimum as one word. Throws `bad-tensor` when one is not finite: the file is damaged. */
function scaleWord(scale: number, minimum: number): number {
  const finite = (scale & 0x7c00) !== 0x7c00 && (minimum & 0x7c00) !== 0x7c00;
  ensure(finite, "bad-tensor", "a block's scale or minimum is not finite; the file is damaged, download it again");
  return (scale | (minimum << 16)) >>> 0;
}

/** The file's first 16 nibbles are the low ones of its 16 bytes, the other 16 the high ones. */
function packNibbles(view: DataView, at: number, target: GroupTarget, wordAt: number): void {
  const { data, stride } = target;
  const a = view.getUint32(at, true);
  const b = view.getUint32(at + 4, true);
  const c = view.getUint32(at + 8, true);
  const d = view.getUint32(at + 12, true);
  data[wordAt] = (a & NIBBLES) | ((b & NIBBLES) << 4);
  data[wordAt + stride] = (c & NIBBLES) | ((d & NIBBLES) << 4);
  data[wordAt + 2 * stride] = ((a >>> 4) & NIBBLES) | (b & ~NIBBLES);
  data[wordAt + 3 * stride] = ((c >>> 4) & NIBBLES) | (d & ~NIBBLES);
}

function readNibbles(view: DataView, at: number): void {
  for (let j = 0; j < 16; j++) {
    const byte = view.getUint8(at + j);
    quanta[j] = byte & 15;
    quanta[16 + j] = byte >> 4;
  }
}

function readFiveBits(view: DataView, at: number, offset: number): void {
  const high = view.getUint32(at, true);
  for (let j = 0; j < 16; j++) {
    const byte = view.getUint8(at + 4 + j);
    quanta[j] = ((byte & 15) | (((high >>> j) & 1) << 4)) - offset;
    quanta[16 + j] = ((byte >> 4) | (((high >>> (16 + j)) & 1) << 4)) - offset;
  }
}

function writeQuanta({ data, stride }: GroupTarget, wordAt: number): void {
  for (let i = 0; i < 8; i++) data[wordAt + i * stride] = quantumWords[i]!;
}

/** Minimum −8·scale of q4_0 in f16: exact, as it is a power of two. */
function minimumOfQ4(scale: number): number {
  return floatToHalf(-8 * half[scale]!);
}

/** Pairs whose values come out exactly, without a detour over f32. */
const DIRECT: Readonly<Record<string, GroupPacker>> = {
  "q4_0>q4"(view, at, _count, target, wordAt, scaleAt) {
    const scale = view.getUint16(at, true);
    target.scales![scaleAt] = scaleWord(scale, minimumOfQ4(scale));
    packNibbles(view, at + 2, target, wordAt);
  },
  "q4_1>q4"(view, at, _count, target, wordAt, scaleAt) {
    target.scales![scaleAt] = scaleWord(view.getUint16(at, true), view.getUint16(at + 2, true));
    packNibbles(view, at + 4, target, wordAt);
  },
  "q4_0>q8"(view, at, _count, target, wordAt, scaleAt) {
    const scale = view.getUint16(at, true);
    target.scales![scaleAt] = scaleWord(scale, minimumOfQ4(scale));
    readNibbles(view, at + 2);
    writeQuanta(target, wordAt);
  },
  "q4_1>q8"(view, at, _count, target, wordAt, scaleAt) {
    target.scales![scaleAt] = scaleWord(view.getUint16(at, true), view.getUint16(at + 2, true));
    readNibbles(view, at + 4);
    writeQuanta(target, wordAt);
  },
  "q5_0>q8"(view, at, _count, target, wordAt, scaleAt) {
    target.scales![scaleAt] = scaleWord(view.getUint16(at, true), 0);
    readFiveBits(view, at + 2, 16);
    writeQuanta(target, wordAt);
  },
  "q5_1>q8"(view, at, _count, target, wordAt, scaleAt) {
    target.scales![scaleAt] = scaleWord(view.getUint16(at, true), view.getUint16(at + 2, true));
    readFiveBits(view, at + 4, 0);
    writeQuanta(target, wordAt);
  },
  "q8_0>q8"(view, at, _count, target, wordAt, scaleAt) {
    const { data, stride } = target;
    target.scales![scaleAt] = scaleWord(view.getUint16(at, true), 0);
    for (let i = 0; i < 8; i++) data[wordAt + i * stride] = view.getUint32(at + 2 + 4 * i, true);
  },
  "f16>f16"(view, at, count, { data, stride }, wordAt) {
    const pairs = count >> 1;
    for (let i = 0; i < pairs; i++) data[wordAt + i * stride] = view.getUint32(at + 4 * i, true);
    if (count & 1) data[wordAt + pairs * stride] = view.getUint16(at + 4 * pairs, true);
  },
};

function toHalf(value: number): number {
  const fits = Math.abs(value) <= HALF_MAX;
  ensure(fits, "bad-tensor", () => `the value ${value} does not fit f16 (largest ${HALF_MAX}); load with quantize: "f32"`);
  return floatToHalf(value);
}

/** From `floats`, 32 of them, to the words of a plane. */
const ENCODERS: Readonly<Record<PlaneFormat, (target: GroupTarget, wordAt: number, scaleAt: number) => void>> = {
  f32({ data, stride }, wordAt) {
    for (let i = 0; i < GROUP; i++) data[wordAt + i * stride] = floatWords[i]!;
  },
  f16({ data, stride }, wordAt) {
    for (let i = 0; i < GROUP / 2; i++) {
      data[wordAt + i * stride] = toHalf(floats[2 * i]!) | (toHalf(floats[2 * i + 1]!) << 16);
    }
  },
  q8(target, wordAt, scaleAt) {
    requireFinite();
    let most = 0;
    for (let i = 0; i < GROUP; i++) most = Math.max(most, Math.abs(floats[i]!));
    const scale = toHalf(most / 127);
    const step = half[scale]!;
    const inverse = step > 0 ? 1 / step : 0;
    for (let i = 0; i < GROUP; i++) quanta[i] = Math.max(-127, Math.min(127, Math.round(floats[i]! * inverse)));
    target.scales![scaleAt] = scale;
    writeQuanta(target, wordAt);
  },
  q4(target, wordAt, scaleAt) {
    requireFinite();
    let least = floats[0]!;
    let most = least;
    for (let i = 1; i < GROUP; i++) {
      const value = floats[i]!;
      if (value < least) least = value;
      if (value > most) most = value;
    }
    const minimum = toHalf(least);
    const scale = toHalf((most - least) / 15);
    const base = half[minimum]!;
    const step = half[scale]!;
    const inverse = step > 0 ? 1 / step : 0;
    // Against the rounded scale and minimum, which are what the kernels see.
    for (let i = 0; i < GROUP; i++) quanta[i] = Math.max(0, Math.min(15, Math.round((floats[i]! - base) * inverse)));
    target.scales![scaleAt] = (scale | (minimum << 16)) >>> 0;
    for (let i = 0; i < 4; i++) {
      target.data[wordAt + i * target.stride] = quantumWords[2 * i]! | (quantumWords[2 * i + 1]! << 4);
    }
  },
};

function requireFinite(): void {
  let check = 0;
  for (let i = 0; i < GROUP; i++) check += floats[i]! * 0;
  ensure(check === 0, "bad-tensor", "a weight is NaN or infinite and cannot be quantized; the file is damaged");
}
