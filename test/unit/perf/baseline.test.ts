/** Costs against a baseline: what is surely dearer is found, what may not be is let be, and what cannot be compared is refused. */
import { describe, expect, test } from "vitest";
import { baselineOf, excessesOf, parseBaseline } from "../../../perf/baseline";
import { KERNELS, kernelOf, profileOf } from "./profiles";

const BASELINE = parseBaseline(JSON.stringify(baselineOf(profileOf(KERNELS))), "here");
const found = (kernels: typeof KERNELS, tolerance = 0.1, rest = {}): string[] =>
  excessesOf(profileOf(kernels, rest), BASELINE, tolerance).map(({ what }) => what);
/** The usual kernels, with one in place of another. */
const withKernel = (at: number, kernel: (typeof KERNELS)[number]) => KERNELS.map((one, i) => (i === at ? kernel : one));

describe("excesses", () => {
  test("none against itself, and none where all is cheaper", () => {
    expect(found(KERNELS, 0)).toEqual([]);
    expect(found(KERNELS.map((one) => kernelOf(`${one.kernel} x ${one.role} ${one.phase}`, one.ns.median / 2, one)))).toEqual([]);
  });

  test("a kernel that takes twice as long, and its phase", () => {
    expect(found(withKernel(3, kernelOf("gemv_lane q8 lm_head decode", 600)))).toEqual([
      "a forward of phase decode",
      "lm_head (decode, gemv_lane)",
    ]);
  });

  test("a tenth more is within a tenth, and above a twentieth", () => {
    const more = withKernel(3, kernelOf("gemv_lane q8 lm_head decode", 330));
    expect(found(more, 0.1)).toEqual([]);
    expect(found(more, 0.05)).toContain("lm_head (decode, gemv_lane)");
  });

  test("a median above the bound counts only when its interval is above it too", () => {
    expect(found(withKernel(3, kernelOf("gemv_lane q8 lm_head decode", 360, { width: 0.15 })))).toEqual([]);
  });

  test("another kernel for the same role is the same role", () => {
    expect(found(withKernel(3, kernelOf("gemv_split q8 lm_head decode", 600)))).toContain("lm_head (decode, gemv_split)");
  });

  test("a kernel below a tenth of its phase, then and now, is judged with its phase alone", () => {
    expect(found(withKernel(4, kernelOf("rmsnorm subgroup final_norm decode", 20)))).toEqual([]);
    expect(found(withKernel(4, kernelOf("rmsnorm subgroup final_norm decode", 100)))).toEqual([
      "a forward of phase decode",
      "final_norm (decode, rmsnorm)",
    ]);
  });

  test("a kernel that came tells in the sum of its phase", () => {
    expect(found([...KERNELS, kernelOf("bias f32 bias decode", 4)])).toEqual([]);
    expect(found([...KERNELS, kernelOf("bias f32 bias decode", 90)])).toEqual(["a forward of phase decode"]);
  });

  test("counts need no clock", () => expect(found(KERNELS, 0.1, { forwards: 5 })).toEqual(["forwards"]));

  test.each([
    [{ prompt: "b" }, /another workload/],
    [{ vendor: "other" }, /another device/],
  ])("%j is not compared", (rest, message) => expect(() => found(KERNELS, 0.1, rest)).toThrow(message));
});

test.each(["", "{", "{}", '{"schema":"ridgepoint/1"}', '{"schema":"ridgepoint-perf-baseline/1"}'])("%j is no baseline", (text) =>
  expect(() => parseBaseline(text, "file.json")).toThrow(expect.objectContaining({ code: "bad-file" })),
);

test("several kernels as one: costs add up, shares of the roof by time", () => {
  const profile = profileOf(KERNELS);
  const both = profile.kernel("gemv");
  expect(both.calls).toBe(3);
  expect(both.sentinelFlops.value).toBe(2 * 50 + 300);
  expect(both.percentOfRoof.value).toBeCloseTo((100 * 0.4 + 300 * 0.8) / 4, 9);
  expect(both.percentOfRoof.interval95.low).toBeLessThan(both.percentOfRoof.value);
  expect(profile.phase("decode").sentinelFlops.value).toBe(405);
  expect(() => profile.phase("denoise")).toThrow(/expected a phase of this run/);
});
