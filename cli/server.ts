/**
 * The command line's web server: the built pages, the embedded models, and single files of this machine that were registered by name.
 * It binds 127.0.0.1 only, streams every file, and serves nothing else of the disk.
 */
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, extname, join, sep } from "node:path";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { RidgepointError } from "../src/errors";

const MIME: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".jsonl": "application/jsonl; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".wgsl": "text/plain; charset=utf-8",
};

/** Folders of a {@link PageServer}. */
export interface ServerOptions {
  /** The built pages, served at `/`. */
  readonly pages: string;
  /** The embedded models, served at `/models/`. */
  readonly models: string;
  /** Origins beyond its own that the page may fetch from: those of a model named by address. */
  readonly connect?: readonly string[];
  /** Of 127.0.0.1. Default: a free one. */
  readonly port?: number | undefined;
}

/** Inclusive byte range of a file, as HTTP names it. */
interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** The range a `Range` header asks for: null for the whole file, `"unsatisfiable"` when it lies outside. Only single ranges are known. */
export function parseRange(header: string | undefined, size: number): ByteRange | null | "unsatisfiable" {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return null;
  if (match[1] === "") {
    const length = Math.min(Number(match[2]), size);
    return length === 0 ? "unsatisfiable" : { first: size - length, last: size - 1 };
  }
  const first = Number(match[1]);
  const last = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  return first >= size || last < first ? "unsatisfiable" : { first, last };
}

/** A running server. Whoever starts it closes it. */
export class PageServer {
  readonly origin: string;
  readonly #server: Server;
  readonly #files = new Map<string, string>();
  readonly #sinks = new Map<string, Writable>();
  readonly #options: ServerOptions;
  readonly #policy: string;

  private constructor(server: Server, options: ServerOptions) {
    const { port } = server.address() as AddressInfo;
    this.origin = `http://127.0.0.1:${port}`;
    this.#server = server;
    this.#options = options;
    const connect = options.connect?.length ? `; connect-src 'self' ${options.connect.join(" ")}` : "";
    this.#policy = `default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:${connect}`;
    server.on("request", (request, response) => void this.#answer(request, response));
  }

  /**
   * Starts on 127.0.0.1.
   * @throws RidgepointError `bad-option`: the port is taken, or not ours to take
   */
  static async start(options: ServerOptions): Promise<PageServer> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => {
        const message = `--port ${options.port}: ${cause.message}; expected a free port of this machine`;
        reject(options.port === undefined ? cause : new RidgepointError("bad-option", message, { cause }));
      });
      server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    return new PageServer(server, options);
  }

  /** Offers one file of the disk to the page; returns its path on this server, which nobody can guess. */
  offer(path: string): string {
    const url = `/local/${randomBytes(12).toString("hex")}/${encodeURIComponent(basename(path))}`;
    this.#files.set(url, path);
    return url;
  }

  /** Lets the page post bytes, which are written to `sink` in the order they come; returns the path to post to. */
  receive(sink: Writable): string {
    const url = `/upload/${randomBytes(12).toString("hex")}`;
    this.#sinks.set(url, sink);
    return url;
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("content-security-policy", this.#policy);
    response.setHeader("x-content-type-options", "nosniff");
    // Isolated pages get the fine clock and the memory counters.
    response.setHeader("cross-origin-opener-policy", "same-origin");
    response.setHeader("cross-origin-embedder-policy", "require-corp");
    response.setHeader("cache-control", "no-store");
    try {
      // A page elsewhere whose name was pointed at 127.0.0.1 carries its own name here.
      if (request.headers.host !== new URL(this.origin).host) return end(response, 403);
      const pathname = (request.url ?? "/").replace(/[?#].*$/s, "");
      if (request.method === "POST") return await this.#take(pathname, request, response);
      if (request.method !== "GET" && request.method !== "HEAD") return end(response, 405);
      const path = this.#files.get(pathname) ?? (await this.#inFolder(pathname));
      if (path === null) return end(response, 404);
      await send(path, request, response);
    } catch {
      if (response.headersSent) response.destroy();
      else end(response, 500);
    }
  }

  async #take(url: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sink = this.#sinks.get(url);
    if (!sink) return end(response, 404);
    await pipeline(request, sink, { end: false });
    end(response, 204);
  }

  /** The file behind a path of the pages or the models, links followed; null when there is none inside the folder. */
  async #inFolder(pathname: string): Promise<string | null> {
    let decoded: string;
    try {
      decoded = decodeURIComponent(pathname);
    } catch {
      return null;
    }
    if (decoded.includes("\0") || decoded.includes("\\") || decoded.split("/").includes("..")) return null;
    const inModels = decoded.startsWith("/models/");
    const folder = inModels ? this.#options.models : this.#options.pages;
    const below = inModels ? decoded.slice("/models/".length) : decoded;
    try {
      const [root, path] = await Promise.all([
        realpath(folder),
        realpath(join(folder, below.endsWith("/") ? `${below}index.html` : below)),
      ]);
      return path.startsWith(root + sep) && (await stat(path)).isFile() ? path : null;
    } catch {
      return null;
    }
  }
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status).end();
}

async function send(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { size } = await stat(path);
  const range = parseRange(request.headers.range, size);
  response.setHeader("content-type", MIME[extname(path).toLowerCase()] ?? "application/octet-stream");
  response.setHeader("accept-ranges", "bytes");
  if (range === "unsatisfiable") {
    response.setHeader("content-range", `bytes */${size}`);
    return end(response, 416);
  }
  const { first, last } = range ?? { first: 0, last: size - 1 };
  if (range) response.setHeader("content-range", `bytes ${first}-${last}/${size}`);
  response.setHeader("content-length", last - first + 1);
  response.statusCode = range ? 206 : 200;
  if (request.method === "HEAD" || size === 0) {
    response.end();
    return;
  }
  await pipeline(createReadStream(path, { start: first, end: last }), response);
}
