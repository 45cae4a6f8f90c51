/**
 * Three projects: `unit` (Node), `browser` (WebGPU in headless Chromium, one page) and `e2e` (the built command line).
 *
 * `RIDGEPOINT_ADAPTER=swiftshader|lavapipe` chooses where `browser` runs, `RIDGEPOINT_SUBGROUPS=4|8|16` how wide lavapipe's subgroups
 * are (`test/adapters.mjs`).
 */
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { chromiumEnvironment, chromiumFlags, findChromium } from "./cli/chromium.mjs";
import { adapterOfRun, testsOf } from "./test/adapters.mjs";
import { setUpLavapipe } from "./test/lavapipe/lavapipe.mjs";

export default defineConfig(async () => {
  const say = (line: string) => console.error(line);
  const executablePath = await findChromium({ say });
  const adapter = adapterOfRun();
  const reason = adapter.name === "lavapipe" ? await setUpLavapipe({ say, probe: false }) : undefined;
  if (reason) throw new Error(`lavapipe cannot be set up: ${reason}`);
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
            include: testsOf(adapter),
            provide: { adapter },
            testTimeout: 60_000,
            // One page and one file at a time: the suites share a single CPU adapter.
            fileParallelism: false,
            isolate: false,
            browser: {
              enabled: true,
              headless: true,
              screenshotFailures: false,
              ui: false,
              provider: playwright({
                launchOptions: {
                  executablePath,
                  args: chromiumFlags(adapter.name),
                  env: chromiumEnvironment(adapter.name, adapter.subgroupSize),
                },
              }),
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
