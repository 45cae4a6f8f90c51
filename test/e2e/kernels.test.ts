/** `kernels` on small sizes: rows, checks, tuning and files, never how fast they were. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ForwardMeasurement, KernelMeasurement, TuningDocument } from "../../src/index";
import { document, GOLDENS, run, temporaryFolder } from "./cli";

const MODEL = ["--model", join(GOLDENS, "llama-tied"), "--adapter", "swiftshader"];

test("every kernel of a small model is right, timed, and set against its floor", { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  const args = ["kernels", ...MODEL, "-m", "1,8", "--keys", "40", "--samples", "2", "--scaling", "--out", folder];
  const { kernels, forwards, scaling, calibration, clock } = await document(args);
  expect(clock).toBe("gpu");
  expect(calibration.flopsPerNs.f32.median).toBeGreaterThan(0);
  const rows: KernelMeasurement[] = kernels;
  for (const role of ["embed_tokens", "qkv_proj", "rope_cache", "attention", "o_proj", "gate_up_proj", "down_proj", "lm_head"])
    expect(
      rows.filter((row) => row.role === role).map((row) => row.rows),
      role,
    ).toEqual([1, 8]);
  for (const row of rows) {
    expect(row.correct, `${row.role}: ${row.fault}`).toBe(true);
    expect(row.ns?.median, row.role).toBeGreaterThan(0);
    expect(row.percentOfRoof, row.role).toBeGreaterThan(0);
    expect(row.floorNs).toBeCloseTo(Math.max(row.terms.compute, row.terms.memory, row.terms.issue) + row.terms.launch);
  }
  const sums: ForwardMeasurement[] = forwards;
  expect(sums.map((forward) => forward.rows)).toEqual([1, 8]);
  for (const forward of sums) {
    const own = rows.filter((row) => row.rows === forward.rows);
    expect(forward.ns).toBeCloseTo(own.reduce((sum, row) => sum + row.calls * (row.ns?.median ?? 0), 0));
    expect(own.map(({ role }) => role)).toContain(forward.weakest?.role);
    expect(forward.weakest?.reason).toMatch(/./);
  }
  expect(scaling.forward[0]).toEqual({ rows: 1, ratio: 1 });
  expect(scaling.forward.map((point: { rows: number }) => point.rows)).toEqual([1, 2, 4, 8, 12, 16, 24, 32, 48, 64]);
  expect(JSON.parse(readFileSync(join(folder, "kernels.json"), "utf8")).kernels).toHaveLength(rows.length);
  for (const theme of ["light", "dark"]) {
    const svg = readFileSync(join(folder, `scaling-${theme}.svg`), "utf8");
    expect(svg).toMatch(/<svg .*role="img".*<title .*<desc .*whole forward: 1 → 1\.00/s);
  }
});

test("--variants, --tune and files of tunings", { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  const file = join(folder, "tuning.json");
  const shapes = ["--shapes", "64x96", "--format", "q4", "-m", "8", "--samples", "1", "--adapter", "swiftshader"];
  const tuned = await document(["kernels", ...shapes, "--variants", "--tune", "2000", "--save-tuning", file]);
  const variants: KernelMeasurement[] = tuned.kernels;
  expect(variants.length).toBeGreaterThan(3);
  expect(variants.filter(({ chosen }) => chosen)).toHaveLength(1);
  expect(variants.every(({ correct }) => correct)).toBe(true);
  const saved: TuningDocument = JSON.parse(readFileSync(file, "utf8"));
  expect(saved).toEqual(tuned.tuning.document);
  expect(saved.schema).toBe("ridgepoint/tuning-1");
  for (const { key, variant } of saved.entries) expect(tuned.tuning.tuning[key]).toBe(variant);

  const own = join(folder, "own.json");
  writeFileSync(own, JSON.stringify({ "linear q4 8": "gemv_reg" }));
  const { kernels } = await document(["kernels", ...shapes, "--tuning", own]);
  expect(kernels).toMatchObject([{ kernel: "gemv_reg", chosen: true, correct: true }]);

  writeFileSync(own, JSON.stringify({ ...saved, device: "elsewhere" }));
  const refused = await run(["kernels", ...shapes, "--tuning", own]);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(/error \[bad-option\]: tuning: made on elsewhere/);
});

test("a table for people names the weakest kernel", { timeout: 180_000 }, async () => {
  const { status, stdout, stderr } = await run(["kernels", ...MODEL, "-m", "1", "--keys", "8", "--samples", "1"]);
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/role +kernel +shape +calls +time/);
  expect(stdout).toMatch(/rows +sum of kernels +of floors/);
  expect(stdout).toMatch(/1 rows, \w+: /);
});

test.each([
  [["-m", "0"], /-m: expected a whole number/],
  [["--shapes", "64"], /--shapes: expected KxN,KxN, got "64"/],
  [["--shapes", "64x64", "--format", "q3"], /--format: expected one of f32, f16, q8, q4, got "q3"/],
  [["--shapes", "64x64", "--model", "builtin:ar"], /expected --model or --shapes, got both/],
  [["--save-tuning", "x.json"], /nothing to save without --tune/],
  [["--approximate"], /expected --variants or --tune with it/],
  [["--scaling", "--shapes", "64x64"], /a forward takes a whole model/],
  [["--tuning", "nowhere.json"], /--tuning nowhere\.json/],
  [["--model", "nowhere.gguf"], /no such file/],
] as const)("kernels %j is refused before a browser starts", async (args, message) => {
  const ended = await run(["kernels", ...args]);
  expect(ended.status).toBe(1);
  expect(ended.stderr).toMatch(message);
});
