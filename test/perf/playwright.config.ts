/**
 * Performance tests of this project with its own fixture: the engine as it is, then with some kernels slowed down, which must be found, with a coarse
 * clock and without one, which must change nothing. These compare with what the first measured, so they wait for it. One worker: tests must not slow
 * each other down.
 */
import { join } from "node:path";
import { defineConfig } from "@playwright/test";
import type { RidgeOptions, RidgeWorkerFixtures } from "ridgepoint/playwright";
import { slowed, withoutTimestamps } from "./page-patches";
import { SLOWED } from "./workload";

const ROOT = join(import.meta.dirname, "../..");

/** A browser like that of `unchanged`, but for the given options. */
const after = (name: string, options: RidgeOptions) => ({
  name,
  testMatch: `${name}.spec.ts`,
  dependencies: ["unchanged"],
  use: { ridgeOptions: { adapter: "swiftshader" as const, ...options } },
});

export default defineConfig<object, RidgeWorkerFixtures>({
  testDir: ".",
  outputDir: join(ROOT, "test-results/perf"),
  globalSetup: "./build.ts",
  workers: 1,
  fullyParallel: false,
  timeout: 300_000,
  reporter: [["list"]],
  use: { ridgeOptions: { adapter: "swiftshader" } },
  projects: [
    { name: "unchanged", testMatch: "unchanged.spec.ts" },
    after("slowed", { initScripts: [slowed(SLOWED, 4)] }),
    // What Chrome does to a page unless a flag turns it off; the flags that give a CPU adapter do.
    after("coarse-clock", { args: ["--enable-dawn-features=timestamp_quantization"] }),
    after("no-clock", { initScripts: [withoutTimestamps()] }),
  ],
});
