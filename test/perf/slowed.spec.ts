/** Some kernels do their work four times: their budgets fail, and those of the others do not. */
import { excessesOf, expect, test } from "ridgepoint/playwright";
import { readBaseline, SLOWED, TOLERANCE, WORKLOAD } from "./workload";

test("kernels that take four times as long are over their budgets, and no others are", async ({ ridge }, info) => {
  const baseline = readBaseline(info.project.outputDir);
  const profile = await ridge.profile(WORKLOAD);
  expect(profile).not.toStayWithin(baseline, { tolerance: TOLERANCE });
  const excesses = excessesOf(profile, baseline, TOLERANCE).map(({ what }) => what);
  expect(excesses.some((what) => what.includes(SLOWED))).toBe(true);
  expect(excesses.filter((what) => !what.includes(SLOWED) && !what.startsWith("a forward of phase"))).toEqual([]);
  const before = baseline.kernels.find(({ role, phase }) => role === "lm_head" && phase === "decode");
  expect(() => expect(profile.kernel("lm_head", { phase: "decode" })).toReachRoof((before?.percentOfRoof ?? 0) / 150)).toThrow(
    /of its roof/,
  );
});
