/** The performance fixture as an installed package: baselines are written, compared and updated as snapshots are, and artefacts are attached. */
import { spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { GOLDENS, temporaryFolder } from "./cli";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const CONFIG = `import { defineConfig } from "@playwright/test";
export default defineConfig({ testDir: ".", workers: 1, timeout: 120_000, use: { ridgeOptions: { adapter: "swiftshader" } } });`;
/** What a person's test sees of a baseline that is missing, kept, and then too cheap, in each way of updating. */
const SPEC = `import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "ridgepoint/playwright";
test("costs", async ({ ridge }, info) => {
  const profile = await ridge.profile({ model: ${JSON.stringify(join(GOLDENS, "llama-tied"))}, prompt: { ids: [5, 6, 7] }, maxNewTokens: 3, patienceMs: 1 });
  expect(() => profile.kernel("no_such_kernel")).toThrow(/a role: .*lm_head/);
  expect(() => expect(profile).toReachRoof(0.3)).toThrow(/expected a kernel of a profile/);
  const path = info.snapshotPath("costs-" + profile.device.vendor + "-" + profile.device.architecture + ".json");
  const compare = () => expect(profile).toStayWithin("costs", { tolerance: 0 });
  const { updateSnapshots } = info.config;
  const missing = /a baseline doesn't exist at .*costs-/;
  if (updateSnapshots === "missing") expect(compare).toThrow(/a baseline doesn't exist at .*costs-.*, writing this profile's/);
  if (updateSnapshots === "changed") compare();
  if (updateSnapshots === "none") {
    expect(compare).toThrow(missing);
    expect(existsSync(path)).toBe(false);
    return;
  }
  const written = readFileSync(path, "utf8");
  compare();
  expect(readFileSync(path, "utf8")).toBe(written);
  const cheaper = JSON.parse(written);
  for (const kernel of cheaper.kernels) if (kernel.role === "lm_head") kernel.sentinelFlops /= 20;
  writeFileSync(path, JSON.stringify(cheaper));
  if (updateSnapshots === "missing") expect(compare).toThrow(/lm_head \\(decode, gemv_\\w+\\): /);
  else compare();
  expect(readFileSync(path, "utf8") === written).toBe(updateSnapshots === "changed");
});`;

/** A project with the package in it, as npm would install it. */
function projectFolder(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(ROOT, join(folder, "node_modules/ridgepoint"));
  symlinkSync(join(ROOT, "node_modules/@playwright"), join(folder, "node_modules/@playwright"));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  writeFileSync(join(folder, "playwright.config.ts"), CONFIG);
  writeFileSync(join(folder, "budgets.spec.ts"), SPEC);
  return folder;
}

interface Result {
  readonly status: string;
  readonly message: string;
  readonly attachments: readonly string[];
}

/** Runs the project's one test. */
async function runTest(folder: string, ...args: readonly string[]): Promise<Result> {
  const cli = join(ROOT, "node_modules/@playwright/test/cli.js");
  const child = spawn(process.execPath, [cli, "test", "--reporter=json", ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  await new Promise((resolve) => child.once("close", resolve));
  const report = JSON.parse(out);
  const result = report.suites[0]?.specs[0]?.tests[0]?.results[0];
  if (!result) throw new Error(`no test ran: ${JSON.stringify(report.errors)}`);
  const attachments = result.attachments.map(({ name }: { name: string }) => name);
  return {
    status: result.status,
    message: result.errors.map((error: { message: string }) => error.message).join("\n"),
    attachments,
  };
}

test.each(["missing", "changed", "none"])("baselines with --update-snapshots=%s", { timeout: 300_000 }, async (updating) => {
  const { status, message, attachments } = await runTest(projectFolder(), `--update-snapshots=${updating}`);
  expect(message).toBe("");
  expect(status).toBe("passed");
  expect(attachments).toEqual(["profile-1.json", "profile-1-report.html", "profile-1-roofline.svg"]);
});
