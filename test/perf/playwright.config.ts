/** Performance tests of this project with its own fixture. One worker: tests must not slow each other down. */
import { join } from "node:path";
import { defineConfig } from "@playwright/test";
import type { RidgeWorkerFixtures } from "ridgepoint/playwright";

const ROOT = join(import.meta.dirname, "../..");

export default defineConfig<object, RidgeWorkerFixtures>({
  testDir: ".",
  outputDir: join(ROOT, "test-results/perf"),
  globalSetup: "./build.ts",
  workers: 1,
  fullyParallel: false,
  timeout: 300_000,
  reporter: [["list"]],
  use: { ridgeOptions: { adapter: "swiftshader" } },
  projects: [{ name: "unchanged", testMatch: "unchanged.spec.ts" }],
});
