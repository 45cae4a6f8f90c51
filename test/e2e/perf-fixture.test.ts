/** The performance fixture as an installed package: budgets, and baselines that are written, compared and updated as snapshots are. */
import { spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "./cli";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const CONFIG = `import { defineConfig } from "@playwright/test";
export default defineConfig({ testDir: ".", workers: 1, timeout: 120_000, use: { ridgeOptions: { adapter: "swiftshader" } } });`;
/** What a person's test sees of a baseline that is missing, kept, and then too cheap, in each way of updating. No browser: a profile of numbers. */
const SPEC = `import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, PerfProfile, test } from "ridgepoint/playwright";
const known = (value) => ({ value, interval95: { low: value, high: value } });
const kernelOf = (role, cost) => ({
  ...{ kernel: "gemv_lane", variant: "q4", role, phase: "decode", shape: {}, calls: 1, boundBy: "memory", samples: [] },
  ...{ ns: { median: cost, mad: 0 }, sentinelFlops: known(cost), percentOfRoof: known(40) },
});
const profile = new PerfProfile({
  workload: { model: "builtin:ar", family: "ar", prompt: "a", options: {} },
  device: { vendor: "acme", architecture: "anvil", description: "", software: false, browser: "" },
  calibration: {},
  paired: { kernels: [kernelOf("qkv_proj", 100), kernelOf("lm_head", 300)], sentinelFlopsPerNs: { median: 1, mad: 0 }, quantumNs: 1 },
  profile: { result: { forwards: 4, flopsPerToken: 1, bytesPerToken: 1 }, dispatches: 8, submits: 2, readbacks: 2 },
});
test("budgets", () => {
  expect(profile.kernel("matmul_q4")).toReachRoof(0.4);
  expect(profile.kernel("lm_head")).not.toReachRoof(0.41);
  expect(profile.kernel("lm_head")).toCostAtMost({ sentinelFlops: 300 });
  expect(profile.kernel("lm_head")).not.toCostAtMost({ sentinelFlops: 299 });
  expect(() => profile.kernel("no_such_kernel")).toThrow(/a role: lm_head, qkv_proj/);
  expect(() => expect(profile).toReachRoof(0.3)).toThrow(/expected a kernel of a profile/);
  expect(() => expect(profile.kernel("lm_head")).toReachRoof(30)).toThrow(/expected a share of the roof/);
});
test("baseline", ({}, info) => {
  const path = info.snapshotPath("costs-acme-anvil.json");
  const compare = () => expect(profile).toStayWithin("costs", { tolerance: 0 });
  const { updateSnapshots } = info.config;
  if (updateSnapshots === "missing") expect(compare).toThrow(/a baseline doesn't exist at .*costs-acme-anvil.*, writing this profile's/);
  if (updateSnapshots === "changed") compare();
  if (updateSnapshots === "none") {
    expect(compare).toThrow(/a baseline doesn't exist at .*costs-/);
    expect(existsSync(path)).toBe(false);
    return;
  }
  const written = readFileSync(path, "utf8");
  compare();
  expect(readFileSync(path, "utf8")).toBe(written);
  const cheaper = JSON.parse(written);
  for (const kernel of cheaper.kernels) if (kernel.role === "lm_head") kernel.sentinelFlops /= 2;
  writeFileSync(path, JSON.stringify(cheaper));
  if (updateSnapshots === "missing") expect(compare).toThrow(/lm_head \\(decode, gemv_lane\\): 300.0, baseline 150.0 sentinel FLOP/);
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

/** Runs the project's tests; gives what failed, as text. */
async function failuresOf(folder: string, ...args: readonly string[]): Promise<{ passed: number; failures: string }> {
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
  const { stats, errors, suites } = JSON.parse(out);
  const results = (suites[0]?.specs ?? []).flatMap((spec: { tests: { results: { errors: { message: string }[] }[] }[] }) =>
    spec.tests.flatMap((test) => test.results.flatMap((result) => result.errors)),
  );
  return { passed: stats.expected, failures: [...errors, ...results].map(({ message }) => message).join("\n") };
}

test.each(["missing", "changed", "none"])(
  "budgets and baselines with --update-snapshots=%s",
  { timeout: 300_000 },
  async (updating) => {
    expect(await failuresOf(projectFolder(), `--update-snapshots=${updating}`)).toEqual({ passed: 2, failures: "" });
  },
);
