/** Three suites: `unit` (Node), `browser` (WebGPU in headless Chromium on SwiftShader, one page) and `e2e` (the built command line). */
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { chromiumFlags, findChromium } from "./cli/chromium.mjs";

export default defineConfig(async () => {
  const executablePath = await findChromium({ say: (line) => console.error(line) });
  return {
    publicDir: false as const,
    test: {
      projects: [
        {
          extends: true as const,
          test: { name: "unit", environment: "node", include: ["test/unit/**/*.test.ts"] },
        },
        {
          extends: true as const,
          // Found at start, so that the dev server never reloads the page in the middle of a run.
          optimizeDeps: { entries: ["src/index.ts", "test/{kernel,model,decode}/**/*.test.ts"] },
          test: {
            name: "browser",
            include: ["test/{kernel,model,decode}/**/*.test.ts"],
            testTimeout: 60_000,
            // One page and one file at a time: the suites share a single CPU adapter.
            fileParallelism: false,
            isolate: false,
            browser: {
              enabled: true,
              headless: true,
              screenshotFailures: false,
              ui: false,
              provider: playwright({ launchOptions: { executablePath, args: chromiumFlags("swiftshader") } }),
              instances: [{ browser: "chromium" as const }],
            },
          },
        },
        {
          extends: true as const,
          test: {
            name: "e2e",
            environment: "node",
            include: ["test/e2e/**/*.test.ts"],
            globalSetup: "test/e2e/build.ts",
            testTimeout: 180_000,
            hookTimeout: 120_000,
            fileParallelism: false,
          },
        },
      ],
    },
  };
});
