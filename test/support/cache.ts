/** Dense queries, keys and values to and from the layouts of the cache kernels: packs of four pairs, keys by dimension, values by slot. */
import type { AttentionShape } from "../../src/kernels/layer";

type Floats = Float32Array<ArrayBuffer>;

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
