import { defineConfig } from "@playwright/test";
import type { RidgeWorkerFixtures } from "ridgepoint/playwright";

export default defineConfig<object, RidgeWorkerFixtures>({
  testDir: "tests",
  // Two tests at once would slow each other down.
  workers: 1,
  timeout: 300_000,
  reporter: [["list"], ["html", { open: "never" }]],
  // Where to measure. In place of a browser of this machine: { cdp: "http://127.0.0.1:9222", port: 8123 } or { connect: "ws://…" }.
  use: { ridgeOptions: { adapter: "default" } },
});
