/** The generation that both projects profile, and the file through which they share a baseline. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Baseline,
  type BaselineKernel,
  expect,
  type PerfProfile,
  type ProfileRequest,
  parseBaseline,
} from "ridgepoint/playwright";

export const WORKLOAD: ProfileRequest = {
  model: "builtin:ar",
  prompt: "Ann has 3 apples and buys 4 more. How many apples does Ann have?",
  maxNewTokens: 8,
  ignoreEos: true,
  precision: 0.04,
  patienceMs: 8_000,
};

/** Share by which a kernel may cost more than before. */
export const TOLERANCE = 0.5;

/** How the names of the kernels begin that are slowed down: the matrix-vector products, so that decoding is hit and prefill is not. */
export const SLOWED = "gemv";

/** Written by the project `unchanged`, beside the output folder, which is emptied when a run begins: the others can then be run by themselves. */
export const baselinePath = (outputDir: string): string => join(outputDir, "../perf-baseline.json");

/** What `unchanged` measured. */
export function readBaseline(outputDir: string): Baseline {
  const path = baselinePath(outputDir);
  return parseBaseline(readFileSync(path, "utf8"), path);
}

/** Kernels that take a tenth of their phase or more. */
function largest({ kernels }: Baseline): readonly BaselineKernel[] {
  const whole = (phase: string): number =>
    kernels.filter((kernel) => kernel.phase === phase).reduce((sum, { sentinelFlops }) => sum + sentinelFlops, 0);
  return kernels.filter(({ phase, sentinelFlops }) => sentinelFlops >= 0.1 * whole(phase));
}

/** Costs of the profile's large kernels are those of the baseline: the intervals of the one hold the other, give or take a share of it. */
export function expectSameCosts(profile: PerfProfile, baseline: Baseline, share: number): void {
  const kernels = largest(baseline);
  expect(kernels.length).toBeGreaterThanOrEqual(6);
  for (const { role, phase, sentinelFlops } of kernels) {
    const { low, high } = profile.kernel(role, { phase }).sentinelFlops.interval95;
    expect(low / sentinelFlops, `${role} (${phase})`).toBeLessThan(1 + share);
    expect(high / sentinelFlops, `${role} (${phase})`).toBeGreaterThan(1 / (1 + share));
  }
}
