/**
 * `npm test`: finds or installs a browser, runs the suites one after another, and ends with `N passed, N failed` over all of them.
 * Tests that were skipped or left to do count as failed: what did not run was not shown to work. So does a suite without tests.
 * The suite `training` alone may be skipped, and is counted so: it needs Python, and for a part PyTorch, which nothing else does.
 *
 *     node test/run.mjs [unit] [browser] [e2e] [training]
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { findChromium } from "../cli/chromium.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const VITEST = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const TRAINING = "training";
const SUITES = ["unit", "browser", "e2e", TRAINING];

/** Lines of an error shown in the list of failures. */
const SHOWN_LINES = 12;

/** Runs one suite; resolves to its exit status. Its own report goes to the terminal as it runs. */
function runVitest(suite, jsonPath) {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${jsonPath}`];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [VITEST, "run", "--project", suite, ...reporters], { cwd: ROOT, stdio: "inherit" });
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => child.kill(signal));
    child.once("error", () => resolve(1));
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** Passed tests and the failures of one suite, each failure with its place and its message. */
async function outcomeOf(suite, status, jsonPath) {
  const report = await readFile(jsonPath, "utf8").then(JSON.parse, () => ({ testResults: [] }));
  const failures = [];
  let passed = 0;
  for (const file of report.testResults) {
    const place = relative(ROOT, file.name);
    // A file that does not even load has a message and no tests.
    if (file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")) {
      failures.push({ name: place, message: file.message || "the file failed outside of its tests" });
    }
    for (const test of file.assertionResults) {
      if (test.status === "passed") passed++;
      else if (test.status === "failed")
        failures.push({ name: `${place} > ${test.fullName}`, message: test.failureMessages.join("\n") });
      else failures.push({ name: `${place} > ${test.fullName}`, message: `UNRUN (${test.status})` });
    }
  }
  if (passed + failures.length === 0) failures.push({ name: `suite ${suite}`, message: "UNRUN: not one test ran" });
  else if (status !== 0 && failures.length === 0)
    failures.push({ name: `suite ${suite}`, message: `vitest exited with ${status}` });
  return { passed, failures };
}

/** Runs the Python tests of training/; their own report goes to the terminal as they run. */
function runTraining() {
  return new Promise((resolve) => {
    const child = spawn("python3", [join(ROOT, "test/training.py")], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => child.kill(signal));
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += text;
    });
    const skip = (message) => resolve({ passed: 0, failures: [], skipped: [{ name: `suite ${TRAINING}`, message }] });
    const fail = (message) => resolve({ passed: 0, failures: [{ name: `suite ${TRAINING}`, message }] });
    child.once("error", ({ code, message }) => (code === "ENOENT" ? skip("there is no python3") : fail(message)));
    child.once("close", (code) => {
      try {
        const outcome = JSON.parse(out.trimEnd().split("\n").at(-1));
        if (outcome.passed + outcome.failures.length + outcome.skipped.length === 0) fail("UNRUN: not one test ran");
        else resolve(outcome);
      } catch {
        fail(`test/training.py exited with ${code}`);
      }
    });
  });
}

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !SUITES.includes(name));
if (unknown.length > 0) {
  console.error(`unknown suite ${unknown.join(", ")}; expected ${SUITES.join(", ")}`);
  process.exit(2);
}

let passed = 0;
const failures = [];
const skipped = [];
const suites = SUITES.filter((name) => chosen.length === 0 || chosen.includes(name));
const folder = await mkdtemp(join(tmpdir(), "ridgepoint-test-"));
try {
  if (suites.some((suite) => suite !== TRAINING)) {
    process.env.RIDGEPOINT_BROWSER = await findChromium({ say: (line) => console.error(line) });
    console.log(`browser: ${process.env.RIDGEPOINT_BROWSER}`);
  }
  for (const suite of suites) {
    const jsonPath = join(folder, `${suite}.json`);
    const outcome = suite === TRAINING ? await runTraining() : await outcomeOf(suite, await runVitest(suite, jsonPath), jsonPath);
    passed += outcome.passed;
    failures.push(...outcome.failures);
    skipped.push(...(outcome.skipped ?? []));
  }
} catch (error) {
  failures.push({ name: "test/run.mjs", message: error instanceof Error ? error.message : String(error) });
} finally {
  await rm(folder, { recursive: true, force: true });
}

for (const { name, message } of failures) {
  // The suite's own report has the differences in full; here, places in this project are enough.
  const lines = message
    .split("\n")
    .filter((line) => !line.includes("node_modules"))
    .slice(0, SHOWN_LINES);
  console.log(`\nFAILED ${name}\n${lines.map((line) => `    ${line}`).join("\n")}`);
}
for (const { name, message } of skipped) console.log(`\nSKIPPED ${name}: ${message}`);
console.log(`\n${passed} passed, ${failures.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`);
process.exitCode = failures.length > 0 ? 1 : 0;
