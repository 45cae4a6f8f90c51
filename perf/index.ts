/** `ridgepoint/playwright`: performance tests of models in a browser, with budgets that hold on a busy machine and on any adapter. */
export { type Baseline, type BaselineKernel, baselineOf, type Excess, excessesOf, parseBaseline } from "./baseline";
export { type RidgeFixtures, type RidgeWorkerFixtures, test } from "./fixture";
export { expect, type StayWithinOptions } from "./matchers";
export { type Counts, type PerfDevice, type PerfKernel, PerfProfile, type Workload } from "./perf-profile";
export { type ProfileRequest, Ridge, type RidgeOptions } from "./ridge";
