/** `compare`, `calibrate`: the documents and the report page that the main job leaves. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { document, temporaryFolder } from "./cli";

const LONG_MS = 600_000;

test(
  "the three families, kernels against roofs, and a page that needs nothing else",
  async () => {
    const folder = temporaryFolder();
    const prompts = join(folder, "prompts.jsonl");
    writeFileSync(
      prompts,
      '{"prompt":"Hugo is 47 years old. Ella is 11 years older than Hugo. How old is Ella?","answer":"58"}\n',
    );
    const answer = await document(["compare", "--prompts", prompts, "--gen-length", "32", "--report", folder]);
    expect(answer).toMatchObject({ schema: "ridgepoint/1", command: "compare", report: folder });
    expect(answer.calibration.flopsPerNs.f32.median).toBeGreaterThan(0);
    expect(answer.runs.map((run: { family: string }) => run.family)).toEqual(["ar", "mdlm", "mdlm", "mdlm", "block"]);
    for (const run of answer.runs) {
      expect(run.tokensPerSecond).toBeGreaterThan(0);
      expect(run.flopsPerToken).toBeGreaterThan(0);
      expect(typeof run.exactMatch).toBe("boolean");
      expect(run.kernels.length).toBeGreaterThan(5);
      for (const { kernel, percentOfRoof } of run.kernels) {
        expect(kernel).toMatch(/^[a-z0-9_]+$/);
        if (percentOfRoof !== null) expect(percentOfRoof).toBeGreaterThan(0);
      }
      const { sumOfFloorsNs, sumOfKernelsNs, stepNs, wallNs } = run.timings;
      for (const ns of [sumOfFloorsNs, sumOfKernelsNs, stepNs, wallNs]) expect(ns).toBeGreaterThan(0);
      expect(sumOfFloorsNs).toBeLessThanOrEqual(sumOfKernelsNs);
    }
    const page = readFileSync(join(folder, "index.html"), "utf8");
    expect(page).toContain("<svg");
    expect(page).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(JSON.parse(readFileSync(join(folder, "run.json"), "utf8"))).toEqual(answer);
  },
  LONG_MS,
);

test("calibrate gives every roof with its spread", async () => {
  const { calibration, device } = await document(["calibrate", "--quick"]);
  expect(device.browser).toMatch(/\d/);
  const { flopsPerNs, bytesPerNs, loadsPerNs, dispatchNs, submitMapNs } = calibration;
  for (const spread of [flopsPerNs.f32, bytesPerNs.read, bytesPerNs.copy, loadsPerNs, dispatchNs, submitMapNs]) {
    expect(spread.median).toBeGreaterThan(0);
    expect(spread.mad).toBeGreaterThanOrEqual(0);
  }
  expect(calibration).toHaveProperty("quantumNs");
});
