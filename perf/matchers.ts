/** Budgets as matchers of Playwright's `expect`. A budget fails where the measurement leaves no doubt: by the far end of its 95 % interval. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect as baseExpect, type TestInfo, test } from "@playwright/test";
import { ensure, RidgepointError } from "../src/errors";
import { type Baseline, baselineOf, type Excess, excessesOf, parseBaseline } from "./baseline";
import { type PerfKernel, PerfProfile } from "./perf-profile";

export interface StayWithinOptions {
  /** Share by which costs may be above the baseline: 0.15 is 15 %. */
  readonly tolerance: number;
}

interface Verdict {
  readonly name: string;
  readonly pass: boolean;
  readonly expected: unknown;
  readonly actual: unknown;
  readonly message: () => string;
}

const percent = (value: number): string => `${value.toPrecision(3)} %`;
const flops = (value: number): string => `${(value / 1e6).toPrecision(4)} M`;

function ensureKernel(name: string, kernel: unknown): asserts kernel is PerfKernel {
  const known = typeof kernel === "object" && kernel !== null && "sentinelFlops" in kernel && "percentOfRoof" in kernel;
  ensure(known, "bad-option", `${name}: expected a kernel of a profile, profile.kernel("…") or profile.phase("…")`);
}

function toReachRoof(kernel: PerfKernel, share: number): Verdict {
  ensureKernel("toReachRoof", kernel);
  ensure(
    share > 0 && share <= 1,
    "bad-option",
    () => `toReachRoof: expected a share of the roof above 0 and up to 1, came ${share}`,
  );
  const { value, interval95 } = kernel.percentOfRoof;
  return {
    name: "toReachRoof",
    pass: interval95.high >= 100 * share,
    expected: share,
    actual: value / 100,
    message: () =>
      `${kernel.name}: expected at least ${percent(100 * share)} of its roof, came ${percent(value)} ` +
      `(95 %: ${percent(interval95.low)} to ${percent(interval95.high)}), bound by ${kernel.boundBy}`,
  };
}

function toCostAtMost(kernel: PerfKernel, budget: { readonly sentinelFlops: number }): Verdict {
  ensureKernel("toCostAtMost", kernel);
  const most = budget?.sentinelFlops;
  ensure(most > 0, "bad-option", () => `toCostAtMost: expected { sentinelFlops } above 0, came ${JSON.stringify(budget)}`);
  const { value, interval95 } = kernel.sentinelFlops;
  return {
    name: "toCostAtMost",
    pass: interval95.low <= most,
    expected: most,
    actual: value,
    message: () =>
      `${kernel.name}: expected at most ${flops(most)} sentinel FLOP, came ${flops(value)} (95 %: ${flops(interval95.low)} to ${flops(interval95.high)})`,
  };
}

/** Where a named baseline lies: beside the test as snapshots do, one for each adapter. */
function baselinePath(info: TestInfo, name: string, { vendor, architecture }: PerfProfile["device"]): string {
  const adapter =
    [vendor, architecture]
      .filter(Boolean)
      .join("-")
      .replaceAll(/[^\w.-]+/g, "-") || "unnamed";
  return info.snapshotPath(`${name}-${adapter}.json`);
}

function write(path: string, profile: PerfProfile): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(baselineOf(profile), null, 2)}\n`);
}

const line = ({ what, baseline, now, unit }: Excess): string =>
  `  ${what}: ${now.toPrecision(4)}, baseline ${baseline.toPrecision(4)} ${unit}`.trimEnd() +
  ` (+${percent(100 * (now / baseline - 1))})`;

/** The text of a file, null where there is none. */
function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new RidgepointError("not-found", `${path}: ${(cause as Error).message}`, { cause });
  }
}

function toStayWithin(
  profile: PerfProfile,
  baseline: string | Baseline,
  { tolerance }: StayWithinOptions,
  isNot: boolean,
): Verdict {
  ensure(profile instanceof PerfProfile, "bad-option", "toStayWithin: expected a profile, what ridge.profile() gives");
  ensure(tolerance >= 0, "bad-option", () => `toStayWithin: tolerance: expected a share from 0 on, came ${tolerance}`);
  const judge = (known: Baseline, where: string): Verdict => {
    const excesses = excessesOf(profile, known, tolerance);
    return {
      name: "toStayWithin",
      pass: excesses.length === 0,
      expected: where,
      actual: excesses,
      message: () =>
        excesses.length > 0
          ? `expected costs within ${percent(100 * tolerance)} of ${where}, surely above it are:\n${excesses.map(line).join("\n")}`
          : `expected costs above ${percent(100 * tolerance)} of ${where}, and none is`,
    };
  };
  if (typeof baseline !== "string") return judge(baseline, "the given baseline");
  const info = test.info();
  const path = baselinePath(info, baseline, profile.device);
  const { updateSnapshots } = info.config;
  const passed = { name: "toStayWithin", pass: !isNot, expected: path, actual: path };
  const text = read(path);
  if (text === null || updateSnapshots === "all") {
    if (updateSnapshots !== "none") write(path, profile);
    const written = updateSnapshots === "none" ? "" : ", writing this profile's";
    // As Playwright's own snapshots: what was never looked at is no pass, unless it was asked for.
    if (updateSnapshots === "all" || updateSnapshots === "changed")
      return { ...passed, message: () => `baseline ${path} was written` };
    return { ...passed, pass: isNot, message: () => `a baseline doesn't exist at ${path}${written}` };
  }
  if (updateSnapshots !== "changed") return judge(parseBaseline(text, path), path);
  const verdict = judge(parseBaseline(text, path), path);
  if (verdict.pass) return verdict;
  write(path, profile);
  return { ...passed, message: () => `baseline ${path} was written` };
}

/** Playwright's `expect` with budgets. */
export const expect = baseExpect.extend({
  /** The kernel takes no longer than its least time over `share`; 0.3 is 30 % of its roof. */
  toReachRoof,
  /** The kernel's calls in one forward take no longer than the sentinel takes for so many FLOP. */
  toCostAtMost,
  /**
   * No kernel, phase or count of the profile is above the baseline by more than the tolerance. A name is a file beside the test, one an adapter, which is
   * written where it is missing (and the test fails once) or with `--update-snapshots`.
   */
  toStayWithin(profile: PerfProfile, baseline: string | Baseline, options: StayWithinOptions) {
    return toStayWithin(profile, baseline, options, this.isNot);
  },
});
