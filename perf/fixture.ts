/** Playwright's `test` with a `ridge`: one browser a worker, and the artefacts of every profile attached to its test. */
import { test as base } from "@playwright/test";
import { artefactsOf } from "./artefacts";
import { withRidge } from "./browser-session";
import type { Ridge, RidgeOptions } from "./ridge";

export interface RidgeFixtures {
  /** Profiles generations. */
  readonly ridge: Ridge;
}

export interface RidgeWorkerFixtures {
  /** Where and how to measure: `test.use({ ridgeOptions: { adapter: "swiftshader" } })`. */
  readonly ridgeOptions: RidgeOptions;
  readonly ridgeOfWorker: Ridge;
}

/** A browser may have to be installed or to compile its first kernels on a CPU, ms. */
const START_MS = 300_000;

/** Playwright's `test`, with `ridge`. */
export const test = base.extend<RidgeFixtures, RidgeWorkerFixtures>({
  ridgeOptions: [{}, { option: true, scope: "worker" }],
  ridgeOfWorker: [({ ridgeOptions }, use) => withRidge(ridgeOptions, use), { scope: "worker", timeout: START_MS }],
  ridge: async ({ ridgeOfWorker }, use, info) => {
    let profiles = 0;
    ridgeOfWorker.onProfile = async (profile) => {
      const name = `profile-${++profiles}`;
      for (const { name: file, ...content } of artefactsOf(profile, name)) await info.attach(file, content);
    };
    await use(ridgeOfWorker);
    ridgeOfWorker.onProfile = null;
  },
});
