/** The bytes of an ONNX model against those that the `onnx` package (1.23) writes for the same graph. */
import { expect, test } from "vitest";
import { type OnnxGraph, onnxModel } from "../../../bench/peers/onnx";

const floats = (name: string, ...dims: number[]) => ({ name, type: "float32", dims }) as const;

/** An optional input left out, attributes negative, of two varint bytes and of floats, a tensor longer than 127 bytes, a scalar. */
const GRAPH: OnnxGraph = {
  name: "tiny",
  nodes: [
    {
      operator: "Some",
      domain: "com.microsoft",
      inputs: ["X", "W", "", "z"],
      outputs: ["Y"],
      attributes: { axis: { int: -1 }, bits: { int: 300 }, epsilon: { float: 1e-5 } },
    },
    { operator: "MatMul", domain: "", inputs: ["Y", "W"], outputs: ["Z"] },
  ],
  inputs: [floats("X", 1, 2)],
  outputs: [floats("Z", 1, 2)],
  initializers: [
    { ...floats("W", 2, 2), data: Float32Array.of(1, -2, 0.5, 4) },
    { name: "z", type: "int32", dims: [], data: Int32Array.of(-3) },
    { name: "Q", type: "uint8", dims: [1, 200], data: Uint8Array.from({ length: 200 }, (_, i) => i) },
  ],
};

/** `make_model(...).SerializeToString()` in hexadecimal, but for the 200 bytes of Q, which lie between the two halves. */
const WRITTEN = [
  "08093aa1030a5a0a01580a01570a000a017a1201592204536f6d652a140a046178697318ffffffffffffffffff01a001022a0c0a046269747318ac02a001",
  "022a110a07657073696c6f6e15acc52737a001013a0d636f6d2e6d6963726f736f66740a110a01590a015712015a22064d61744d756c120474696e792a1b",
  "0802080210014201574a100000803f000000c00000003f000080402a0b100642017a4a04fdffffff2ad501080108c80110024201514ac801",
];
const BEHIND = [
  "5a130a0158120e0a0c080112080a0208010a02080262130a015a120e0a0c080112080a0208010a02080242040a00101142110a0d636f6d2e6d6963726f73",
  "6f66741001",
];

test("the bytes are those of the onnx package", () => {
  const tensor = Buffer.from(Array.from({ length: 200 }, (_, i) => i)).toString("hex");
  expect(Buffer.from(onnxModel(GRAPH)).toString("hex")).toBe([...WRITTEN, tensor, ...BEHIND].join(""));
});

test("a tensor's bytes are those of its view, not of the whole buffer", () => {
  const [first, ...rest] = GRAPH.initializers;
  const view = Float32Array.of(9, 9, 1, -2, 0.5, 4, 9).subarray(2, 6);
  const model = onnxModel({ ...GRAPH, initializers: [{ ...first!, data: view }, ...rest] });
  expect(model).toEqual(onnxModel(GRAPH));
});
