/** Runs the performance tests for `test/run.mjs`: what passed, and the failures with place and message. Their own report goes to the terminal as they run. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = join(dirname(createRequire(import.meta.url).resolve("@playwright/test/package.json")), "cli.js");

/** Every test of a suite and of the suites in it. */
const specsOf = ({ specs = [], suites = [] }) => [...specs, ...suites.flatMap(specsOf)];

function runPlaywright(jsonPath) {
  const args = [CLI, "test", "--config", join(ROOT, "test/perf/playwright.config.ts"), "--reporter=list,json"];
  const env = { ...process.env, PLAYWRIGHT_JSON_OUTPUT_FILE: jsonPath };
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit", env });
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => child.kill(signal));
    child.once("error", () => resolve(1));
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** @returns {Promise<{ passed: number, failures: { name: string, message: string }[] }>} tests that did not run are failures */
export async function runPerf() {
  const folder = await mkdtemp(join(tmpdir(), "ridgepoint-perf-"));
  try {
    const jsonPath = join(folder, "perf.json");
    const status = await runPlaywright(jsonPath);
    const report = await readFile(jsonPath, "utf8").then(JSON.parse, () => ({}));
    const failures = (report.errors ?? []).map(({ message }) => ({ name: "suite perf", message }));
    let passed = 0;
    for (const { file, title, tests } of specsOf(report)) {
      for (const { projectName, results, status: outcome } of tests) {
        const last = results.at(-1);
        if (outcome === "expected" && last?.status === "passed") passed++;
        else {
          const message = last?.error?.message ?? `UNRUN (${outcome})`;
          failures.push({ name: `test/perf/${file} [${projectName}] > ${title}`, message });
        }
      }
    }
    if (passed + failures.length === 0) failures.push({ name: "suite perf", message: "UNRUN: not one test ran" });
    else if (status !== 0 && failures.length === 0)
      failures.push({ name: "suite perf", message: `Playwright exited with ${status}` });
    return { passed, failures };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
