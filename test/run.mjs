/**
 * `npm test`: finds or installs a browser, runs the suites one after another, and ends with `N passed, N failed` over all of them.
 * Tests that were skipped or left to do count as failed: what did not run was not shown to work. So does a suite without tests.
 *
 * Two things may be skipped, and are counted so, each with its reason: `training` needs Python, and for a part PyTorch, which nothing else
 * does; the suites on `lavapipe` run when they are named. A test that one adapter cannot run counts where another ran it.
 *
 *     node test/run.mjs [unit] [browser] [lavapipe] [lavapipe-4] [lavapipe-16] [e2e] [perf] [training]
 *
 * What is named must run: then lavapipe that cannot be set up is a failure.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { findChromium } from "../cli/chromium.mjs";
import { ADAPTERS, environmentOf } from "./adapters.mjs";
import { setUpLavapipe } from "./lavapipe/lavapipe.mjs";
import { runPerf } from "./perf/suite.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const VITEST = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const TRAINING = "training";
/** Suites that are not Vitest's, by what runs them. */
const RUNNERS = { perf: runPerf, [TRAINING]: runTraining };
const SUITES = ["unit", ...Object.keys(ADAPTERS), "e2e", ...Object.keys(RUNNERS)];
const isLavapipe = (suite) => ADAPTERS[suite]?.name === "lavapipe";

/** Lines of an error shown in the list of failures. */
const SHOWN_LINES = 12;

/** Runs one suite; resolves to its exit status. Its own report goes to the terminal as it runs. */
function runVitest(suite, jsonPath) {
  const adapter = ADAPTERS[suite];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${jsonPath}`];
  const args = [VITEST, "run", "--project", adapter ? "browser" : suite, ...reporters];
  const env = adapter ? { ...process.env, ...environmentOf(adapter) } : process.env;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit", env });
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => child.kill(signal));
    child.once("error", () => resolve(1));
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

/** Of one suite: names of passed tests, failures with place and message, tests that did not run. */
async function outcomeOf(suite, status, jsonPath) {
  const report = await readFile(jsonPath, "utf8").then(JSON.parse, () => ({ testResults: [] }));
  const label = isLavapipe(suite) ? `[${suite}] ` : "";
  const [passed, failures, unrun, executed] = [[], [], [], new Set()];
  for (const file of report.testResults) {
    const place = relative(ROOT, file.name);
    // A file that does not even load has a message and no tests.
    if (file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed")) {
      failures.push({ name: label + place, message: file.message || "the file failed outside of its tests" });
    }
    for (const test of file.assertionResults) {
      const name = `${place} > ${test.fullName}`;
      for (const kernel of test.meta?.executed ?? []) executed.add(kernel);
      if (test.status === "passed") passed.push(name);
      else if (test.status === "failed") failures.push({ name: label + name, message: test.failureMessages.join("\n") });
      else unrun.push({ suite, name, message: `UNRUN (${test.status})` });
    }
  }
  if (passed.length + failures.length === 0) failures.push({ name: `suite ${suite}`, message: "UNRUN: not one test ran" });
  else if (status !== 0 && failures.length === 0)
    failures.push({ name: `suite ${suite}`, message: `vitest exited with ${status}` });
  if (isLavapipe(suite)) failures.push(...missingOn(suite, executed));
  return { passed, failures, unrun };
}

/** lavapipe is there for kernels that SwiftShader cannot run: a run without them shows nothing. */
function missingOn(suite, executed) {
  return ["f16", "subgroups"].flatMap((feature) => {
    const kernels = [...executed].filter((name) => name.split(": ")[1]?.split(" ").includes(feature));
    console.log(`${suite}: ${kernels.length} kernels that need ${feature} were executed`);
    return kernels.length > 0 ? [] : [{ name: `suite ${suite}`, message: `UNRUN: no kernel that needs ${feature} was executed` }];
  });
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
const unrun = [];
const ran = new Set();
let suites = SUITES.filter((name) => (chosen.length === 0 ? !isLavapipe(name) : chosen.includes(name)));
const say = (line) => console.error(line);
const folder = await mkdtemp(join(tmpdir(), "ridgepoint-test-"));
/** Its compiler takes more than a minute over some attention kernels, so that their tests do not end in time. */
let withoutLavapipe = chosen.length === 0 ? "its suites run when they are named: they do not all pass yet" : undefined;
if (withoutLavapipe)
  skipped.push(...SUITES.filter(isLavapipe).map((suite) => ({ name: `suite ${suite}`, message: withoutLavapipe })));
try {
  if (suites.some((suite) => suite !== TRAINING)) {
    process.env.RIDGEPOINT_BROWSER = await findChromium({ say });
    console.log(`browser: ${process.env.RIDGEPOINT_BROWSER}`);
  }
  if (suites.some(isLavapipe)) {
    withoutLavapipe = await setUpLavapipe({ say });
    if (withoutLavapipe) {
      failures.push(...suites.filter(isLavapipe).map((suite) => ({ name: `suite ${suite}`, message: withoutLavapipe })));
      suites = suites.filter((suite) => !isLavapipe(suite));
    }
  }
  for (const suite of suites) {
    if (RUNNERS[suite]) {
      const outcome = await RUNNERS[suite]();
      passed += outcome.passed;
      failures.push(...outcome.failures);
      skipped.push(...(outcome.skipped ?? []));
      continue;
    }
    const jsonPath = join(folder, `${suite}.json`);
    const outcome = await outcomeOf(suite, await runVitest(suite, jsonPath), jsonPath);
    passed += outcome.passed.length;
    for (const name of outcome.passed) ran.add(name);
    failures.push(...outcome.failures);
    unrun.push(...outcome.unrun);
  }
} catch (error) {
  failures.push({ name: "test/run.mjs", message: error instanceof Error ? error.message : String(error) });
} finally {
  await rm(folder, { recursive: true, force: true });
}
const elsewhere = suites.includes("lavapipe") ? undefined : (withoutLavapipe ?? "not among the suites of this run");
for (const [name, { suite, message }] of new Map(unrun.map((test) => [test.name, test]))) {
  if (ran.has(name)) continue;
  if (ADAPTERS[suite] && elsewhere) skipped.push({ name, message: `left to lavapipe: ${elsewhere}` });
  else failures.push({ name, message });
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
