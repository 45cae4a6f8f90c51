/**
 * Sets lavapipe up for tests: fetches it unless it is there, and makes sure that a browser takes it. Whatever goes wrong is a reason in
 * words, for whoever asked to print.
 *
 *     node test/lavapipe/lavapipe.mjs      prints its folder
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromiumEnvironment, chromiumFlags, findChromium } from "../../cli/chromium.mjs";
import { lavapipeFolder } from "../../cli/lavapipe.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** Longest time that fetching may take; 7 s where LLVM is installed, 30 s where it is not. */
const FETCH_MS = 60_000;
const START_MS = 30_000;

/** Changes whenever the way it is made does. */
async function recipe() {
  const hash = createHash("sha256");
  for (const name of ["setup.sh", "shim.c"]) hash.update(await readFile(join(HERE, name)));
  return hash.digest("hex");
}

/** Runs `setup.sh`; resolves to what went wrong, or undefined. */
function fetchInto(folder, recipe) {
  return new Promise((resolve) => {
    const child = spawn("bash", [join(HERE, "setup.sh"), folder, recipe], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    let said = "";
    let late = false;
    // Its whole group: apt-get has children of its own.
    const kill = () => {
      try {
        process.kill(-child.pid, "SIGTERM");
      } catch {
        // It has ended.
      }
    };
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, FETCH_MS);
    process.once("exit", kill);
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    const end = (reason) => {
      clearTimeout(timer);
      process.off("exit", kill);
      resolve(reason);
    };
    child.once("error", ({ message }) => end(message));
    child.once("close", (code) => {
      const lines = said.split("\n").filter((line) => line.trim() !== "");
      if (code === 0) end(undefined);
      else
        end(
          late
            ? `fetching it took longer than ${FETCH_MS / 1000} s`
            : lines.slice(-2).reverse().join(" | ") || `setup.sh ended with ${code}`,
        );
    });
  });
}

/** What a page sees of the adapter; undefined where it is lavapipe. */
async function refusalOf(executablePath) {
  const { chromium } = await import("playwright");
  const launch = { executablePath, args: chromiumFlags("lavapipe"), env: chromiumEnvironment("lavapipe"), timeout: START_MS };
  const browser = await chromium.launch(launch);
  try {
    const page = await browser.newPage();
    // WebGPU wants a secure context.
    await page.route("https://lavapipe.test/", (route) => route.fulfill({ contentType: "text/html", body: "" }));
    await page.goto("https://lavapipe.test/");
    const found = await page.evaluate(async () => {
      const adapter = await navigator.gpu?.requestAdapter();
      return adapter ? `${adapter.info.vendor} ${adapter.info.architecture}` : "none";
    });
    return found === "mesa software" ? undefined : `expected the browser's adapter to be "mesa software", it is ${found}`;
  } finally {
    await browser.close();
  }
}

/**
 * Makes lavapipe ready for browsers started with `chromiumFlags("lavapipe")` and `chromiumEnvironment("lavapipe")`.
 *
 * @param options.say receives a line before something slow
 * @param options.probe whether a browser is started to see that it takes the adapter
 * @returns why it cannot be used, or undefined where it can
 */
export async function setUpLavapipe({ say = () => {}, probe = true } = {}) {
  if (process.platform !== "linux") return `lavapipe is set up on Linux alone, this is ${process.platform}`;
  const folder = lavapipeFolder();
  const wanted = await recipe();
  const stamp = join(folder, "recipe");
  try {
    if ((await readFile(stamp, "utf8").catch(() => "")) !== wanted) {
      if (existsSync(folder) && !existsSync(join(folder, "icd.json"))) return `${folder} is there already and is not lavapipe's`;
      say(`fetching lavapipe into ${folder}`);
      await rm(folder, { recursive: true, force: true });
      await mkdir(join(folder, ".."), { recursive: true });
      const reason = await fetchInto(folder, wanted);
      if (reason) return reason;
    }
    return probe ? await refusalOf(await findChromium({ say })) : undefined;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0];
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const reason = await setUpLavapipe({ say: (line) => console.error(line) });
  if (reason) console.error(`lavapipe cannot be used: ${reason}`);
  else console.log(lavapipeFolder());
  process.exitCode = reason ? 1 : 0;
}
