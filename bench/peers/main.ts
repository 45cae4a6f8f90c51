/** The comparison: one page in one browser on one adapter, its cases one after another, tables and a JSON file. */
import { readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright";
import type { ViteDevServer } from "vite";
import { chromiumEnvironment, chromiumFlags, findChromium } from "../../cli/chromium.mjs";
import { ensure, RidgepointError } from "../../src/errors";
import { kernelCases } from "./cases";
import { endToEndRequest } from "./end-to-end-request";
import { fileHandler, ISOLATION, type Mounts } from "./files";
import { type PeersOptions, parseOptions, USAGE } from "./options";
import type { CaseResult, KernelCase, PeersDocument } from "./protocol";
import { caseTable, contestantTable, documentText } from "./tables";

const here = import.meta.dirname;
const PEERS = ["onnxruntime-web", "@tensorflow/tfjs-core", "@wllama/wllama"];

/** Chromium rounds timestamps to 65 µs unless told otherwise. */
const FINE_CLOCK = "--disable-dawn-features=timestamp_quantization";

async function versionsOf(): Promise<Record<string, string>> {
  const manifest = async (folder: string): Promise<{ name: string; version: string }> =>
    JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const all = [join(here, "../.."), ...PEERS.map((name) => join(here, "node_modules", name))];
  return Object.fromEntries((await Promise.all(all.map(manifest))).map(({ name, version }) => [name, version]));
}

async function openPage(browser: Browser, server: ViteDevServer, { peersWithout }: PeersOptions): Promise<Page> {
  const { port } = server.httpServer!.address() as AddressInfo;
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(`page: ${error.message}`));
  page.on("crash", () => console.error("page: crashed"));
  page.setDefaultTimeout(0);
  const query = new URLSearchParams(peersWithout.map((feature) => ["without", feature]));
  await page.goto(`http://127.0.0.1:${port}/?${query}`);
  await page.waitForFunction(() => globalThis.peers !== undefined, undefined, { timeout: 60_000 });
  return page;
}

/** Runs one kernel case, in the page. */
function runCase(page: Page, given: KernelCase, { effort }: PeersOptions): Promise<CaseResult> {
  return page.evaluate(([each, work]) => globalThis.peers!.run(each, work), [given, effort] as const);
}

async function documentOf(file: string): Promise<PeersDocument> {
  const document = JSON.parse(await readFile(file, "utf8")) as PeersDocument;
  ensure(document.kind === "ridgepoint-peers", "bad-file", `${file}: expected a document of this command, came another one`);
  return document;
}

async function run(options: PeersOptions, given: readonly string[], server: ViteDevServer): Promise<PeersDocument> {
  const mounts: Record<string, string> = { peers: join(here, "node_modules") };
  const request = options.endToEnd ? await endToEndRequest(options, mounts) : null;
  server.middlewares.use(fileHandler(mounts satisfies Mounts));
  // What was added last would answer last, behind Vite's own.
  server.middlewares.stack.unshift(server.middlewares.stack.pop()!);
  server.config.server.headers = { ...ISOLATION };
  await server.listen();
  const executablePath = await findChromium({ browser: options.browser, say: (line) => console.error(line) });
  const args = [...chromiumFlags(options.adapter), FINE_CLOCK];
  const environment = Object.entries(chromiumEnvironment(options.adapter)).filter(([, value]) => value !== undefined);
  const env = Object.fromEntries(environment) as Record<string, string>;
  const browser = await chromium.launch({ executablePath, headless: true, args, env });
  const cases: CaseResult[] = [];
  try {
    const page = await openPage(browser, server, options);
    const device = await page.evaluate((variants) => globalThis.peers!.open(variants), options.effort.variants);
    const document = async (): Promise<PeersDocument> => ({
      kind: "ridgepoint-peers",
      date: new Date().toISOString().slice(0, 10),
      command: `npm start -- ${given.join(" ")}`.trim(),
      browser: `Chromium ${browser.version()}`,
      adapter: options.adapter,
      cpus: `${cpus()[0]?.model ?? "unknown CPU"}, ${availableParallelism()} cores`,
      device,
      versions: await versionsOf(),
      effort: options.effort,
      peersWithout: options.peersWithout,
      cases,
    });
    // Written as it grows, so that what was measured outlasts an interruption.
    const keep = async (): Promise<void> => {
      if (options.out !== undefined) await writeFile(options.out, `${JSON.stringify(await document(), null, 1)}\n`);
    };
    for (const given of kernelCases(options.choice)) {
      const result = await runCase(page, given, options);
      cases.push(result);
      console.error((options.all ? contestantTable : caseTable)([result]).split("\n").slice(2).join("\n").trimEnd());
      await keep();
    }
    if (request) {
      cases.push(...(await page.evaluate((each) => globalThis.peers!.endToEnd(each), request)));
      await keep();
    }
    return await document();
  } finally {
    await browser.close();
  }
}

/** Runs the command. Gives its exit status: 1 where one of our own kernels failed or was wrong. */
export async function main(server: ViteDevServer, args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const earlier = await Promise.all(options.merge.map(documentOf));
  const ran = options.choice.topics.length > 0 ? [await run(options, args, server)] : [];
  const [first, ...rest] = [...earlier, ...ran];
  if (!first) throw new RidgepointError("usage", "--only none: expected --merge FILE, there is nothing to print");
  const others = rest.filter(({ adapter }) => adapter !== first.adapter);
  ensure(
    others.length === 0,
    "usage",
    () => `--merge: expected documents of one adapter (${first.adapter}), came ${others[0]!.adapter}`,
  );
  const cases = [first, ...rest].flatMap((document) => document.cases);
  process.stdout.write(documentText({ ...first, cases }, options.all));
  const failed = cases.flatMap(({ name, outcomes }) =>
    outcomes.flatMap(({ engine, standing, note }) =>
      engine === "ridgepoint" && standing !== "counts" ? [`${name}: ${standing}, ${note}`] : [],
    ),
  );
  for (const line of failed) console.error(`ridgepoint, ${line}`);
  return failed.length > 0 ? 1 : 0;
}
