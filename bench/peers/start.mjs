#!/usr/bin/env node
/** Starts the comparison: a development server of this project's sources, which `main.ts` and the page are loaded through. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

for (const [folder, name] of [
  [root, "vite"],
  [here, "onnxruntime-web"],
]) {
  if (existsSync(`${folder}/node_modules/${name}`)) continue;
  console.error(`error [usage]: ${name} is not installed; run "npm ci" in ${folder}`);
  process.exit(2);
}

const { createServer } = await import("vite");
const server = await createServer({
  root,
  configFile: false,
  publicDir: false,
  cacheDir: `${here}.cache/vite`,
  logLevel: "error",
  appType: "custom",
  // Files that change while a run goes on must not reload its page.
  server: { host: "127.0.0.1", port: 0, hmr: false, ws: false, watch: null },
  // Found at start for the same reason.
  optimizeDeps: { noDiscovery: true, include: ["@huggingface/jinja", "@huggingface/tokenizers"] },
});
try {
  const { main } = await server.ssrLoadModule("/bench/peers/main.ts");
  process.exitCode = await main(server, process.argv.slice(2));
} catch (cause) {
  // What is thrown on purpose has a code of this project's and says what to do; anything else is a fault, with its place.
  const expected = /^[a-z]+(-[a-z]+)*$/.test(cause?.code ?? "");
  console.error(expected ? `error [${cause.code}]: ${cause.message}` : `error: ${cause?.stack ?? cause}`);
  process.exitCode = cause?.code === "usage" ? 2 : 1;
} finally {
  await server.close();
}
