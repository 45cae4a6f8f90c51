/** Files of the disk as byte sources, and the small files that the format tests build byte by byte. */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { type ErrorCode, RidgepointError } from "../../../src/errors";
import { type ByteSource, checkRange } from "../../../src/formats/byte-source";

export const GOLDENS = fileURLToPath(new URL("../../goldens/", import.meta.url));

/** Opens a file for every read, so that no test leaks a descriptor. */
export function fileSource(path: string): ByteSource {
  const withFile = <T>(use: (descriptor: number) => T): T => {
    const descriptor = openSync(path, "r");
    try {
      return use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  };
  const source: ByteSource = {
    name: basename(path),
    size: withFile((descriptor) => fstatSync(descriptor).size),
    async read(start, end) {
      checkRange(source, start, end);
      const bytes = new Uint8Array(end - start);
      withFile((descriptor) => readSync(descriptor, bytes, 0, bytes.length, start));
      return bytes;
    },
  };
  return source;
}

/** The model files of a golden's folder (not its results). */
export function goldenFiles(folder: string): ByteSource[] {
  const wanted = /^(config\.json|model\.(safetensors|gguf))$/;
  const names = readdirSync(join(GOLDENS, folder)).filter((name) => wanted.test(name));
  return names.map((name) => fileSource(join(GOLDENS, folder, name)));
}

export function goldenBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(join(GOLDENS, path)));
}

/** Runs `work`, which must throw a {@link RidgepointError} of `code`, and returns its message. */
export async function refusal(work: () => unknown, code: ErrorCode): Promise<string> {
  let thrown: unknown;
  try {
    await work();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(RidgepointError);
  const error = thrown as RidgepointError;
  expect(error.code, error.message).toBe(code);
  return error.message;
}

/** A seeded generator of u32 (mulberry32). */
export function randomU32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** A safetensors file with any header, right or wrong. */
export function safetensorsBytes(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  return out;
}

/** Writes little-endian GGUF bytes. */
export class GgufWriter {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  u32(value: number): this {
    for (let i = 0; i < 4; i++) this.#bytes.push((value >>> (8 * i)) & 255);
    return this;
  }

  u64(value: number | bigint): this {
    for (let i = 0n; i < 8n; i++) this.#bytes.push(Number((BigInt(value) >> (8n * i)) & 255n));
    return this;
  }

  raw(...values: number[]): this {
    this.#bytes.push(...values);
    return this;
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.u64(bytes.length).raw(...bytes);
  }

  /** Magic, version and the two counts. */
  head(tensors: number | bigint, pairs: number | bigint, version = 3): this {
    return this.u32(0x46554747).u32(version).u64(tensors).u64(pairs);
  }

  tensor(name: string, dimensions: readonly (number | bigint)[], type: number, offset: number | bigint): this {
    this.text(name).u32(dimensions.length);
    for (const size of dimensions) this.u64(size);
    return this.u32(type).u64(offset);
  }

  /** Pads to `alignment` and appends `dataBytes` zeros. */
  end(dataBytes: number, alignment = 32): Uint8Array {
    const dataStart = Math.ceil(this.#bytes.length / alignment) * alignment;
    const out = new Uint8Array(dataStart + dataBytes);
    out.set(this.#bytes);
    return out;
  }
}
