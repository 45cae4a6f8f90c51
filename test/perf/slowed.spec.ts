/** Some kernels do their work three times: their budgets fail, and those of the others do not. */
import { readFileSync } from "node:fs";
import { excessesOf, expect, parseBaseline, test } from "ridgepoint/playwright";
import { baselinePath, SLOWED, TOLERANCE, WORKLOAD } from "./workload";

test("kernels that take three times as long are over their budgets, and no others are", async ({ ridge }, info) => {
  const path = baselinePath(info.project.outputDir);
  const baseline = parseBaseline(readFileSync(path, "utf8"), path);
  const profile = await ridge.profile(WORKLOAD);
  expect(profile).not.toStayWithin(baseline, { tolerance: TOLERANCE });
  const excesses = excessesOf(profile, baseline, TOLERANCE).map(({ what }) => what);
  expect(excesses.find((what) => what.startsWith("lm_head (decode"))).toBeDefined();
  expect(excesses.filter((what) => !what.includes(SLOWED) && !what.startsWith("a forward of phase"))).toEqual([]);
  const before = baseline.kernels.find(({ role, phase }) => role === "lm_head" && phase === "decode");
  expect(() => expect(profile.kernel("lm_head", { phase: "decode" })).toReachRoof((before?.percentOfRoof ?? 0) / 150)).toThrow(
    /of its roof/,
  );
});
