/** GGUF files into weights and metadata. It reads the header by growing ranges, never the data, and knows no model. */
import { ensure } from "../errors";
import type { ByteSource } from "./byte-source";
import { type GgufHeader, type GgufTensorInfo, parseGgufHeader } from "./gguf-header";
import { elementCount, type StoredDtype, type StoredTensor } from "./tensor";

/** First read. A small model's header fits; a tokenizer of 150k words takes 6 to 8 MiB. */
const FIRST_READ_BYTES = 256 * 1024;
const MAX_HEADER_BYTES = 256 * 2 ** 20;

/** ggml element types by id: name, elements of a block, bytes of a block. */
const GGML_TYPES: ReadonlyMap<number, readonly [name: string, elements: number, bytes: number]> = new Map([
  [0, ["f32", 1, 4]],
  [1, ["f16", 1, 2]],
  [2, ["q4_0", 32, 18]],
  [3, ["q4_1", 32, 20]],
  [6, ["q5_0", 32, 22]],
  [7, ["q5_1", 32, 24]],
  [8, ["q8_0", 32, 34]],
  [9, ["q8_1", 32, 36]],
  [10, ["q2_K", 256, 84]],
  [11, ["q3_K", 256, 110]],
  [12, ["q4_K", 256, 144]],
  [13, ["q5_K", 256, 176]],
  [14, ["q6_K", 256, 210]],
  [15, ["q8_K", 256, 292]],
  [16, ["iq2_xxs", 256, 66]],
  [17, ["iq2_xs", 256, 74]],
  [18, ["iq3_xxs", 256, 98]],
  [19, ["iq1_s", 256, 50]],
  [20, ["iq4_nl", 32, 18]],
  [21, ["iq3_s", 256, 110]],
  [22, ["iq2_s", 256, 82]],
  [23, ["iq4_xs", 256, 136]],
  [24, ["i8", 1, 1]],
  [25, ["i16", 1, 2]],
  [26, ["i32", 1, 4]],
  [27, ["i64", 1, 8]],
  [28, ["f64", 1, 8]],
  [29, ["iq1_m", 256, 56]],
  [30, ["bf16", 1, 2]],
  [34, ["tq1_0", 256, 54]],
  [35, ["tq2_0", 256, 66]],
  [39, ["mxfp4", 32, 17]],
] as const);

/** Element types whose tensors can be loaded. */
export const SUPPORTED_DTYPES: readonly StoredDtype[] = ["f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"];

export interface GgufFile {
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** ggml type name of every tensor that is not in `tensors`. */
  readonly unsupported: ReadonlyMap<string, string>;
}

/**
 * Opens a GGUF file, version 2 or 3, little-endian.
 * Every tensor's byte range is checked against the file's size before the tensors are looked at in any other way.
 * Throws `bad-file` naming the file and the key or tensor at fault; `network` and `abort` from the source.
 */
export async function openGguf(source: ByteSource, signal?: AbortSignal): Promise<GgufFile> {
  const header = await readHeader(source, signal);
  const extents = header.infos.map((info) => extentOf(source, header, info));
  for (const { name, start, end } of extents) {
    const advice = `lie past the end of ${source.name} (size ${source.size}): the file is truncated, download it again`;
    ensure(end <= source.size, "bad-file", () => `tensor ${name}: bytes ${start}..${end} ${advice}`);
  }
  let before = { name: "", end: header.dataStart };
  for (const extent of extents.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const { name, start } = extent;
    ensure(
      start >= before.end,
      "bad-file",
      () => `${source.name}: tensor ${name} at byte ${start} overlaps tensor ${before.name}`,
    );
    before = extent;
  }
  const tensors = new Map<string, StoredTensor>();
  const unsupported = new Map<string, string>();
  for (const { name, start, end, typeName, shape } of extents) {
    const dtype = SUPPORTED_DTYPES.find((supported) => supported === typeName);
    if (dtype) tensors.set(name, { name, dtype, shape, source, start, end });
    else unsupported.set(name, typeName);
  }
  return { metadata: header.metadata, tensors, unsupported };
}

/** Reads a prefix and parses it from the start; doubles the prefix until the header is whole. Work stays below twice one parse. */
async function readHeader(source: ByteSource, signal: AbortSignal | undefined): Promise<GgufHeader> {
  let prefix = new Uint8Array(0);
  let wanted = FIRST_READ_BYTES;
  for (;;) {
    ensure(
      wanted <= MAX_HEADER_BYTES,
      "bad-file",
      `${source.name}: a header of ${wanted} bytes or more (limit ${MAX_HEADER_BYTES})`,
    );
    const length = Math.min(source.size, wanted);
    const grown = new Uint8Array(length);
    grown.set(prefix);
    grown.set(await source.read(prefix.length, length, signal), prefix.length);
    prefix = grown;
    const header = parseGgufHeader(source.name, prefix, source.size);
    if (typeof header !== "number") return header;
    wanted = Math.max(header, Math.min(2 * length, MAX_HEADER_BYTES));
  }
}

interface Extent {
  readonly name: string;
  readonly typeName: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

function extentOf(source: ByteSource, header: GgufHeader, info: GgufTensorInfo): Extent {
  const { name, dimensions, typeId, offset } = info;
  const where = `${source.name}: tensor ${name}`;
  const count = elementCount(dimensions);
  ensure(count !== null && count > 0, "bad-file", `${where}: dimensions [${dimensions}] are empty or too large`);
  // An unknown type has no known size: only its start is checked.
  const [typeName, elements, bytes] = GGML_TYPES.get(typeId) ?? [`type ${typeId}`, 1, 0];
  const columns = Number(dimensions[0]);
  const cut = `${where}: rows of ${columns} values are no whole ${typeName} blocks of ${elements}`;
  ensure(columns % elements === 0, "bad-file", cut);
  ensure(
    offset % BigInt(header.alignment) === 0n,
    "bad-file",
    `${where}: offset ${offset} is no multiple of ${header.alignment}`,
  );
  const start = BigInt(header.dataStart) + offset;
  const end = start + (BigInt(count) / BigInt(elements)) * BigInt(bytes);
  // Past 2^53 a range cannot lie in a file; Number() rounds it, which the caller's check against the size still refuses.
  return { name, typeName, shape: dimensions.map(Number).reverse(), start: Number(start), end: Number(end) };
}
