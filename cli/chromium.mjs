/**
 * Finds a Chromium on this machine, or installs one, and names the switches it is started with. Plain JavaScript, because the test
 * configuration and the test runner read it before anything is built. It does not know how to start or drive a browser (`browser.ts`).
 *
 * Order: an explicit path or name, a Chromium or Chrome of the system, Playwright's own, Playwright's download, apt-get.
 */
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { LAVAPIPE_FLAGS, lavapipeEnvironment } from "./lavapipe.mjs";

const NAMES = { chromium: ["chromium", "chromium-browser"], chrome: ["google-chrome-stable", "google-chrome", "chrome"] };
const LINUX = {
  chromium: ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/snap/bin/chromium", "/usr/lib/chromium/chromium"],
  chrome: ["/usr/bin/google-chrome-stable", "/usr/bin/google-chrome", "/opt/google/chrome/chrome"],
};

/** No traffic and no questions of its own, so that nothing but the page runs while it is timed. */
const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
];

function isExecutable(path) {
  try {
    if (!statSync(path).isFile()) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where an installer of each system puts the browser. */
function commonPlaces(kind) {
  const { env, platform } = process;
  if (platform === "darwin") {
    const app = kind === "chrome" ? "Google Chrome" : "Chromium";
    return ["/Applications", join(env.HOME ?? "", "Applications")].map((folder) =>
      join(folder, `${app}.app/Contents/MacOS/${app}`),
    );
  }
  if (platform === "win32") {
    const folder = kind === "chrome" ? "Google\\Chrome" : "Chromium";
    const roots = [env.PROGRAMFILES, env["PROGRAMFILES(X86)"], env.LOCALAPPDATA].filter(Boolean);
    return roots.map((root) => join(root, folder, "Application", "chrome.exe"));
  }
  return LINUX[kind];
}

function ofTheSystem(kind) {
  const suffix = process.platform === "win32" ? ".exe" : "";
  const inPath = (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => NAMES[kind].map((name) => join(folder, name + suffix)));
  return [...commonPlaces(kind), ...inPath].find(isExecutable);
}

/** Path of Playwright's own Chromium, when it has been downloaded. */
async function playwrightsOwn() {
  const { chromium } = await import("playwright");
  const path = chromium.executablePath();
  return path && isExecutable(path) ? path : undefined;
}

/** Runs a program with its output on our stderr; resolves whether it ended well in time. */
function succeeds(program, args, timeoutMs) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ["ignore", process.stderr, process.stderr],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    const kill = () => child.kill();
    process.once("exit", kill);
    child.once("error", () => resolve(false));
    child.once("exit", (code) => {
      process.off("exit", kill);
      resolve(code === 0);
    });
  });
}

function downloadWithPlaywright() {
  const folder = dirname(createRequire(import.meta.url).resolve("playwright/package.json"));
  return succeeds(process.execPath, [join(folder, "cli.js"), "install", "chromium"], 300_000);
}

async function installWithApt() {
  const install = ["install", "-y", "--no-install-recommends", "chromium"];
  if (await succeeds("apt-get", install, 600_000)) return true;
  return (await succeeds("apt-get", ["update"], 300_000)) && (await succeeds("apt-get", install, 600_000));
}

function failure(message) {
  return Object.assign(new Error(message), { code: "browser" });
}

/** See `chromium.d.mts`. */
export async function findChromium({ browser, install = true, say = () => {} } = {}) {
  const wanted = browser ?? (process.env.RIDGEPOINT_BROWSER || undefined);
  if (wanted !== undefined && wanted !== "chromium" && wanted !== "chrome") {
    if (isExecutable(wanted)) return wanted;
    throw failure(`${wanted}: expected the path of an executable browser, "chromium" or "chrome"`);
  }
  if (wanted === "chrome") {
    const path = ofTheSystem("chrome");
    if (path) return path;
    throw failure("no Chrome found on this system; install it, or give --browser PATH");
  }
  const found = ofTheSystem("chromium") ?? (wanted ? undefined : ofTheSystem("chrome")) ?? (await playwrightsOwn());
  if (found) return found;

  const tried = ["Chromium and Chrome on this system", "Playwright's own Chromium"];
  if (install) {
    say("no Chromium found; downloading one with Playwright");
    tried.push("playwright install chromium");
    const own = (await downloadWithPlaywright()) ? await playwrightsOwn() : undefined;
    if (own) return own;
    if (process.platform === "linux" && process.getuid() === 0 && existsSync("/usr/bin/apt-get")) {
      say("installing chromium with apt-get");
      tried.push("apt-get install chromium");
      const path = (await installWithApt()) ? ofTheSystem("chromium") : undefined;
      if (path) return path;
    }
  }
  throw failure(`no Chromium found (tried: ${tried.join(", ")}); install Chrome or Chromium, or give --browser PATH`);
}

/** See `chromium.d.mts`. */
export function chromiumFlags(adapter) {
  const flags = [...QUIET, "--enable-unsafe-webgpu"];
  if (adapter === "swiftshader") flags.push("--use-webgpu-adapter=swiftshader");
  if (adapter === "lavapipe") flags.push(...LAVAPIPE_FLAGS);
  // Chromium's sandbox cannot start as root, and most CI containers forbid the namespaces it needs.
  if (process.platform === "linux" && (process.getuid() === 0 || process.env.CI)) flags.push("--no-sandbox");
  return [...flags, ...(process.env.RIDGEPOINT_CHROMIUM_FLAGS ?? "").split(/\s+/).filter(Boolean)];
}

/** See `chromium.d.mts`. */
export function chromiumEnvironment(adapter, subgroupSize) {
  return adapter === "lavapipe" ? lavapipeEnvironment(subgroupSize) : process.env;
}
