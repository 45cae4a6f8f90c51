/** The command line's server: ranges and types are right, and nothing of the disk is reachable that was not offered. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PageServer, parseRange } from "../../cli/server";
import { temporaryFolder } from "./cli";

let server: PageServer | undefined;
let folder = "";

beforeEach(async () => {
  folder = temporaryFolder();
  for (const name of ["pages", "models"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "pages/index.html"), "<p>page</p>");
  writeFileSync(join(folder, "models/prompts.jsonl"), "{}\n");
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(
    join(folder, "weights.gguf"),
    Uint8Array.from({ length: 1000 }, (_, i) => i % 251),
  );
  symlinkSync(join(folder, "secret.txt"), join(folder, "pages/link.txt"));
  server = await PageServer.start({ pages: join(folder, "pages"), models: join(folder, "models") });
});

afterEach(() => server?.close());

/** A request whose path goes out as it is written: `fetch` would tidy it up. */
function raw(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(server!.origin);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.once("error", reject).end();
  });
}

test("pages and models, with their types and a strict policy", async () => {
  const page = await fetch(`${server!.origin}/`);
  expect(await page.text()).toBe("<p>page</p>");
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("content-security-policy")).toBe(
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:",
  );
  expect((await fetch(`${server!.origin}/models/prompts.jsonl`)).status).toBe(200);
  expect((await fetch(`${server!.origin}/models/`)).status).toBe(404);
});

test.each([
  "/../secret.txt",
  "/%2e%2e/secret.txt",
  "/..%2fsecret.txt",
  "/models/../../secret.txt",
  "/models/%2e%2e/secret.txt",
  "/models/..%5c..%5csecret.txt",
  "//etc/passwd",
  "/etc/passwd",
  "/index.html%00.txt",
  "/%",
  "/link.txt",
  "/secret.txt",
  "/local/secret.txt",
  "/local/../secret.txt",
])("%s is not served", async (path) => {
  const { status, body } = await raw(path);
  expect(status).toBe(404);
  expect(body).not.toContain("secret");
});

test("an offered file is served by range under a path nobody can guess", async () => {
  const path = server!.offer(join(folder, "weights.gguf"));
  expect(path).toMatch(/^\/local\/[0-9a-f]{24}\/weights\.gguf$/);
  const part = await fetch(server!.origin + path, { headers: { range: "bytes=250-252" } });
  expect(part.status).toBe(206);
  expect(part.headers.get("content-range")).toBe("bytes 250-252/1000");
  expect([...new Uint8Array(await part.arrayBuffer())]).toEqual([250, 0, 1]);
  const whole = await fetch(server!.origin + path);
  expect(whole.status).toBe(200);
  expect((await whole.arrayBuffer()).byteLength).toBe(1000);
  expect((await fetch(server!.origin + path, { headers: { range: "bytes=1000-" } })).status).toBe(416);
  expect((await raw(path.replace("weights.gguf", "secret.txt"))).status).toBe(404);
  expect((await raw(`${path}/../../../secret.txt`)).status).toBe(404);
});

test("another host name is refused", async () => {
  expect((await raw("/", { host: "evil.example" })).status).toBe(403);
});

test("only an announced path takes a POST, piece after piece", async () => {
  const pieces: Buffer[] = [];
  const sink = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(piece);
      done();
    },
  });
  const path = server!.receive(sink);
  for (const body of ["one ", "two"]) {
    expect((await fetch(server!.origin + path, { method: "POST", body })).status).toBe(204);
  }
  expect(Buffer.concat(pieces).toString()).toBe("one two");
  expect((await fetch(`${server!.origin}/upload/guess`, { method: "POST", body: "x" })).status).toBe(404);
  expect((await fetch(`${server!.origin}/index.html`, { method: "PUT", body: "x" })).status).toBe(405);
});

test("ranges", () => {
  expect(parseRange(undefined, 10)).toBeNull();
  expect(parseRange("bytes=0-0", 10)).toEqual({ first: 0, last: 0 });
  expect(parseRange("bytes=5-", 10)).toEqual({ first: 5, last: 9 });
  expect(parseRange("bytes=5-99", 10)).toEqual({ first: 5, last: 9 });
  expect(parseRange("bytes=-3", 10)).toEqual({ first: 7, last: 9 });
  expect(parseRange("bytes=10-", 10)).toBe("unsatisfiable");
  expect(parseRange("bytes=0-0", 0)).toBe("unsatisfiable");
  expect(parseRange("bytes=6-5", 10)).toBe("unsatisfiable");
  expect(parseRange("bytes=0-1,3-4", 10)).toBeNull();
  expect(parseRange("items=0-1", 10)).toBeNull();
});
