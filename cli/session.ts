/** One command's browser, server and page, from start to end; calls into the page with typed errors coming out. */
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Browser, Page } from "playwright";
import { type DeviceProfile, type ErrorCode, RidgepointError } from "../src/index";
import { type BrowserOptions, firstLine, isRemote, openBrowser } from "./browser";
import type { AdapterChoice } from "./chromium.mjs";
import { closeLater } from "./cleanup";
import { MODELS, type ModelSpec, offerModel, originsOf, PACKAGE } from "./models";
import { ProgressLine, say } from "./output";
import type { LoadedModel, Outcome, PageApi, PageEvent, Role, Room } from "./protocol";
import { type PeakMemory, UNKNOWN_PEAK, withPeakMemory } from "./renderer-memory";
import { PageServer } from "./server";

/** Options that every command with a browser has. */
export interface SessionOptions extends BrowserOptions {
  readonly adapter: AdapterChoice;
  /** Longest time a single call into the page may take, s. */
  readonly timeout: number;
  /** Port of this machine for the page's server. Default: a free one. */
  readonly port?: number;
  /** JavaScript that the page runs before its own. */
  readonly initScripts?: readonly string[];
}

/** `device` of every JSON document. */
export interface DeviceDocument extends DeviceProfile {
  /** Name and version, e.g. `Chromium 141.0.7390.37`. */
  readonly browser: string;
}

/** `load` of a document. */
export interface LoadDocument extends PeakMemory {
  readonly ms: number;
  readonly fileBytes: number;
}

/** A browser that goes is noticed this long after a call that it took with it, ms. */
const LEAVING_MS = 500;

/** Why a page is gone: a browser elsewhere may be well, and only the connection lost, which says nothing of what ran. */
function endedError({ connect, cdp }: BrowserOptions): RidgepointError {
  const endpoint = connect ?? cdp;
  if (endpoint === undefined) return new RidgepointError("browser", "the browser ended before the command did");
  return new RidgepointError(
    "network",
    `${endpoint}: the connection was lost before the command ended; is the browser still there?`,
  );
}

type Answer<K extends keyof PageApi> = Awaited<ReturnType<PageApi[K]>>;
type Call = <K extends keyof PageApi>(name: K, ...request: Parameters<PageApi[K]>) => Promise<Answer<K>>;

/** What a command drives. */
export interface Session {
  readonly device: DeviceDocument;
  readonly server: PageServer;
  /** Calls a function of the page; throws what it threw, `timeout`, or `browser` when the page is gone. */
  readonly call: Call;
  /** Loads a model in place of the one before, with progress on stderr. */
  load(spec: ModelSpec, room?: Room, role?: Role): Promise<LoadedModel & { readonly load: LoadDocument }>;
  /** Called for every step of a streamed generation. */
  onStep: ((event: Extract<PageEvent, { kind: "step" }>) => void) | null;
}

/**
 * Runs `work` with a page in a browser, and closes all of it after.
 *
 * @param specs models the work will load: the page may fetch from their origins
 * @throws RidgepointError `browser`, `no-webgpu`, `no-adapter`, `timeout`, and whatever the page and `work` throw
 */
export async function withSession<T>(
  options: SessionOptions,
  specs: readonly ModelSpec[],
  work: (session: Session) => Promise<T>,
): Promise<T> {
  return withSessionFor(options, [...new Set(specs.flatMap(originsOf))], work);
}

/** As {@link withSession}, for models that are not known yet: the page may fetch from `connect`, origins or schemes. */
export async function withSessionFor<T>(
  options: SessionOptions,
  connect: readonly string[],
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const server = await PageServer.start({ pages: join(PACKAGE, "dist/pages"), models: MODELS, connect, port: options.port });
  const closeServer = closeLater(() => server.close());
  try {
    return await withBrowser(options, server, options.adapter, work);
  } catch (error) {
    const fallback = options.adapter === "default" && !isRemote(options) && isCode(error, "no-adapter");
    if (!fallback) throw error;
    return await withBrowser(options, server, "swiftshader", async (session) => {
      say("this browser has no WebGPU adapter by default; it was started again with SwiftShader (a CPU)");
      return work(session);
    });
  } finally {
    await closeServer();
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof RidgepointError && error.code === code;
}

async function withBrowser<T>(
  options: SessionOptions,
  server: PageServer,
  adapter: AdapterChoice,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const browser = await openBrowser(options, adapter, say);
  const closeBrowser = closeLater(() => browser.close());
  let closePage = async () => {};
  try {
    const page = await (browser.contexts()[0] ?? browser).newPage();
    // A browser that is not ours stays, our page in it does not.
    closePage = closeLater(() => page.close());
    return await work(await openSession(page, browser, server, options));
  } finally {
    // What is gone already cannot be closed, and why it is gone has been said.
    await closePage().catch(() => undefined);
    await closeBrowser().catch(() => undefined);
  }
}

async function openSession(page: Page, browser: Browser, server: PageServer, options: SessionOptions): Promise<Session> {
  const progress = new ProgressLine();
  const receive = (event: PageEvent) => {
    if (event.kind === "progress") progress.update(event);
    else session.onStep?.(event);
  };
  await page.exposeFunction("ridgepointEvent", receive);
  for (const content of options.initScripts ?? []) await page.addInitScript({ content });
  const gone = new Promise<never>((_, reject) => {
    page.once("crash", () => reject(new RidgepointError("browser", "the page crashed, most likely out of memory")));
    browser.once("disconnected", () => reject(endedError(options)));
  });
  gone.catch(() => undefined);
  if (process.env.RIDGEPOINT_DEBUG) {
    page.on("console", (message) => say(`[page] ${message.text()}`));
    page.on("pageerror", (error) => say(`[page] ${error.stack ?? error.message}`));
  }

  const call: Call = async <K extends keyof PageApi>(name: K, ...[request]: Parameters<PageApi[K]>): Promise<Answer<K>> => {
    const { promise: late, timer } = timeLimit(options.timeout, name);
    try {
      const answer = page.evaluate<Outcome<unknown>, { name: keyof PageApi; request: unknown }>(
        ({ name, request }) => window.ridgepoint[name](request),
        { name, request },
      );
      const outcome = await Promise.race([answer, gone, late]).catch(async (cause: unknown) => {
        if (cause instanceof RidgepointError) throw cause;
        // Whatever a call dies of when its browser goes: that the browser went is told a moment later.
        await Promise.race([gone, setTimeout(LEAVING_MS)]);
        throw new RidgepointError("browser", firstLine(cause instanceof Error ? cause.message : String(cause)), { cause });
      });
      if ("error" in outcome) throw new RidgepointError(outcome.error.code as ErrorCode, outcome.error.message);
      return outcome.value as Answer<K>;
    } finally {
      clearTimeout(timer);
      progress.done();
    }
  };

  const url = `${server.origin}/cli/page/index.html`;
  await page.goto(url).catch((cause: Error) => {
    const { port } = new URL(url);
    const hint = options.cdp === undefined ? "" : `; a phone needs --port N and \`adb reverse tcp:N tcp:N\` (N is ${port} now)`;
    throw new RidgepointError("browser", `the browser cannot reach ${url}: ${firstLine(cause.message)}${hint}`, { cause });
  });
  await page
    .waitForFunction(() => window.ridgepoint !== undefined, null, { timeout: 30_000 })
    .catch((cause: Error) => {
      throw new RidgepointError("browser", "the page did not start; this browser may be too old (Chrome ≥ 113 is needed)", {
        cause,
      });
    });

  const device = await call("device");
  const name = browser.browserType().name();
  const session: Session = {
    device: { ...device, browser: `${name[0]!.toUpperCase()}${name.slice(1)} ${browser.version()}` },
    server,
    call,
    onStep: null,
    async load(spec, room = {}, role = "answer") {
      const model = await offerModel(spec, server);
      const work = () => call("load", { model, role, ...room });
      const { value: loaded, peak } = isRemote(options)
        ? { value: await work(), peak: UNKNOWN_PEAK }
        : await withPeakMemory(browser, work);
      return { ...loaded, load: { ms: loaded.ms, fileBytes: loaded.fileBytes, ...peak } };
    },
  };
  return session;
}

function timeLimit(seconds: number, what: string): { promise: Promise<never>; timer: NodeJS.Timeout } {
  let timer!: NodeJS.Timeout;
  const promise = new Promise<never>((_, reject) => {
    const expire = () => reject(new RidgepointError("timeout", `${what} took longer than ${seconds} s; give --timeout S`));
    timer = globalThis.setTimeout(expire, seconds * 1000);
  });
  promise.catch(() => undefined);
  return { promise, timer };
}
