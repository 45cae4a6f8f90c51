/** Browsers that run already: Playwright servers and DevTools of a second browser of this machine, one or several, and what goes wrong with them. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserServer, chromium } from "playwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { chromiumFlags, findChromium } from "../../cli/chromium.mjs";
import type { SweepDocument } from "../../src/index";
import { document, GOLDENS, run, start, temporaryFolder } from "./cli";
import { countsOf, linesOf } from "./points";

const MODEL = join(GOLDENS, "llama-tied");
const GENERATE = ["generate", "--model", MODEL, "--prompt-ids", "5,6,7", "--max-new-tokens", "6"];
const SWEEP = [...["sweep", "length", "--models", MODEL, "--values", "4,8,12,16", "--prompt-lengths", "6", "--repetitions", "1"]];

/** A Playwright server with a browser, ended after the test. */
async function playwrightServer(args: readonly string[] = chromiumFlags("swiftshader")): Promise<BrowserServer> {
  const server = await chromium.launchServer({ executablePath: await findChromium(), args: [...args] });
  onTestFinished(() => server.close());
  return server;
}

/** A browser with its DevTools open, as a person starts it. */
async function debuggedBrowser(): Promise<{ child: ChildProcess; url: string }> {
  const profile = mkdtempSync(join(tmpdir(), "ridgepoint-devtools-"));
  const flags = ["--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`];
  const child = spawn(await findChromium(), [...flags, ...chromiumFlags("swiftshader"), "--no-sandbox", "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  const port = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stderr?.on("data", (data) => {
      said += data;
      const found = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(said)?.[1];
      if (found) resolve(found);
    });
    child.once("exit", () => reject(new Error(`the browser ended: ${said}`)));
  });
  return { child, url: `http://127.0.0.1:${port}` };
}

describe("a browser that runs already", () => {
  test("of a Playwright server answers as one of this machine does", async () => {
    const server = await playwrightServer();
    const remote = await document([...GENERATE, "--connect", server.wsEndpoint()]);
    const local = await document([...GENERATE, "--adapter", "swiftshader"]);
    expect(remote.ids).toHaveLength(6);
    expect(remote.ids).toEqual(local.ids);
    expect(remote.device).toEqual(local.device);
  });

  test("with its DevTools open is used and left as it was, its page server on a port of choice", async () => {
    const { url } = await debuggedBrowser();
    const pages = async (): Promise<string[]> =>
      ((await (await fetch(`${url}/json/list`)).json()) as { url: string; type: string }[])
        .filter(({ type }) => type === "page")
        .map((page) => page.url);
    const before = await pages();
    const port = await freePort();
    const [first, second] = [
      await document([...GENERATE, "--cdp", url]),
      await document([...GENERATE, "--cdp", url, "--port", String(port)]),
    ];
    expect(first.ids).toEqual(second.ids);
    expect(await pages()).toEqual(before);
  });

  test("without a WebGPU adapter is a typed error, not another browser", async () => {
    const server = await playwrightServer(["--disable-gpu"]);
    const { status, stderr } = await run(["calibrate", "--connect", server.wsEndpoint()]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error \[no-(adapter|webgpu)\]: .*/m);
    expect(stderr).not.toContain("SwiftShader (a CPU)");
  });
});

describe("a sweep", () => {
  test("over two browsers has the points of one, and goes on where a lost one left it", { timeout: 600_000 }, async () => {
    const folder = temporaryFolder();
    const [one, two] = [await playwrightServer(), await playwrightServer()];
    const both = `${one.wsEndpoint()},${two.wsEndpoint()}`;
    const sharded: SweepDocument = await document([...SWEEP, "--connect", both, "--out", join(folder, "both")]);

    const whole = [...SWEEP, "--out", join(folder, "whole")];
    const points = join(folder, "whole", "length.jsonl");
    const { child, url } = await debuggedBrowser();
    const { ended } = start([...whole, "--cdp", url]);
    await expect.poll(() => linesOf(points).length, { timeout: 300_000, interval: 10 }).toBeGreaterThanOrEqual(2);
    child.kill("SIGKILL");
    const { status, stderr } = await ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(/error \[(network|browser)\]: http:\/\/127\.0\.0\.1:\d+: /);
    const kept = linesOf(points);
    expect(kept.slice(1).map((line) => JSON.parse(line).status)).toEqual(kept.slice(1).map(() => "ok"));

    const resumed: SweepDocument = await document([...whole, "--resume", "--cdp", (await debuggedBrowser()).url]);
    expect(linesOf(points).slice(0, kept.length)).toEqual(kept);
    expect(resumed.points).toHaveLength(resumed.planned);
    expect(sharded.points.map(countsOf)).toEqual(resumed.points.map(countsOf));
    expect(sharded.points.every(({ status }) => status === "ok")).toBe(true);
  });
});

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

test.each([
  [["--connect", "ws://127.0.0.1:9/"], "browser", /ws:\/\/127\.0\.0\.1:9\/: .*expected a Playwright server/],
  [["--cdp", "http://127.0.0.1:9"], "browser", /http:\/\/127\.0\.0\.1:9: .*--remote-debugging-port/],
  [["--connect", "http://127.0.0.1:9"], "bad-option", /--connect: expected ws:\/\/HOST/],
  [["--cdp", "9222"], "bad-option", /--cdp: expected http:\/\/HOST/],
  [["--connect", "ws://a/", "--cdp", "http://a"], "bad-option", /expected one of the two/],
  [["--cdp", "http://a:1,http://b:1"], "bad-option", /only sweep takes several/],
  [["--cdp", "http://a:1", "--browser", "chromium"], "bad-option", /--browser: starts a browser/],
  [["--cdp", "http://a:1", "--headed"], "bad-option", /--headed: starts a browser/],
  [["--port", "0"], "bad-option", /--port: expected a whole number/],
])("calibrate %j: error [%s]", async (args, code, message) => {
  const { status, stderr, stdout } = await run(["calibrate", ...args]);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(new RegExp(`^error \\[${code}\\]: `, "m"));
  expect(stderr).toMatch(message);
});

test("a port that is taken is an error of its own", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const { status, stderr } = await run(["calibrate", "--port", String(port), "--adapter", "swiftshader"]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^error \[bad-option\]: --port \d+: .*EADDRINUSE/m);
});
