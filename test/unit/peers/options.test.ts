/** What the command's options make of a run, and what it refuses. */
import { describe, expect, test } from "vitest";
import { kernelCases } from "../../../bench/peers/cases";
import { parseOptions } from "../../../bench/peers/options";

const casesOf = (...args: string[]) => kernelCases(parseOptions(args).choice);

describe("cases", () => {
  test("without options: all kernels, end to end only with a model", () => {
    expect(new Set(casesOf().map(({ topic }) => topic))).toEqual(new Set(["gemm", "gemv", "attention", "norms"]));
    expect(parseOptions([]).endToEnd).toBe(false);
    expect(parseOptions(["--gguf", "a.gguf"]).endToEnd).toBe(true);
  });

  test("rows say what is matrix times matrix", () => {
    const rows = (topic: string) => casesOf("--rows", "1,4,32").filter((each) => each.topic === topic);
    expect(new Set(rows("gemv").map((each) => each.rows))).toEqual(new Set([1, 4]));
    expect(new Set(rows("gemm").map((each) => each.rows))).toEqual(new Set([32]));
  });

  test("shapes and formats", () => {
    expect(casesOf("--only", "gemm", "--rows", "8", "--shapes", "64x100,32×7", "--formats", "q8")).toEqual([
      { topic: "gemm", format: "q8", rows: 8, inFeatures: 64, outFeatures: 100 },
      { topic: "gemm", format: "q8", rows: 8, inFeatures: 32, outFeatures: 7 },
    ]);
  });

  test("every default K is a multiple of a block", () => {
    for (const each of casesOf()) if ("inFeatures" in each) expect(each.inFeatures % 32).toBe(0);
  });
});

test.each([
  [["--adapter", "vulkan"], /--adapter: expected one of swiftshader, lavapipe, default, came "vulkan"/],
  [["--only", "gem"], /--only: expected one of/],
  [["--only", "e2e"], /expected --gguf/],
  [["--rows", "0"], /--rows: expected a whole number/],
  [["--rounds", "many"], /--rounds: expected a whole number/],
  [["--shapes", "576"], /--shapes: expected K×N/],
  [["--shapes", "100x64"], /multiple of 32/],
  [["--formats", "q5"], /--formats: expected one of f32, q4, q8/],
  [["--fast"], /--fast/],
])("%j is refused", (args, message) => {
  expect(() => parseOptions(args)).toThrow(message);
  expect(() => parseOptions(args)).toThrow(expect.objectContaining({ code: "usage" }));
});
