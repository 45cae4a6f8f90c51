/** The generation that both projects profile, and the file through which they share a baseline. */
import { join } from "node:path";
import type { ProfileRequest } from "ridgepoint/playwright";

export const WORKLOAD: ProfileRequest = {
  model: "builtin:ar",
  prompt: "Ann has 3 apples and buys 4 more. How many apples does Ann have?",
  maxNewTokens: 8,
  ignoreEos: true,
  precision: 0.04,
  patienceMs: 8_000,
};

/** Share by which a kernel may cost more than before. */
export const TOLERANCE = 0.4;

/** How the names of the kernels begin that are slowed down: the matrix-vector products, so that decoding is hit and prefill is not. */
export const SLOWED = "gemv";

/** Written by the project `unchanged`; the output folder is emptied when a run begins. */
export const baselinePath = (outputDir: string): string => join(outputDir, "unchanged-baseline.json");

/** Costs of kernels by `role (phase)`, those that take a tenth of their phase or more. */
export function largest(kernels: readonly { role: string; phase: string; sentinelFlops: number }[]): Map<string, number> {
  const whole = (phase: string): number =>
    kernels.filter((kernel) => kernel.phase === phase).reduce((sum, { sentinelFlops }) => sum + sentinelFlops, 0);
  const large = kernels.filter(({ phase, sentinelFlops }) => sentinelFlops >= 0.1 * whole(phase));
  return new Map(large.map(({ role, phase, sentinelFlops }) => [`${role} (${phase})`, sentinelFlops]));
}
