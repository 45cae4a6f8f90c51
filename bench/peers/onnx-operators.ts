/** The operators that are compared, each as a graph of one node. It knows no runtime. */
import type { OnnxGraph, OnnxInitializer, OnnxNode, OnnxValue } from "./onnx";

const MICROSOFT = "com.microsoft";
const floats = (name: string, ...dims: number[]): OnnxValue => ({ name, type: "float32", dims });

interface Operator {
  readonly node: OnnxNode;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers?: readonly OnnxInitializer[];
}

const graphOf = ({ node, inputs, outputs, initializers = [] }: Operator): OnnxGraph => ({
  name: node.operator,
  nodes: [node],
  inputs,
  outputs,
  initializers,
});

/** Y [M, N] = X [M, K] · W, `weight` being f32 [K, N]. */
export function matMul(rows: number, inFeatures: number, outFeatures: number, weight: Float32Array<ArrayBuffer>): OnnxGraph {
  return graphOf({
    node: { operator: "MatMul", domain: "", inputs: ["X", "W"], outputs: ["Y"] },
    inputs: [floats("X", rows, inFeatures)],
    outputs: [floats("Y", rows, outFeatures)],
    initializers: [{ ...floats("W", inFeatures, outFeatures), data: weight }],
  });
}

export interface QuantizedProduct {
  readonly rows: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bits: 4 | 8;
  /** `[N, K / 32, 4 · bits]`; four bits: the even input in the low nibble. Zero is 2^(bits − 1). */
  readonly levels: Uint8Array<ArrayBuffer>;
  /** `[N, K / 32]` */
  readonly scales: Float32Array<ArrayBuffer>;
  /** 0: f32 activations; 4: int8 activations. */
  readonly accuracy: 0 | 4;
}

/** Y [M, N] = X [M, K] · dequantised weights in blocks of 32. */
export function matMulNBits(product: QuantizedProduct): OnnxGraph {
  const { rows, inFeatures, outFeatures, bits, levels, scales, accuracy } = product;
  const blocks = inFeatures / 32;
  const attributes = { K: inFeatures, N: outFeatures, bits, block_size: 32, accuracy_level: accuracy };
  return graphOf({
    node: {
      operator: "MatMulNBits",
      domain: MICROSOFT,
      inputs: ["X", "Q", "S"],
      outputs: ["Y"],
      attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, { int: value }])),
    },
    inputs: [floats("X", rows, inFeatures)],
    outputs: [floats("Y", rows, outFeatures)],
    initializers: [
      { name: "Q", type: "uint8", dims: [outFeatures, blocks, 4 * bits], data: levels },
      { name: "S", type: "float32", dims: [outFeatures * blocks], data: scales },
    ],
  });
}

export interface AttentionSizes {
  /** Query rows T. */
  readonly rows: number;
  /** Keys, the rows' own included. */
  readonly keys: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/**
 * Causal attention of the last `rows` of `keys` places. What came before lies in pastK and pastV [1, K, keys − rows, E], which are copied into presentK
 * and presentV; or, with `slots`, all four are [1, K, slots, E], so that a cache may grow in place.
 */
export function groupQueryAttention({ rows, keys, heads, kvHeads, headDim }: AttentionSizes, slots?: number): OnnxGraph {
  const past = slots ?? keys - rows;
  const present = slots ?? keys;
  return graphOf({
    node: {
      operator: "GroupQueryAttention",
      domain: MICROSOFT,
      inputs: ["Q", "K", "V", "pastK", "pastV", "last", "total"],
      outputs: ["Y", "presentK", "presentV"],
      attributes: { num_heads: { int: heads }, kv_num_heads: { int: kvHeads } },
    },
    inputs: [
      floats("Q", 1, rows, heads * headDim),
      floats("K", 1, rows, kvHeads * headDim),
      floats("V", 1, rows, kvHeads * headDim),
      floats("pastK", 1, kvHeads, past, headDim),
      floats("pastV", 1, kvHeads, past, headDim),
    ],
    outputs: [
      floats("Y", 1, rows, heads * headDim),
      floats("presentK", 1, kvHeads, present, headDim),
      floats("presentV", 1, kvHeads, present, headDim),
    ],
    initializers: [
      { name: "last", type: "int32", dims: [1], data: Int32Array.of(keys - 1) },
      { name: "total", type: "int32", dims: [], data: Int32Array.of(keys) },
    ],
  });
}

/** Bidirectional attention: every query sees every key. Q, K and V are [1, rows or keys, H · E]. */
export function multiHeadAttention({ rows, keys, heads, headDim }: Omit<AttentionSizes, "kvHeads">): OnnxGraph {
  const width = heads * headDim;
  return graphOf({
    node: {
      operator: "MultiHeadAttention",
      domain: MICROSOFT,
      inputs: ["Q", "K", "V"],
      outputs: ["Y"],
      attributes: { num_heads: { int: heads } },
    },
    inputs: [floats("Q", 1, rows, width), floats("K", 1, keys, width), floats("V", 1, keys, width)],
    outputs: [floats("Y", 1, rows, width)],
  });
}

/** Root-mean-square norm of X [M, D] with a gain [D]. */
export function rmsNorm(rows: number, size: number, gain: Float32Array<ArrayBuffer>, epsilon: number): OnnxGraph {
  return graphOf({
    node: {
      operator: "SimplifiedLayerNormalization",
      domain: "",
      inputs: ["X", "gain"],
      outputs: ["Y"],
      attributes: { axis: { int: -1 }, epsilon: { float: epsilon } },
    },
    inputs: [floats("X", rows, size)],
    outputs: [floats("Y", rows, size)],
    initializers: [{ ...floats("gain", size), data: gain }],
  });
}

/** Mean and variance norm of X [M, D] with a gain [D]: another formula, for comparison of its time alone. */
export function layerNorm(rows: number, size: number, gain: Float32Array<ArrayBuffer>, epsilon: number): OnnxGraph {
  return graphOf({
    node: {
      operator: "LayerNormalization",
      domain: "",
      inputs: ["X", "gain"],
      outputs: ["Y"],
      attributes: { axis: { int: -1 }, epsilon: { float: epsilon } },
    },
    inputs: [floats("X", rows, size)],
    outputs: [floats("Y", rows, size)],
    initializers: [{ ...floats("gain", size), data: gain }],
  });
}
