/** What the comparison's server hands to its page, and what it does not. */
import { mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fileHandler } from "../../../bench/peers/files";

const folder = mkdtempSync(join(tmpdir(), "peers-"));
const outside = mkdtempSync(join(tmpdir(), "outside-"));
writeFileSync(join(folder, "model.gguf"), "0123456789");
writeFileSync(join(folder, "glue.mjs"), "export {};");
writeFileSync(join(outside, "secret"), "secret");
symlinkSync(join(outside, "secret"), join(folder, "link"));

const handler = fileHandler({ files: folder });
const server = createServer((request, response) => handler(request, response, () => response.writeHead(418).end()));
let origin = "";
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

test("the page is isolated, and files are served with their type", async () => {
  const page = await fetch(`${origin}/`);
  expect(await page.text()).toContain("/bench/peers/page/page.ts");
  expect(page.headers.get("cross-origin-opener-policy")).toBe("same-origin");
  const glue = await fetch(`${origin}/files/glue.mjs?import`);
  expect(glue.headers.get("content-type")).toMatch(/javascript/);
  expect(glue.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
});

test("ranges", async () => {
  const some = await fetch(`${origin}/files/model.gguf`, { headers: { Range: "bytes=2-4" } });
  expect([some.status, await some.text(), some.headers.get("content-range")]).toEqual([206, "234", "bytes 2-4/10"]);
  expect((await fetch(`${origin}/files/model.gguf`, { headers: { Range: "bytes=20-" } })).status).toBe(416);
});

test.each(["/files/none", "/files/..%2f..%2fetc%2fpasswd", "/files/link", "/files/"])("%s is not served", async (path) => {
  const { status } = await fetch(`${origin}${path}`);
  expect(status).toBe(404);
});

test("what is not mounted is the next one's", async () => {
  expect((await fetch(`${origin}/src/index.ts`)).status).toBe(418);
});
