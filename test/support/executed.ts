/** Which features the executed kernels needed, written into the report of the test that runs, so that the runner can tell what was tried. */
import { TestRunner } from "vitest";
import type { Kernel } from "../../src/kernels/dispatch";
import type { TestAdapter } from "../adapters.mjs";

declare module "vitest" {
  interface TaskMeta {
    /** Kernels with their features, e.g. `gemm_lane q4: subgroups`; of those that need any. */
    executed?: string[];
  }
  interface ProvidedContext {
    /** Where this run takes place. */
    adapter: TestAdapter;
  }
}

/** Notes kernels whose dispatches have ended without a fault. */
export function noteExecuted(kernels: readonly Kernel[]): void {
  const meta = TestRunner.getCurrentTest()?.meta;
  if (!meta) return;
  const names = kernels.flatMap(({ name, variant, wgsl }) =>
    wgsl.features?.length ? [`${name} ${variant}: ${wgsl.features.join(" ")}`] : [],
  );
  if (names.length > 0) meta.executed = [...new Set([...(meta.executed ?? []), ...names])];
}
