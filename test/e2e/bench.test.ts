/** `bench` and `compare --trace-out` on small models: rows, counts and work, never how fast they were. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { BenchRow } from "../../cli/bench";
import type { ChromeTrace } from "../../src/index";
import { document, GOLDENS, run, temporaryFolder } from "./cli";

const models = (...names: readonly string[]): string => names.map((name) => join(GOLDENS, name)).join(",");

test("rows of every family, alone and in a batch, with what they counted", { timeout: 600_000 }, async () => {
  const args = ["-p", "8,4096", "-n", "8", "-b", "1,2", "-r", "2", "--block-length", "4", "--adapter", "swiftshader"];
  const { rows }: { rows: BenchRow[] } = await document(["bench", "--models", models("llama-tied", "llada"), ...args]);
  expect(rows.map(({ name, batch }) => `${name} ${batch}`)).toEqual([
    ...["pp8 1", "pp4096 1", "tg8 1", "pp8 2", "pp4096 2", "tg8 2"],
    ...["dlm8x4 1", "dlm8x4 2"],
  ]);
  for (const row of rows) {
    if (row.name === "pp4096") {
      expect(row).toMatchObject({ status: "does-not-fit", ns: null, tokensPerSecond: null });
      continue;
    }
    expect(row.status, row.message).toBe("ok");
    expect(row.ns?.samples).toHaveLength(2);
    expect(row.tokensPerSecond?.median).toBeGreaterThan(0);
    expect(row.forwards).toBe({ pp8: 1, tg8: 9, dlm8x4: 8 }[row.name] ?? 0);
    expect(row.allocatedBytes).toBeGreaterThan(1000);
  }
});

test("compare --trace-out: every kernel that ran is an event, work adds up to the table's", { timeout: 600_000 }, async () => {
  const folder = temporaryFolder();
  const path = join(folder, "trace.json");
  const prompts = join(GOLDENS, "../../models/prompts.jsonl");
  const args = ["--models", "builtin:ar", "--gen-length", "4", "--prompts", prompts, "--no-report", "--adapter", "swiftshader"];
  const { runs } = await document(["compare", ...args, "--trace-out", path]);
  const trace: ChromeTrace = JSON.parse(readFileSync(path, "utf8"));
  const kernels = trace.traceEvents.filter(({ ph, tid }) => ph === "X" && tid === 1);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const table: { flops: number; bytes: number; calls: number }[] = runs[0].kernels;
  expect(kernels).toHaveLength(sum(table.map(({ calls }) => calls)));
  expect(sum(kernels.map(({ args }) => Number(args.flops)))).toBe(sum(table.map(({ flops }) => flops)));
  expect(sum(kernels.map(({ args }) => Number(args.bytes)))).toBe(sum(table.map(({ bytes }) => bytes)));
});

test.each([
  [["-p", "0"], /-p: expected a whole number/],
  [["-d", "-1"], /-d: expected whole numbers from 0/],
  [["-b", "1,x"], /-b: expected a number/],
  [["-r", "0"], /-r: expected a whole number/],
  [
    ["--gen-length", "40", "--block-length", "16", "--models", "builtin:mdlm"],
    /expected a multiple of the block length 16, got 40/,
  ],
] as const)("bench %j is refused before a browser starts", async (args, message) => {
  const ended = await run(["bench", ...args]);
  expect(ended.status).toBe(1);
  expect(ended.stderr).toMatch(message);
});
