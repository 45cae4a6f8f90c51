/** A clock with steps of 65,536 ns, which see none of these kernels once: the same times as with the fine clock, within the stated error. */
import { expect, test } from "ridgepoint/playwright";
import { expectSameCosts, readBaseline, TOLERANCE, WORKLOAD } from "./workload";

test("kernels cost what they cost by a fine clock", async ({ ridge }, info) => {
  const profile = await ridge.profile(WORKLOAD);
  expect(profile.profile).toMatchObject({ clock: "gpu", quantumNs: 65536, mode: "kernel" });
  expectSameCosts(profile, readBaseline(info.project.outputDir), TOLERANCE);
});

test("repeated calls, timed by difference, agree with passes of their own, within their errors", async ({ ridge }) => {
  const { profile, kernels } = await ridge.profile(WORKLOAD);
  let compared = 0;
  for (const { role, phase, kernel, variant, shape, ns } of kernels) {
    const row = profile.kernels.find(
      (one) =>
        one.role === role &&
        one.phase === phase &&
        one.kernel === kernel &&
        one.variant === variant &&
        sameShape(one.shape, shape),
    );
    if (!row || row.ns === null || (row.share ?? 0) < 0.05) continue;
    expect(row.errorNs, role).toBeGreaterThan(0);
    const [a, error] = [row.ns / row.calls, (row.errorNs ?? 0) / row.calls + 4 * ns.mad];
    // Beyond both errors, what the machine did between the two, which are seconds apart.
    expect(Math.abs(a - ns.median), `${role} (${phase})`).toBeLessThan(error + TOLERANCE * ns.median);
    compared++;
  }
  expect(compared).toBeGreaterThanOrEqual(3);
});

const sameShape = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean =>
  Object.keys(a).every((name) => a[name] === b[name]);
