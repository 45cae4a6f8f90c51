/** A byte source over HTTP Range requests, resumed when a transfer drops. It stores nothing beyond the running read. */
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

  async read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> {
    checkRange(this, start, end);
    const either = bothSignals(this.#signal, signal);
    checkAbort(either, this.name);
    if (this.#whole !== null) return (await this.#whole).subarray(start, end);
    const out = new Uint8Array(end - start);
    let reached = 0;
    await this.#retry(async (attemptSignal) => {
      while (reached < out.length) {
        const from = start + reached;
        const answer = await this.#request(`bytes=${from}-${end - 1}`, attemptSignal);
        if (answer.whole) {
          const bytes = await this.#keepWhole(answer.response);
          ensure(bytes.byteLength === this.size, "network", () => this.#changed(bytes.byteLength));
          out.set(bytes.subarray(start, end));
          return;
        }
        if (answer.total !== null && answer.total !== this.size)
          throw new RidgepointError("network", this.#changed(answer.total));
        const before = reached;
        for await (const chunk of chunksOf(answer.response)) {
          ensure(reached + chunk.length <= out.length, "network", `${this.name}: the server sent more bytes than were asked for`);
          out.set(chunk, reached);
          reached += chunk.length;
        }
        if (reached === before) throw new Error("the transfer ended without a byte");
      }
    }, either);
    return out;
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

async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // After an early exit (an error in the consumer) the rest of the body is not wanted.
    await reader.cancel().catch(() => undefined);
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
