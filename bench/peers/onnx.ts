/**
 * Nodes, weights and shapes into the bytes of an ONNX model: protobuf by hand, because single operators need a dozen fields of onnx.proto.
 * It knows no operator and checks none: the runtime that loads the bytes does.
 */

/** `TensorProto.DataType`. */
const DATA_TYPES = { float32: 1, uint8: 2, int32: 6, int64: 7 } as const;

export type OnnxType = keyof typeof DATA_TYPES;

/** A named tensor that comes in or goes out. */
export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  readonly dims: readonly number[];
}

/** A tensor that is part of the model: little-endian, row-major. */
export interface OnnxInitializer extends OnnxValue {
  readonly data: ArrayBufferView<ArrayBuffer>;
}

/** An attribute's number says what it is: `{ int }` or `{ float }`. */
export type OnnxAttribute = { readonly int: number } | { readonly float: number };

export interface OnnxNode {
  readonly operator: string;
  /** `""` is ONNX's own, `com.microsoft` holds onnxruntime's. */
  readonly domain: string;
  /** An empty name is an optional input that is not given. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly initializers: readonly OnnxInitializer[];
}

const IR_VERSION = 9;
const OPSETS: readonly (readonly [domain: string, version: number])[] = [
  ["", 17],
  ["com.microsoft", 1],
];

/** Protobuf's wire types. */
const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

type Chunks = readonly Uint8Array[];

const utf8 = new TextEncoder();
const lengthOf = (chunks: Chunks): number => chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);

/** Base 128, least significant first; negative numbers as 64-bit two's complement. */
function varint(value: number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const more = rest > 127n;
    bytes.push(Number(rest & 127n) | (more ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

const tag = (field: number, wire: number): Uint8Array => varint(field * 8 + wire);
const int = (field: number, value: number): Chunks => [tag(field, VARINT), varint(value)];
const bytes = (field: number, chunks: Chunks): Chunks => [tag(field, BYTES), varint(lengthOf(chunks)), ...chunks];
const text = (field: number, value: string): Chunks => bytes(field, [utf8.encode(value)]);

function float(field: number, value: number): Chunks {
  const bits = new Uint8Array(4);
  new DataView(bits.buffer).setFloat32(0, value, true);
  return [tag(field, FIXED32), bits];
}

/** `AttributeProto`: its type is 1 for a float, 2 for an int. */
const attribute = (name: string, value: OnnxAttribute): Chunks => [
  ...text(1, name),
  ...("float" in value ? float(2, value.float) : int(3, value.int)),
  ...int(20, "float" in value ? 1 : 2),
];

/** `NodeProto` */
const node = ({ inputs, outputs, operator, domain, attributes = {} }: OnnxNode): Chunks => [
  ...inputs.flatMap((name) => text(1, name)),
  ...outputs.flatMap((name) => text(2, name)),
  ...text(4, operator),
  ...Object.entries(attributes).flatMap(([name, value]) => bytes(5, attribute(name, value))),
  ...(domain === "" ? [] : text(7, domain)),
];

/** `TensorProto` */
const tensor = ({ name, type, dims, data }: OnnxInitializer): Chunks => [
  ...dims.flatMap((size) => int(1, size)),
  ...int(2, DATA_TYPES[type]),
  ...text(8, name),
  ...bytes(9, [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
];

/** `ValueInfoProto` of a tensor with a fixed shape. */
function valueInfo({ name, type, dims }: OnnxValue): Chunks {
  const shape = dims.flatMap((size) => bytes(1, int(1, size)));
  const tensorType = [...int(1, DATA_TYPES[type]), ...bytes(2, shape)];
  return [...text(1, name), ...bytes(2, bytes(1, tensorType))];
}

/** The bytes of a `ModelProto` of opset 17 (and `com.microsoft` 1) around one graph. */
export function onnxModel({ name, nodes, inputs, outputs, initializers }: OnnxGraph): Uint8Array<ArrayBuffer> {
  const graph: Chunks = [
    ...nodes.flatMap((each) => bytes(1, node(each))),
    ...text(2, name),
    ...initializers.flatMap((each) => bytes(5, tensor(each))),
    ...inputs.flatMap((each) => bytes(11, valueInfo(each))),
    ...outputs.flatMap((each) => bytes(12, valueInfo(each))),
  ];
  const opset = ([domain, version]: readonly [string, number]): Chunks => [...text(1, domain), ...int(2, version)];
  const chunks = [...int(1, IR_VERSION), ...bytes(7, graph), ...OPSETS.flatMap((each) => bytes(8, opset(each)))];
  const whole = new Uint8Array(lengthOf(chunks));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
