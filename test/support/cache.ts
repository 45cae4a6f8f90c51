/** Dense queries, keys and values to and from the layouts of the cache kernels: packs of four pairs, keys by dimension, values by slot, in every format. */
import { floatToHalf, halfValues } from "../../src/formats/float16";
import { type AttentionShape, cacheSideBytes } from "../../src/kernels/attention";

type Floats = Float32Array<ArrayBuffer>;
type Words = Floats | Uint32Array<ArrayBuffer>;

/** Where the query kernel layout [K, PACKS, E, 4] holds a value of row `t`. */
export function queryIndex(shape: AttentionShape, t: number, head: number, dim: number): number {
  const group = shape.numAttentionHeads / shape.numKeyValueHeads;
  const pair = t * group + (head % group);
  return ((Math.floor(head / group) * shape.packs + Math.floor(pair / 4)) * shape.headDim + dim) * 4 + (pair % 4);
}

/** Keys [K, E, SLOTS]. */
export const keyIndex = (shape: AttentionShape, slot: number, head: number, dim: number): number =>
  (head * shape.headDim + dim) * shape.slots + slot;

/** Values [K, SLOTS, E]. */
export const valueIndex = (shape: AttentionShape, slot: number, head: number, dim: number): number =>
  (head * shape.slots + slot) * shape.headDim + dim;

/** An array filled with `rest`, and with `dense` [T, heads, E] where `indexOf` says. */
export function scatter(
  length: number,
  rest: number,
  { dense, heads, headDim }: { dense: Floats; heads: number; headDim: number },
  indexOf: (t: number, head: number, dim: number) => number,
): Floats {
  const output = new Float32Array(length).fill(rest);
  dense.forEach((value, i) => {
    output[indexOf(Math.floor(i / (heads * headDim)), Math.floor(i / headDim) % heads, i % headDim)] = value;
  });
  return output;
}

export type Side = "keys" | "values";

/** Where a packed cache holds numbers: words of two (f16) or four (q8), and the scale of a q8 word. */
function placesOf(shape: AttentionShape, side: Side) {
  const { numKeyValueHeads, headDim, slots } = shape;
  const half = headDim / 2;
  const quads = Math.ceil(half / 2);
  const blocks = Math.ceil(quads / 8);
  const at = (head: number, unit: number, units: number, slot: number): number =>
    side === "keys" ? (head * units + unit) * slots + slot : (head * slots + slot) * units + unit;
  return {
    half,
    quads,
    f16: (head: number, i: number, slot: number) => at(head, i, half, slot),
    q8: (head: number, j: number, slot: number) => at(head, j, quads, slot),
    scale: (head: number, j: number, slot: number) =>
      numKeyValueHeads * quads * slots + at(head, Math.floor(j / 8), blocks, slot),
  };
}

/** Dimensions of word j of eight bits, lowest byte first; the last word of an odd half has two. */
const dimsOf = (j: number, half: number): readonly (number | null)[] => {
  const second = 2 * j + 1 < half ? 2 * j + 1 : null;
  return [2 * j, second, 2 * j + half, second === null ? null : second + half];
};

/** A cache filled with what nobody may see, and with `dense` [slots, K, E] as the format holds it. */
export function packCache(shape: AttentionShape, side: Side, dense: Floats): Words {
  const { numKeyValueHeads: heads, headDim, cache = "f32", slots } = shape;
  const GARBAGE = 1e30;
  if (cache === "f32") {
    const index = side === "keys" ? keyIndex : valueIndex;
    return scatter(heads * headDim * slots, GARBAGE, { dense, heads, headDim }, (s, h, i) => index(shape, s, h, i));
  }
  const words = new Uint32Array(cacheSideBytes(shape, slots) / 4).fill(cache === "f16" ? 0x7bff7bff : 0x7149f2ca);
  const floats = new Float32Array(words.buffer);
  const { half, quads, ...place } = placesOf(shape, side);
  for (let slot = 0; slot < dense.length / (heads * headDim); slot++) {
    for (let head = 0; head < heads; head++) {
      const of = (dim: number | null): number => (dim === null ? 0 : dense[(slot * heads + head) * headDim + dim]!);
      const clamped = (dim: number): number => floatToHalf(Math.max(-65504, Math.min(65504, of(dim))));
      for (let i = 0; cache === "f16" && i < half; i++) words[place.f16(head, i, slot)] = clamped(i) | (clamped(i + half) << 16);
      for (let j = 0; cache === "q8" && j < quads; j++) {
        const block = Array.from({ length: Math.min(8, quads - 8 * Math.floor(j / 8)) }, (_, k) => 8 * Math.floor(j / 8) + k);
        const peak = Math.max(...block.flatMap((k) => dimsOf(k, half).map((dim) => Math.abs(of(dim)))));
        const bytes = dimsOf(j, half).map((dim) => Math.round(peak === 0 ? 0 : (of(dim) * 127) / peak) & 255);
        words[place.q8(head, j, slot)] = bytes.reduce((word, byte, k) => word | (byte << (8 * k)), 0);
        floats[place.scale(head, j, slot)] = peak / 127;
      }
    }
  }
  return words;
}

/** What `count` slots of a packed cache say, dense [count, K, E]. */
export function unpackCache(shape: AttentionShape, side: Side, stored: Words, count: number): Floats {
  const { numKeyValueHeads: heads, headDim, cache = "f32" } = shape;
  const words = new Uint32Array(stored.buffer);
  const floats = new Float32Array(stored.buffer);
  const { half, quads, ...place } = placesOf(shape, side);
  const dense = new Float32Array(count * heads * headDim);
  for (let slot = 0; slot < count; slot++) {
    for (let head = 0; head < heads; head++) {
      const put = (dim: number, value: number): void => {
        dense[(slot * heads + head) * headDim + dim] = value;
      };
      const index = side === "keys" ? keyIndex : valueIndex;
      for (let dim = 0; cache === "f32" && dim < headDim; dim++) put(dim, floats[index(shape, slot, head, dim)]!);
      for (let i = 0; cache === "f16" && i < half; i++) {
        const word = words[place.f16(head, i, slot)]!;
        put(i, halfValues()[word & 0xffff]!);
        put(i + half, halfValues()[word >>> 16]!);
      }
      for (let j = 0; cache === "q8" && j < quads; j++) {
        const word = words[place.q8(head, j, slot)]!;
        dimsOf(j, half).forEach((dim, k) => {
          if (dim !== null) put(dim, ((word << (24 - 8 * k)) >> 24) * floats[place.scale(head, j, slot)]!);
        });
      }
    }
  }
  return dense;
}
