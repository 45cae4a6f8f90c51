/**
 * A byte source over HTTP Range requests, resumed when a transfer drops. A read that begins where the last one ended goes on in the same request, so
 * that a file read in order is one transfer: a browser holds on to a few megabytes for every response until it collects its garbage.
 */
import { ensure, RidgepointError } from "../errors";
import { type ByteSource, baseName, checkAbort, checkRange } from "./byte-source";

/** Transfers of one read that may drop before `network` is thrown: the first one and three resumptions. */
const MAX_ATTEMPTS = 4;
/** Pause before the first resumption, doubled each time, ms. */
const RETRY_DELAY_MS = 50;

export interface UrlSourceOptions {
  /** File name; default: the last segment of the URL's path. */
  readonly name?: string;
  /** Size in bytes where it is known; otherwise one request of one byte asks for it. */
  readonly size?: number;
  /** Ends every request of this source. */
  readonly signal?: AbortSignal;
  /** Told once when the server ignores `Range` and the file is read whole into memory. Default: `console.warn`. */
  readonly onNote?: (message: string) => void;
}

/** Outcome of one request: part of the file, or all of it when the server ignored `Range`. */
interface Answer {
  readonly response: Response;
  readonly whole: boolean;
  /** Size of the file as the answer tells it, or null. */
  readonly total: number | null;
}

/**
 * Opens `url` for reading by range.
 * A dropped transfer is resumed at the byte reached, three times; a server that ignores `Range` is read whole, once.
 * Throws `not-found` (404, 410), `network` (other statuses, unreachable, dropped too often, changed in between) and `abort`.
 */
export async function urlSource(url: string, options: UrlSourceOptions = {}): Promise<ByteSource> {
  const remote = new RemoteFile(url, options);
  await remote.open(options.size);
  return remote;
}

class RemoteFile implements ByteSource {
  readonly name: string;
  size = 0;
  #whole: Promise<Uint8Array> | null = null;
  #transfer: Transfer | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #url: string;
  readonly #signal: AbortSignal | undefined;
  readonly #onNote: (message: string) => void;

  constructor(url: string, options: UrlSourceOptions) {
    this.#url = url;
    this.#signal = options.signal;
    this.#onNote = options.onNote ?? ((message) => console.warn(message));
    this.name = options.name ?? fileNameOf(url);
  }

  async open(size: number | undefined): Promise<void> {
    if (size !== undefined) {
      ensure(Number.isSafeInteger(size) && size >= 0, "bad-option", `${this.name}: size must be a byte count, got ${size}`);
      this.size = size;
      return;
    }
    this.size = await this.#retry(async (signal) => {
      const answer = await this.#request("bytes=0-0", signal);
      if (answer.whole) return (await this.#keepWhole(answer.response)).byteLength;
      await answer.response.body?.cancel();
      return answer.total ?? this.#askLength();
    }, this.#signal);
  }

  read(start: number, end: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array> {
    const read = this.#turn.then(() => this.#read(start, end, signal, into));
    this.#turn = read.catch(() => undefined);
    return read;
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#drop();
  }

  async #read(start: number, end: number, signal: AbortSignal | undefined, into: Uint8Array | undefined): Promise<Uint8Array> {
    checkRange(this, start, end);
    const either = bothSignals(this.#signal, signal);
    checkAbort(either, this.name);
    if (this.#whole !== null) return (await this.#whole).subarray(start, end);
    const out = into?.subarray(0, end - start) ?? new Uint8Array(end - start);
    let reached = 0;
    await this.#retry(async () => {
      while (reached < out.length) {
        checkAbort(either, this.name);
        if (this.#transfer?.position !== start + reached) {
          await this.#drop();
          const answer = await this.#request(`bytes=${start + reached}-${this.size - 1}`, either);
          if (answer.whole) {
            const bytes = await this.#keepWhole(answer.response);
            ensure(bytes.byteLength === this.size, "network", () => this.#changed(bytes.byteLength));
            out.set(bytes.subarray(start, end));
            return;
          }
          if (answer.total !== null && answer.total !== this.size)
            throw new RidgepointError("network", this.#changed(answer.total));
          this.#transfer = new Transfer(answer.response, start + reached);
        }
        reached += await this.#transfer.take(out.subarray(reached), either);
      }
    }, either);
    if (end === this.size) await this.#drop();
    return out;
  }

  async #drop(): Promise<void> {
    const transfer = this.#transfer;
    this.#transfer = null;
    await transfer?.cancel();
  }

  #changed(size: number): string {
    return `${this.name}: the file changed while it was read (size ${this.size}, now ${size}); load it again`;
  }

  /** Runs `attempt` until it succeeds; a {@link RidgepointError} is final, any other failure is a dropped transfer. */
  async #retry<T>(attempt: (signal: AbortSignal | undefined) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let n = 1; ; n++) {
      checkAbort(signal, this.name);
      try {
        return await attempt(signal);
      } catch (cause) {
        checkAbort(signal, this.name);
        if (cause instanceof RidgepointError) throw cause;
        if (n >= MAX_ATTEMPTS) {
          const reason = cause instanceof Error ? cause.message : String(cause);
          throw new RidgepointError("network", `${this.#url}: the transfer failed ${n} times (${reason})`, { cause });
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS * 2 ** (n - 1)));
      }
    }
  }

  async #request(range: string, signal: AbortSignal | undefined): Promise<Answer> {
    const response = await fetch(this.#url, { headers: { Range: range }, ...(signal && { signal }) });
    if (response.status === 206) {
      const contentRange = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
      const asked = range.slice("bytes=".length, range.indexOf("-"));
      if (contentRange && contentRange[1] !== asked) {
        throw new RidgepointError(
          "network",
          `${this.#url}: asked for bytes from ${asked}, the server sent from ${contentRange[1]}`,
        );
      }
      return { response, whole: false, total: contentRange && contentRange[2] !== "*" ? Number(contentRange[2]) : null };
    }
    if (response.ok) return { response, whole: true, total: null };
    await response.body?.cancel();
    // An empty file has no byte 0: the server answers 416 and tells the size.
    if (response.status === 416 && response.headers.get("content-range") === "bytes */0") {
      return { response: new Response(new Uint8Array(0)), whole: false, total: 0 };
    }
    if (response.status === 404 || response.status === 410) {
      throw new RidgepointError("not-found", `${this.#url}: not found (HTTP ${response.status})`);
    }
    if (response.status >= 500 || response.status === 429) throw new Error(`HTTP ${response.status}`); // worth another try
    const advice = response.status === 401 || response.status === 403 ? "; the model may need a licence to be accepted" : "";
    throw new RidgepointError("network", `${this.#url}: HTTP ${response.status}${advice}`);
  }

  async #askLength(): Promise<number> {
    const response = await fetch(this.#url, { method: "HEAD", ...(this.#signal && { signal: this.#signal }) });
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    ensure(response.ok && Number.isSafeInteger(length), "network", `${this.#url}: the server tells no file size`);
    return length;
  }

  #keepWhole(response: Response): Promise<Uint8Array> {
    if (this.#whole === null) {
      if (this.name.endsWith(".gguf") || this.name.endsWith(".safetensors")) {
        this.#onNote(`${this.#url}: the server ignores Range requests; the whole file is read into memory`);
      }
      const whole = response.arrayBuffer().then((buffer) => new Uint8Array(buffer));
      this.#whole = whole;
      // A drop in the middle must not stick: the next attempt asks again.
      whole.catch(() => {
        this.#whole = null;
      });
    } else response.body?.cancel();
    return this.#whole;
  }
}

/** Bytes of the buffer that chunks are read into. */
const CHUNK_BYTES = 2 ** 18;

/** An open response and how far it was read. */
class Transfer {
  /** File position of the next byte that {@link take} gives. */
  position: number;
  readonly #reader: ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array> | null;
  #buffer = new ArrayBuffer(CHUNK_BYTES);
  /** Bytes read and not yet taken. */
  #rest = new Uint8Array(0);

  constructor(response: Response, position: number) {
    this.position = position;
    this.#reader = byteReader(response) ?? response.body?.getReader() ?? null;
  }

  /** Fills the beginning of `out`; returns how many bytes, at least one. Throws when the transfer ended before. */
  async take(out: Uint8Array, signal: AbortSignal | undefined): Promise<number> {
    if (this.#rest.length === 0) this.#rest = await this.#next(signal);
    const bytes = this.#rest.subarray(0, out.length);
    out.set(bytes);
    this.#rest = this.#rest.subarray(bytes.length);
    this.position += bytes.length;
    return bytes.length;
  }

  async cancel(): Promise<void> {
    await this.#reader?.cancel().catch(() => undefined);
  }

  async #next(signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    const stop = (): void => void this.cancel();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      const { value } = await this.#pull();
      if (!value || value.length === 0) throw new Error("the transfer ended early");
      this.#buffer = value.buffer as ArrayBuffer;
      return value as Uint8Array<ArrayBuffer>;
    } catch (cause) {
      // A broken stream has no position to go on from.
      this.position = Number.NaN;
      throw cause;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  async #pull(): Promise<{ value?: Uint8Array | undefined }> {
    const reader = this.#reader;
    if (!reader) return {};
    if (reader instanceof ReadableStreamDefaultReader) return reader.read();
    return reader.read(new Uint8Array(this.#buffer));
  }
}

/** A reader that fills the caller's buffer, where the platform gives bodies one. */
function byteReader(response: Response): ReadableStreamBYOBReader | null {
  try {
    return response.body?.getReader({ mode: "byob" }) ?? null;
  } catch {
    return null;
  }
}

function bothSignals(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a && b ? AbortSignal.any([a, b]) : (a ?? b);
}

function fileNameOf(url: string): string {
  const path = new URL(url, "http://localhost/").pathname;
  try {
    return baseName(decodeURIComponent(path));
  } catch {
    return baseName(path);
  }
}
