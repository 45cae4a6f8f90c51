/** Where bytes come from, read by range. A source knows nothing of what the bytes mean. */

export interface ByteSource {
  /** File name without a folder, e.g. `model.gguf`. */
  readonly name: string;
  /** Size in bytes. */
  readonly size: number;
  /** Reads `[start, end)`. Throws `bad-file` past the end, `network` when the transport fails, `abort` on the signal. */
  read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
}
