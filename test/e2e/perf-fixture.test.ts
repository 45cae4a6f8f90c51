/** The performance fixture as an installed package: baselines are written, compared and updated as snapshots are, and artefacts are attached. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { GOLDENS, temporaryFolder } from "./cli";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const CONFIG = `import { defineConfig } from "@playwright/test";
export default defineConfig({ testDir: ".", workers: 1, timeout: 120_000, use: { ridgeOptions: { adapter: "swiftshader" } } });`;
const SPEC = `import { expect, test } from "ridgepoint/playwright";
test("within", async ({ ridge }) => {
  const profile = await ridge.profile({ model: ${JSON.stringify(join(GOLDENS, "llama-tied"))}, prompt: { ids: [5, 6, 7] }, maxNewTokens: 3, patienceMs: 1 });
  expect(() => profile.kernel("no_such_kernel")).toThrow(/a role: .*lm_head/);
  expect(() => expect(profile).toReachRoof(0.3)).toThrow(/bad-option|expected a kernel of a profile/);
  expect(profile).toStayWithin("costs", { tolerance: 2 });
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

test("a baseline is written once, kept, compared with, and updated when asked", { timeout: 600_000 }, async () => {
  const folder = projectFolder();
  const snapshots = join(folder, "budgets.spec.ts-snapshots");

  const none = await runTest(folder, "--update-snapshots=none");
  expect(none.status).toBe("failed");
  expect(none.message).toMatch(/a baseline doesn't exist at/);
  expect(existsSync(snapshots)).toBe(false);

  const first = await runTest(folder);
  expect(first.status).toBe("failed");
  expect(first.message).toMatch(/a baseline doesn't exist at .*costs-google-swiftshader.*, writing this profile's/);
  expect(first.attachments).toEqual(["profile-1.json", "profile-1-report.html", "profile-1-roofline.svg"]);
  const [file, ...others] = readdirSync(snapshots);
  expect(others).toEqual([]);
  const path = join(snapshots, file ?? "");

  const written = readFileSync(path, "utf8");
  const second = await runTest(folder);
  expect(second).toMatchObject({ status: "passed", message: "" });
  expect(readFileSync(path, "utf8")).toBe(written);

  const baseline = JSON.parse(written);
  for (const kernel of baseline.kernels) if (kernel.role === "lm_head") kernel.sentinelFlops /= 20;
  writeFileSync(path, JSON.stringify(baseline));
  const dear = await runTest(folder);
  expect(dear.status).toBe("failed");
  expect(dear.message).toMatch(/lm_head \(decode, gemv_\w+\): /);

  const updated = await runTest(folder, "--update-snapshots=changed");
  expect(updated.status).toBe("passed");
  expect(JSON.parse(readFileSync(path, "utf8")).kernels).not.toEqual(baseline.kernels);
});
