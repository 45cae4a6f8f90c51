/** Starts a browser, or connects to one that runs. It knows nothing of the page. */
import type { Browser } from "playwright";
import { RidgepointError } from "../src/index";
import { type AdapterChoice, chromiumEnvironment, chromiumFlags, findChromium } from "./chromium.mjs";

/** Where the browser comes from. */
export interface BrowserOptions {
  /** A path, `chromium` or `chrome`. */
  readonly browser?: string;
  readonly headed?: boolean;
  /** Switches of the browser beside ours. */
  readonly args?: readonly string[];
  /** WebSocket address of a Playwright server. */
  readonly connect?: string;
  /** Address of a browser's DevTools. */
  readonly cdp?: string;
}

/** Connecting, or starting up on a busy machine, takes no longer, ms. */
const START_TIMEOUT_MS = 120_000;

/** Whether the browser is somebody else's, so that its switches and its processes are not ours. */
export function isRemote({ connect, cdp }: BrowserOptions): boolean {
  return connect !== undefined || cdp !== undefined;
}

/**
 * Opens the browser with the chosen adapter. The caller closes it.
 *
 * @param say receives a line when a browser has to be installed first
 * @throws RidgepointError `browser`: none found, or it does not start or answer
 */
export async function openBrowser(
  options: BrowserOptions,
  adapter: AdapterChoice,
  say: (line: string) => void,
): Promise<Browser> {
  // Playwright takes a third of a second to load: only now.
  const { chromium } = await import("playwright");
  const { browser, headed = false, args = [], connect, cdp } = options;
  try {
    // The page lies on this machine's loopback, which a remote browser reaches through the connection.
    if (connect !== undefined) return await chromium.connect(connect, { timeout: START_TIMEOUT_MS, exposeNetwork: "<loopback>" });
    if (cdp !== undefined) return await chromium.connectOverCDP(cdp, { timeout: START_TIMEOUT_MS });
    return await chromium.launch({
      executablePath: await findChromium({ browser, say }),
      headless: !headed,
      args: [...chromiumFlags(adapter), ...args],
      env: chromiumEnvironment(adapter),
      timeout: START_TIMEOUT_MS,
      // `cleanup.ts` ends the browser, after which the exit status is ours to choose.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    });
  } catch (cause) {
    const what = connect ?? cdp ?? "the browser did not start";
    const expected =
      connect !== undefined
        ? "; expected a Playwright server of this version there (npx playwright run-server)"
        : cdp !== undefined
          ? "; expected a Chrome with --remote-debugging-port there, or a phone's through adb forward"
          : "";
    const reason = cause instanceof Error ? firstLine(cause.message) : String(cause);
    const ours = cause instanceof Error && "code" in cause && cause.code === "browser";
    throw new RidgepointError("browser", ours ? reason : `${what}: ${reason}${expected}`, { cause });
  }
}

/** Playwright's messages go on with a call log. */
export function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? message;
}
