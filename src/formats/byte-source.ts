/** Where bytes come from, read by range. A source knows nothing of what the bytes mean. */
import { ensure, RidgepointError } from "../errors";

export interface ByteSource {
  /** File name without a folder, e.g. `model.gguf`. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /**
   * Reads `[start, end)`. Throws `bad-file` past the end, `network` when the transport fails, `abort` on the signal.
   * @param into memory that the caller offers for the bytes, at least as long: a source may fill its beginning and return that, or ignore it
   */
  read(start: number, end: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
  /** Ends what reading keeps open, e.g. a transfer; reading again opens it anew. */
  close?(): Promise<void>;
}

/**
 * Throws `bad-file` unless `[start, end)` is a range of safe integers inside `source`.
 * Every implementation of {@link ByteSource.read} calls it first.
 */
export function checkRange(source: Pick<ByteSource, "name" | "size">, start: number, end: number): void {
  const sane = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end;
  ensure(
    sane && end <= source.size,
    "bad-file",
    () => `${source.name}: bytes ${start}..${end} lie outside the file (size ${source.size})`,
  );
}

/** Throws `abort` when `signal` is already aborted; `what` names the interrupted work. */
export function checkAbort(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new RidgepointError("abort", `${what}: aborted`, { cause: signal.reason });
}

/** Last path segment of `path`, the whole string when it has no separator. */
export function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

/** A source over bytes in memory. `read` returns views, not copies: the caller of `bytesSource` keeps `bytes` unchanged. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  const source: ByteSource = {
    name,
    size: bytes.byteLength,
    async read(start, end, signal) {
      checkAbort(signal, name);
      checkRange(source, start, end);
      return bytes.subarray(start, end);
    },
  };
  return source;
}

/**
 * A source over a `File` or `Blob`. The name defaults to the file's own, or `blob`.
 * Throws `network` from `read` when the browser cannot read the file any more (moved, permission withdrawn).
 */
export function blobSource(blob: Blob, name?: string): ByteSource {
  const ownName = "name" in blob && typeof blob.name === "string" ? blob.name : "blob";
  const source: ByteSource = {
    name: baseName(name ?? ownName),
    size: blob.size,
    async read(start, end, signal) {
      checkAbort(signal, source.name);
      checkRange(source, start, end);
      let buffer: ArrayBuffer;
      try {
        buffer = await blob.slice(start, end).arrayBuffer();
      } catch (cause) {
        throw new RidgepointError("network", `${source.name}: the file could not be read; choose it again`, { cause });
      }
      checkAbort(signal, source.name);
      ensure(buffer.byteLength === end - start, "bad-file", `${source.name}: the file became shorter while it was read`);
      return new Uint8Array(buffer);
    },
  };
  return source;
}
