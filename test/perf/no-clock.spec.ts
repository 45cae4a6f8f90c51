/** A device without timestamps: the host's clock, said so, and costs that are still of use. */
import { expect, test } from "ridgepoint/playwright";
import { expectSameCosts, readBaseline, WORKLOAD } from "./workload";

/** A host's clock counts in what it takes to submit, and to hear that the queue is idle. */
const ROUGHLY = 1;

test("costs are those of the host's clock, labelled, and about the same", async ({ ridge }, info) => {
  const profile = await ridge.profile(WORKLOAD);
  expect(profile.profile).toMatchObject({ clock: "host", quantumNs: null, mode: "kernel" });
  expect(profile.calibration.quantumNs).toBeNull();
  const report = info.attachments.find(({ name }) => name.endsWith("-report.html"));
  expect(report?.body?.toString()).toContain("none: wall clock");
  expectSameCosts(profile, readBaseline(info.project.outputDir), ROUGHLY);
});
