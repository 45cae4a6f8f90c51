/** Safetensors bytes into named tensors, and back. It knows nothing of models, nor of which types can be weights. */
import { ensure, RidgepointError } from "../errors";
import type { ByteSource } from "./byte-source";
import { decodeUtf8, isObject, parseJsonObject } from "./json";
import { elementCount } from "./tensor";

/** The format's own limit on a header, bytes. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_TENSORS = 200_000;
const MAX_RANK = 8;
const MAX_NAME_LENGTH = 1024;
const LENGTH_BYTES = 8;

/** Bytes of an element. Types of less than a byte are not in the list: their tensors are not checked, nor usable. */
const ELEMENT_BYTES: ReadonlyMap<string, number> = new Map([
  ["F64", 8],
  ["I64", 8],
  ["U64", 8],
  ["F32", 4],
  ["I32", 4],
  ["U32", 4],
  ["F16", 2],
  ["BF16", 2],
  ["I16", 2],
  ["U16", 2],
  ["I8", 1],
  ["U8", 1],
  ["BOOL", 1],
  ["F8_E4M3", 1],
  ["F8_E5M2", 1],
]);

/** One entry of a header. */
export interface SafetensorsEntry {
  readonly name: string;
  /** As the file spells it: `F32`, `BF16`, `I32`, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Absolute byte range `[start, end)` in the file. */
  readonly start: number;
  readonly end: number;
}

/**
 * Reads and checks the header of one file: offsets in range, without gap or overlap, and dtype × shape = bytes.
 * Throws `bad-file` naming the file and the tensor.
 */
export async function readSafetensorsHeader(source: ByteSource, signal?: AbortSignal): Promise<SafetensorsEntry[]> {
  const prefix = await source.read(0, Math.min(LENGTH_BYTES, source.size), signal);
  const dataStart = headerEnd(source, prefix);
  return parseHeader(source, await source.read(LENGTH_BYTES, dataStart, signal), dataStart);
}

type Sized = Pick<ByteSource, "name" | "size">;

/** Offset of the first data byte, from the file's first eight bytes. */
function headerEnd({ name, size }: Sized, prefix: Uint8Array): number {
  ensure(prefix.length >= LENGTH_BYTES, "bad-file", `${name}: ${size} bytes is too short for safetensors; the file is truncated`);
  const length = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const advice = "the file is truncated or not safetensors; download it again";
  ensure(length <= MAX_HEADER_BYTES, "bad-file", `${name}: a header of ${length} bytes (limit ${MAX_HEADER_BYTES}); ${advice}`);
  const dataStart = LENGTH_BYTES + Number(length);
  ensure(dataStart <= size, "bad-file", `${name}: the header ends at ${dataStart}, past the end (size ${size}); ${advice}`);
  return dataStart;
}

function parseHeader(file: Sized, bytes: Uint8Array, dataStart: number): SafetensorsEntry[] {
  const { name } = file;
  const text = decodeUtf8(bytes, `${name} header`);
  const header = Object.entries(parseJsonObject(text, `${name} header`)).filter(([key]) => key !== "__metadata__");
  ensure(header.length <= MAX_TENSORS, "bad-file", `${name}: ${header.length} tensors (limit ${MAX_TENSORS})`);
  const entries = header.map(([key, value]) => parseEntry(name, key, value, dataStart));
  checkCoverage(file, entries, dataStart);
  return entries;
}

function parseEntry(file: string, name: string, value: unknown, dataStart: number): SafetensorsEntry {
  ensure(name.length <= MAX_NAME_LENGTH, "bad-file", `${file}: a tensor name of ${name.length} characters`);
  const where = `${file}: tensor ${name}`;
  ensure(isObject(value), "bad-file", `${where}: expected an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  ensure(typeof dtype === "string" && dtype.length < 32, "bad-file", `${where}: expected a dtype name`);
  ensure(Array.isArray(shape) && shape.length <= MAX_RANK, "bad-file", `${where}: expected a shape of at most ${MAX_RANK} sizes`);
  const count = elementCount(shape.map((n) => (typeof n === "number" ? n : Number.NaN)));
  ensure(count !== null, "bad-file", `${where}: shape ${JSON.stringify(shape)} is no list of sizes, or too large`);
  const isRange = Array.isArray(offsets) && offsets.length === 2 && offsets.every((n) => Number.isSafeInteger(n) && n >= 0);
  ensure(isRange && offsets[0] <= offsets[1], "bad-file", `${where}: data_offsets ${JSON.stringify(offsets)} are no range`);
  const [start, end] = offsets as [number, number];
  const bytes = ELEMENT_BYTES.get(dtype);
  ensure(
    bytes === undefined || BigInt(count) * BigInt(bytes) === BigInt(end - start),
    "bad-file",
    () => `${where}: ${dtype} ${JSON.stringify(shape)} takes ${count * bytes!} bytes, the file gives ${end - start}`,
  );
  return { name, dtype, shape: shape as number[], start: dataStart + start, end: dataStart + end };
}

function checkCoverage(file: Sized, entries: readonly SafetensorsEntry[], dataStart: number): void {
  const { name, size } = file;
  let reached = dataStart;
  for (const entry of entries.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const bytes = `bytes ${entry.start}..${entry.end}`;
    const advice = `lie past the end of ${name} (size ${size}): the file is truncated, download it again`;
    ensure(entry.end <= size, "bad-file", `tensor ${entry.name}: ${bytes} ${advice}`);
    ensure(entry.start >= reached, "bad-file", `${name}: tensor ${entry.name}: ${bytes} overlap the tensor before it`);
    ensure(entry.start === reached, "bad-file", `${name}: ${entry.start - reached} unused bytes before tensor ${entry.name}`);
    reached = entry.end;
  }
  ensure(reached === size, "bad-file", `${name}: ${size - reached} bytes after the last tensor`);
}

/** A tensor as a typed array. `F16` and `BF16` come as their bits. */
export interface ArrayTensor {
  /** As the file spells it. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** One element per value, row-major. */
  readonly data: Float32Array | Float64Array | Int32Array | Uint32Array | Int8Array | Uint8Array | Uint16Array | Int16Array;
}

/** What {@link writeSafetensors} takes. */
export interface FloatTensor {
  readonly name: string;
  readonly dtype: "F32";
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Typed array by type name. The bytes are copied first, so that they are aligned. */
const ARRAYS: ReadonlyMap<string, (buffer: ArrayBuffer) => ArrayTensor["data"]> = new Map<
  string,
  (buffer: ArrayBuffer) => ArrayTensor["data"]
>([
  ["F64", (buffer) => new Float64Array(buffer)],
  ["F32", (buffer) => new Float32Array(buffer)],
  ["I32", (buffer) => new Int32Array(buffer)],
  ["U32", (buffer) => new Uint32Array(buffer)],
  ["F16", (buffer) => new Uint16Array(buffer)],
  ["BF16", (buffer) => new Uint16Array(buffer)],
  ["U16", (buffer) => new Uint16Array(buffer)],
  ["I16", (buffer) => new Int16Array(buffer)],
  ["I8", (buffer) => new Int8Array(buffer)],
  ["U8", (buffer) => new Uint8Array(buffer)],
  ["BOOL", (buffer) => new Uint8Array(buffer)],
]);

/**
 * Reads a whole file of bytes into typed arrays by tensor name.
 * Throws `bad-file` like {@link readSafetensorsHeader}, `unsupported-dtype` for a type without a typed array.
 */
export function readSafetensors(bytes: Uint8Array, name = "safetensors"): Map<string, ArrayTensor> {
  const tensors = new Map<string, ArrayTensor>();
  const file = { name, size: bytes.length };
  const dataStart = headerEnd(file, bytes.subarray(0, LENGTH_BYTES));
  for (const entry of parseHeader(file, bytes.subarray(LENGTH_BYTES, dataStart), dataStart)) {
    const toArray = ARRAYS.get(entry.dtype);
    if (!toArray) throw new RidgepointError("unsupported-dtype", `${name}: tensor ${entry.name} has dtype ${entry.dtype}`);
    const data = toArray(bytes.slice(entry.start, entry.end).buffer as ArrayBuffer);
    tensors.set(entry.name, { dtype: entry.dtype, shape: entry.shape, data });
  }
  return tensors;
}

/**
 * Writes tensors of f32 as one safetensors file, data aligned to 8 bytes.
 * Throws `bad-option` when a shape does not hold as many values as its data, or a name occurs twice.
 */
export function writeSafetensors(tensors: readonly FloatTensor[]): Uint8Array {
  const header: Record<string, unknown> = {};
  let dataBytes = 0;
  for (const { name, dtype, shape, data } of tensors) {
    ensure(!Object.hasOwn(header, name), "bad-option", `tensor ${name} occurs twice`);
    ensure(elementCount(shape) === data.length, "bad-option", `tensor ${name}: [${shape}] does not hold ${data.length} values`);
    header[name] = { dtype, shape, data_offsets: [dataBytes, dataBytes + data.byteLength] };
    dataBytes += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(8 + headerBytes + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerBytes), true);
  out.fill(0x20, 8, 8 + headerBytes);
  out.set(json, 8);
  let offset = 8 + headerBytes;
  for (const { data } of tensors) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return out;
}
