/** The bytes before a GGUF file's data into plain values: metadata and tensor infos. It knows no element sizes and reads no data. */
import { ensure, RidgepointError } from "../errors";

const MAGIC = 0x46554747; // "GGUF"
/** Caps: many times what the largest published files hold. */
const MAX_TENSORS = 200_000;
const MAX_PAIRS = 100_000;
const MAX_STRING_BYTES = 64 * 2 ** 20;
const MAX_NAME_BYTES = 1024;
const MAX_ARRAY_LENGTH = 2 ** 24;
const MAX_ARRAY_DEPTH = 4;
const MAX_DIMENSIONS = 4;
const MAX_ALIGNMENT = 2 ** 20;

export interface GgufTensorInfo {
  readonly name: string;
  /** As stored: innermost first. */
  readonly dimensions: readonly bigint[];
  readonly typeId: number;
  /** From the start of the data section, bytes. */
  readonly offset: bigint;
}

export interface GgufHeader {
  readonly metadata: Map<string, unknown>;
  readonly infos: GgufTensorInfo[];
  /** Absolute offset of the data section, bytes. */
  readonly dataStart: number;
  /** Every tensor offset is a multiple of it, bytes. */
  readonly alignment: number;
}

/** Thrown inside the parser when the prefix ends too early although the file goes on. */
class PrefixTooShort extends Error {
  readonly needed: number;
  constructor(needed: number) {
    super("prefix too short");
    this.needed = needed;
  }
}

/**
 * Parses the header from `prefix`, the first bytes of a file of `size` bytes.
 * Returns a number when the prefix is too short: the least number of bytes to try next.
 * Throws `bad-file` naming `file` and the key or tensor at fault.
 */
export function parseGgufHeader(file: string, prefix: Uint8Array, size: number): GgufHeader | number {
  try {
    return parse(new Cursor(file, prefix, size));
  } catch (error) {
    if (error instanceof PrefixTooShort) return error.needed;
    throw error;
  }
}

function parse(cursor: Cursor): GgufHeader {
  const { file } = cursor;
  ensure(cursor.u32("magic") === MAGIC, "bad-file", `${file}: not a GGUF file (the first bytes are not "GGUF")`);
  const version = cursor.u32("version");
  ensure(version !== 0x03000000 && version !== 0x02000000, "bad-file", `${file}: big-endian GGUF; expected little-endian`);
  ensure(version === 2 || version === 3, "bad-file", `${file}: GGUF version ${version}; expected 2 or 3`);
  const tensorCount = cursor.count("tensor count", MAX_TENSORS);
  const pairCount = cursor.count("metadata count", MAX_PAIRS);
  const metadata = new Map<string, unknown>();
  for (let i = 0; i < pairCount; i++) {
    const key = cursor.name("metadata key");
    ensure(!metadata.has(key), "bad-file", () => `${file}: metadata key ${key} occurs twice`);
    metadata.set(key, cursor.value(cursor.u32(key), key, 0));
  }
  const alignment = metadata.get("general.alignment") ?? 32;
  const sane =
    typeof alignment === "number" && alignment > 0 && alignment <= MAX_ALIGNMENT && (alignment & (alignment - 1)) === 0;
  ensure(sane, "bad-file", () => `${file}: general.alignment: expected a power of two up to ${MAX_ALIGNMENT}, got ${alignment}`);
  const infos: GgufTensorInfo[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const name = cursor.name("tensor name");
    ensure(!names.has(name), "bad-file", () => `${file}: tensor ${name} occurs twice`);
    names.add(name);
    const rank = cursor.u32(name);
    ensure(rank >= 1 && rank <= MAX_DIMENSIONS, "bad-file", () => `${file}: tensor ${name}: ${rank} dimensions, expected 1 to 4`);
    const dimensions: bigint[] = [];
    for (let d = 0; d < rank; d++) dimensions.push(cursor.u64(name));
    infos.push({ name, dimensions, typeId: cursor.u32(name), offset: cursor.u64(name) });
  }
  return { metadata, infos, dataStart: Math.ceil(cursor.offset / alignment) * alignment, alignment };
}

/** Bytes of a fixed-size value by GGUF value type; null for strings and arrays. Index is the type id. */
const VALUE_BYTES: readonly (number | null)[] = [1, 1, 2, 2, 4, 4, 4, 1, null, null, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;
/** A string takes its length field, an array its type and length. */
const LEAST_BYTES: readonly number[] = VALUE_BYTES.map((bytes, type) => bytes ?? (type === STRING ? 8 : 12));

class Cursor {
  offset = 0;
  readonly file: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #size: number;
  readonly #strict = new TextDecoder("utf-8", { fatal: true });
  readonly #lenient = new TextDecoder("utf-8");

  constructor(file: string, bytes: Uint8Array, size: number) {
    this.file = file;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#size = size;
  }

  /** Moves past `count` bytes and returns where they began. */
  #take(count: number, what: string): number {
    const start = this.offset;
    const end = start + count;
    if (end > this.#bytes.length) {
      ensure(end <= this.#size, "bad-file", () => this.#truncated(what));
      throw new PrefixTooShort(end);
    }
    this.offset = end;
    return start;
  }

  #truncated(what: string): string {
    return `${this.file}: ends inside ${what} (size ${this.#size}): the file is truncated or malformed, download it again`;
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#take(4, what), true);
  }

  u64(what: string): bigint {
    return this.#view.getBigUint64(this.#take(8, what), true);
  }

  count(what: string, limit: number): number {
    const value = this.u64(what);
    ensure(value <= BigInt(limit), "bad-file", () => `${this.file}: ${what} is ${value} (limit ${limit})`);
    return Number(value);
  }

  /** A key or a tensor name: short, strict UTF-8. */
  name(what: string): string {
    const start = this.#take(this.count(`${what} length`, MAX_NAME_BYTES), what);
    try {
      return this.#strict.decode(this.#bytes.subarray(start, this.offset));
    } catch (cause) {
      throw new RidgepointError("bad-file", `${this.file}: a ${what} is not UTF-8`, { cause });
    }
  }

  /** A string value. Tokens of some vocabularies are no UTF-8: those bytes become U+FFFD. */
  #string(what: string): string {
    const start = this.#take(this.count(`${what} length`, MAX_STRING_BYTES), what);
    return this.#lenient.decode(this.#bytes.subarray(start, this.offset));
  }

  value(type: number, key: string, depth: number): unknown {
    if (type === STRING) return this.#string(key);
    if (type === ARRAY) return this.#array(key, depth + 1);
    const bytes = VALUE_BYTES[type];
    if (bytes == null) throw new RidgepointError("bad-file", `${this.file}: metadata ${key} has unknown value type ${type}`);
    return scalar(this.#view, type, this.#take(bytes, key));
  }

  #array(key: string, depth: number): unknown[] {
    ensure(
      depth <= MAX_ARRAY_DEPTH,
      "bad-file",
      () => `${this.file}: metadata ${key}: arrays nested deeper than ${MAX_ARRAY_DEPTH}`,
    );
    const type = this.u32(key);
    const least = LEAST_BYTES[type];
    if (least === undefined)
      throw new RidgepointError("bad-file", `${this.file}: metadata ${key} has unknown value type ${type}`);
    const length = this.count(`${key} length`, MAX_ARRAY_LENGTH);
    // Before anything is allocated: a file cannot hold more elements than bytes.
    ensure(this.offset + length * least <= this.#size, "bad-file", () => this.#truncated(key));
    const values: unknown[] = [];
    for (let i = 0; i < length; i++) values.push(this.value(type, key, depth));
    return values;
  }
}

function scalar(view: DataView, type: number, at: number): unknown {
  switch (type) {
    case 0:
      return view.getUint8(at);
    case 1:
      return view.getInt8(at);
    case 2:
      return view.getUint16(at, true);
    case 3:
      return view.getInt16(at, true);
    case 4:
      return view.getUint32(at, true);
    case 5:
      return view.getInt32(at, true);
    case 6:
      return view.getFloat32(at, true);
    case 7:
      return view.getUint8(at) !== 0;
    case 10:
      return narrow(view.getBigUint64(at, true));
    case 11:
      return narrow(view.getBigInt64(at, true));
    default:
      return view.getFloat64(at, true);
  }
}

/** A number where it is exact. */
function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
