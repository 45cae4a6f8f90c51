/** The generation that is profiled. */
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
export const TOLERANCE = 0.5;
