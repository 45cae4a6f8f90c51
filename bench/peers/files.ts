/**
 * What the page loads that is not this project's source: the peers' packages as they were shipped, and models of this machine. Both come from the page's
 * own origin, untransformed. It serves nothing else of the disk.
 */
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";
import { parseRange } from "../../cli/server";

const MIME: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".wasm": "application/wasm",
};

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Ridgepoint and its peers</title>
<script type="module" src="/bench/peers/page/page.ts"></script>
</html>
`;

/** Shared memory and a fine clock need a page that is isolated from other origins. */
export const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
} as const;

/** Folders and files by the first part of their address. */
export type Mounts = Readonly<Record<string, string>>;

type Handler = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** The file an address means, or null where it lies outside its mount. */
async function fileOf(mounts: Mounts, path: string): Promise<string | null> {
  const [, first = "", ...rest] = decodeURIComponent(path).split("/");
  const mount = mounts[first];
  if (mount === undefined) return null;
  const root = await realpath(mount);
  const file = await realpath(join(root, ...rest));
  return file.startsWith(root + sep) && (await stat(file)).isFile() ? file : null;
}

async function send(file: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { size } = await stat(file);
  const range = parseRange(request.headers.range, size);
  if (range === "unsatisfiable") {
    response.writeHead(416, { "Content-Range": `bytes */${size}` }).end();
    return;
  }
  const headers = {
    ...ISOLATION,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Type": MIME[extname(file)] ?? "application/octet-stream",
    "Accept-Ranges": "bytes",
  };
  if (range) {
    const { first, last } = range;
    const length = { "Content-Range": `bytes ${first}-${last}/${size}`, "Content-Length": last - first + 1 };
    response.writeHead(206, { ...headers, ...length });
  } else response.writeHead(200, { ...headers, "Content-Length": size });
  if (request.method === "HEAD") response.end();
  else createReadStream(file, range ? { start: range.first, end: range.last } : {}).pipe(response);
}

/** Answers for the page and the mounts; everything else is the next one's. */
export function fileHandler(mounts: Mounts): Handler {
  return (request, response, next) => {
    const { pathname } = new URL(request.url ?? "/", "http://page");
    if (pathname === "/") {
      response.writeHead(200, { ...ISOLATION, "Content-Type": "text/html; charset=utf-8" }).end(PAGE);
      return;
    }
    if (!((pathname.split("/")[1] ?? "") in mounts)) {
      next();
      return;
    }
    const refuse = (): void => void response.writeHead(404, ISOLATION).end();
    fileOf(mounts, pathname)
      .then((file) => (file ? send(file, request, response) : refuse()))
      .catch(refuse);
  };
}
