/** A device without timestamps: the host's clock, said so, and costs that are still of use. */
import { readFileSync } from "node:fs";
import { baselineOf, expect, parseBaseline, test } from "ridgepoint/playwright";
import { baselinePath, largest, WORKLOAD } from "./workload";

/** A host's clock counts in what it takes to submit, and to hear that the queue is idle. */
const ROUGHLY = 0.5;

test("costs are those of the host's clock, labelled, and about the same", async ({ ridge }, info) => {
  const path = baselinePath(info.project.outputDir);
  const before = largest(parseBaseline(readFileSync(path, "utf8"), path).kernels);
  const profile = await ridge.profile(WORKLOAD);
  expect(profile.profile).toMatchObject({ clock: "host", quantumNs: null, mode: "kernel" });
  expect(profile.calibration.quantumNs).toBeNull();
  const report = info.attachments.find(({ name }) => name.endsWith("-report.html"));
  expect(report?.body?.toString()).toContain("none: wall clock");
  for (const [key, cost] of largest(baselineOf(profile).kernels)) {
    const known = before.get(key);
    if (known === undefined) continue;
    expect(cost / known, key).toBeGreaterThan(1 / (1 + ROUGHLY));
    expect(cost / known, key).toBeLessThan(1 + ROUGHLY);
  }
});
