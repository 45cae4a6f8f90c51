/** Figures and the report page: what they say, that they escape, that they ask nothing of the network, that they come out the same twice. */
import { describe, expect, test } from "vitest";
import { barChartSvg, lineChartSvg, stackedChartSvg } from "../../../src/measure/charts";
import {
  formatBinaryBytes,
  formatBytes,
  formatCount,
  formatNs,
  formatNumber,
  formatPercent,
  formatShapes,
} from "../../../src/measure/format";
import { kernelTable, type TimedDispatch } from "../../../src/measure/kernel-table";
import { renderReport } from "../../../src/measure/report";
import { accountOf, type CompareDocument, contestants, type ReportRun } from "../../../src/measure/report-summary";
import { rooflineSvg } from "../../../src/measure/roofline-figure";
import { rooflinePoints } from "../../../src/measure/roofline-points";
import { CALIBRATION } from "./fixtures";

const EVIL = `<script>alert("x")</script>&'`;

const dispatch = (role: string, kernel: string, scale: number): TimedDispatch => ({
  kernel,
  variant: "q8",
  role,
  phase: "decode",
  shape: { T: 1, N: 512 * scale, K: 192 },
  flops: 1e6 * scale,
  bytes: 2e5 * scale,
  loads: 6e4 * scale,
  ns: 3e4 * scale,
});
const KERNELS = kernelTable([dispatch("up_proj", "gemv_reg", 3), dispatch("attention", "attention", 1)], CALIBRATION);

const run = (model: string, overrides: Partial<ReportRun> = {}): ReportRun => ({
  model,
  family: "ar",
  decoding: { name: "greedy" },
  prompt: "Ann has 3 apples.",
  text: "She has 3.",
  timings: { wallNs: 1e9, sumOfFloorsNs: 2e8, sumOfKernelsNs: 6e8, stepNs: 8e8 },
  tokensPerSecond: 32,
  forwards: 32,
  tokensPerForward: 1,
  rowsPerForward: 2,
  flopsPerToken: 1e7,
  bytesPerToken: 2e6,
  arithmeticIntensity: 5,
  kernels: KERNELS,
  bubbleNs: 2e8,
  ...overrides,
});
const DOCUMENT: CompareDocument = {
  date: "2026-11-22T03:50:00Z",
  commandLine: "ridgepoint compare",
  device: CALIBRATION.device,
  calibration: CALIBRATION,
  runs: [
    run("a"),
    run("a", { prompt: "Two?", timings: { wallNs: 3e9 }, kernels: [], exactMatch: true }),
    run("b", { family: "mdlm" }),
  ],
};

describe("format", () => {
  test("three digits, and units that fit", () => {
    expect([0.01234, 1.2345, 12.345, 123.45, 12345, 0, null].map(formatNumber)).toEqual([
      "0.0123",
      "1.23",
      "12.3",
      "123",
      "12,300",
      "0",
      "–",
    ]);
    expect([999.6, 1500, 2.5e6, 3e9].map(formatNs)).toEqual(["1.00 µs", "1.50 µs", "2.50 ms", "3.00 s"]);
    expect(formatBytes(2.8e6)).toBe("2.80 MB");
    expect(formatBinaryBytes(2 ** 18)).toBe("256 KiB");
    expect([1632, 31].map(formatCount)).toEqual(["1,632", "31"]);
    expect([9.94, 99.5, null].map(formatPercent)).toEqual(["9.9 %", "100 %", "–"]);
    expect(
      formatShapes([
        { T: 1, S: 33 },
        { T: 1, S: 63 },
      ]),
    ).toBe("T=1 S=33…63");
  });
});

describe("rooflineSvg", () => {
  const figure = { calibration: CALIBRATION, points: rooflinePoints(KERNELS, "a"), title: "Roofs" };

  test("draws every resolved role once, with its tooltip and stalk", () => {
    const svg = rooflineSvg(figure, { theme: "light" });
    expect(svg.match(/class="point"/g)).toHaveLength(2);
    expect(svg).toContain("up_proj · a");
    expect(svg.match(/class="stalk"/g)).toHaveLength(4);
    expect(svg).toContain('role="img"');
    expect(svg).toContain("ridge 10.0 FLOP/B");
    expect(svg).toContain("f16 FMA 200 GFLOP/s");
  });

  test("is the same text twice, and escapes names", () => {
    expect(rooflineSvg(figure, { theme: "auto" })).toBe(rooflineSvg(figure, { theme: "auto" }));
    const evil = rooflineSvg({ ...figure, title: EVIL, points: rooflinePoints(KERNELS, EVIL) }, { theme: "auto" });
    expect(evil).not.toContain("<script");
  });

  test("says what it leaves out, and stands without points", () => {
    const none = { label: "embed", series: "a", intensity: 0, gflops: 0, boundBy: "launch" } as const;
    expect(rooflineSvg({ ...figure, points: [...figure.points, none] }, { theme: "dark" })).toContain(
      "1 without FLOPs not drawn",
    );
    expect(rooflineSvg({ ...figure, points: [] }, { theme: "dark" })).not.toMatch(/NaN|Infinity/);
  });
});

test("charts hold no number that is none, and name their parts", () => {
  const bars = barChartSvg({ title: "Speed", unit: "tok/s", bars: [{ label: EVIL, value: 0, series: 0 }] }, { theme: "auto" });
  const stacked = stackedChartSvg(
    { title: "Time", parts: ["floors", "rest"], bars: [{ label: "a", values: [0, 0] }], format: formatNs },
    { theme: "auto" },
  );
  const points = [
    { x: 1, y: 10 },
    { x: 8, y: null },
    { x: 64, y: 1000, interval: { low: 900, high: 1100 } },
  ];
  const lines = lineChartSvg(
    { title: "Sweep", xLabel: "batch", yLabel: "tok/s", log: { x: true, y: true }, series: [{ name: "ar", points }] },
    { theme: "auto" },
  );
  for (const svg of [bars, stacked, lines]) expect(svg).not.toMatch(/NaN|Infinity|<script/);
  expect(lines.match(/M/g)!.length).toBeGreaterThanOrEqual(2);
});

describe("report", () => {
  test("contestants are totals over totals", () => {
    const [a, b] = contestants(DOCUMENT);
    expect(a).toMatchObject({ model: "a", tokens: 64, tokensPerSecond: 16, tokensPerForward: 1, answered: 1, matches: 1 });
    expect(b).toMatchObject({ model: "b", series: 1, tokensPerSecond: 32, answered: 0, matchInterval: null });
  });

  test("the account adds up to the profiled wall time", () => {
    expect(accountOf(run("a"))).toEqual({ floors: 2e8, aboveFloors: 4e8, betweenKernels: 2e8, outside: 2e8, wall: 1e9 });
    expect(accountOf(run("a", { timings: { wallNs: 1e9 } }))).toBeNull();
    const perturbed = accountOf(run("a", { timings: { wallNs: 1e9, sumOfFloorsNs: 1e8, sumOfKernelsNs: 9e8, stepNs: 8e8 } }))!;
    expect(perturbed.betweenKernels).toBe(0);
    expect(perturbed.floors + perturbed.aboveFloors + perturbed.outside).toBe(perturbed.wall);
  });

  test("one page: every section, no request, no number that is none", () => {
    const html = renderReport(DOCUMENT);
    for (const word of [
      "Side by side",
      "Where the kernels stand",
      "Where the time went",
      "Kernel by kernel",
      "What they wrote",
    ]) {
      expect(html).toContain(word);
    }
    expect(html.replace(/<script>[\s\S]*<\/script>/, "")).not.toMatch(/NaN|Infinity|undefined|\[object/);
    expect(html.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:\/\/|src=|@import|url\(/);
    expect(html).toContain("2026-11-22 03:50 UTC");
  });

  test("text of models and prompts stays text", () => {
    const html = renderReport({ ...DOCUMENT, runs: [run(EVIL, { prompt: EVIL, text: EVIL, decoding: { name: EVIL } })] });
    expect(html.match(/<script/g)).toHaveLength(1);
  });

  test("what is not a compare document is refused", () => {
    expect(() => renderReport({ ...DOCUMENT, runs: [] })).toThrow(expect.objectContaining({ code: "bad-file" }));
    expect(() => renderReport(JSON.parse("{}"))).toThrow(expect.objectContaining({ code: "bad-file" }));
  });

  test("a kernel above its roof and a busy machine are said first", () => {
    const kernels = kernelTable([{ ...dispatch("up_proj", "gemv_reg", 3), ns: 1000 }], CALIBRATION);
    const html = renderReport({
      ...DOCUMENT,
      calibration: { ...CALIBRATION, sentinelDriftPercent: -40 },
      runs: [run("a", { kernels })],
    });
    expect(html).toContain("1 kernel is above the roof");
    expect(html).toContain("moved by -40 %");
  });
});
