/** Points of sweeps, compared. */
import { existsSync, readFileSync } from "node:fs";
import type { SweepPoint } from "../../src/index";

/** What of a point does not depend on the clock. */
export const countsOf = ({ result, ...point }: SweepPoint) => {
  if (!result) return { ...point, result };
  const { wallNs, samples, ttftNs, tokensPerSecond, predictedTokensPerSecond, ...counts } = result;
  return { ...point, result: counts };
};

/** Whole lines of a file; none where there is no file. */
export const linesOf = (path: string): string[] => (existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : []);
