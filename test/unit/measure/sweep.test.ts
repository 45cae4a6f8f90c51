/** Sweeps without a device: plans, shards, merging, CSV, figures, the report page, accuracy under parallelism. */
import { describe, expect, test } from "vitest";
import { mergedReport } from "../../../src/measure/merged-report";
import { accuracyUnderParallelism } from "../../../src/measure/parallelism";
import { DEVICE_PRESETS } from "../../../src/measure/presets";
import { publishedPoints, publishedRooflineSvg } from "../../../src/measure/published-figures";
import { asRunDocument, type BenchDocument } from "../../../src/measure/run-documents";
import {
  defaultSettings,
  planSweep,
  SWEEPS,
  type SweepDocument,
  type SweepModel,
  type SweepPoint,
  type SweepTask,
  shardOf,
} from "../../../src/measure/sweep";
import { sweepFigures } from "../../../src/measure/sweep-figures";
import { mergeSweeps, sweepCsv } from "../../../src/measure/sweep-merge";
import { CALIBRATION } from "./fixtures";

const MODELS: readonly SweepModel[] = [
  { name: "builtin:ar", family: "ar", blockLength: null },
  { name: "builtin:mdlm", family: "mdlm", blockLength: 16 },
  { name: "builtin:block", family: "block", blockLength: 16 },
];

const settings = (sweep: SweepTask["sweep"], quick = false) => ({ promptLengths: [40, 128], ...defaultSettings(sweep, quick) });

function pointOf(task: SweepTask): SweepPoint {
  if (task.axis === 2048) return { ...task, status: "does-not-fit", message: "context: too long", result: null };
  const wall = 1e9 * (1 + task.axis / 100);
  const onDataset = task.promptLength === null;
  return {
    ...task,
    status: "ok",
    result: {
      wallNs: { median: wall, mad: 1e6 },
      samples: [wall],
      ttftNs: 1e8,
      tokens: 64,
      tokensPerSecond: { median: (64 * 1e9) / wall, mad: 1 },
      forwards: 32,
      tokensPerForward: 2 + task.axis / 100,
      rowsPerForward: 16,
      flopsPerToken: 1e7,
      bytesPerToken: onDataset ? null : 1e6,
      arithmeticIntensity: onDataset ? null : 10,
      dispatches: 100,
      submits: 10,
      readbacks: 10,
      predictedTokensPerSecond: onDataset ? null : 100,
      digest: "0000beef",
      ...(onDataset ? { accuracy: 0.5, confidence95: { low: 0.4, high: 0.6 }, problems: 50 } : {}),
    },
  };
}

function documentOf(sweep: SweepTask["sweep"], shard = { index: 1, of: 1 }, tasks?: readonly SweepTask[]): SweepDocument {
  const plan = planSweep(sweep, MODELS, settings(sweep));
  const points = (tasks ?? shardOf(plan, shard)).map(pointOf);
  const models = MODELS.map((model) => ({ ...model, weights: null }));
  const device = { ...CALIBRATION.device, browser: "Chromium 1" };
  return {
    schema: "ridgepoint/1",
    command: "sweep",
    sweep,
    settings: settings(sweep),
    models,
    device,
    calibration: CALIBRATION,
    shard,
    planned: plan.length,
    points,
  };
}

describe("plans", () => {
  test.each(SWEEPS)("%s: keys are distinct, indices are places, blocks divide the answer", (sweep) => {
    for (const quick of [true, false]) {
      const tasks = planSweep(sweep, MODELS, settings(sweep, quick));
      expect(new Set(tasks.map(({ key }) => key)).size).toBe(tasks.length);
      expect(tasks.map(({ index }) => index)).toEqual(tasks.map((_, i) => i));
      for (const { options } of tasks) {
        if (options.blockLength) expect((options.genLength as number) % options.blockLength).toBe(0);
        if (options.steps) expect(options.steps % ((options.genLength as number) / (options.blockLength as number))).toBe(0);
      }
    }
  });

  test("length: without a cache the canvas is one block and one token a forward; runs go past the end of text", () => {
    const tasks = planSweep("length", MODELS, settings("length"));
    const naive = tasks.filter(({ decoding }) => decoding === "no cache");
    expect(naive.map(({ axis }) => axis)).toEqual([...settings("length").values, ...settings("length").values]);
    for (const { axis, options } of naive) {
      expect(options).toEqual({ genLength: axis, blockLength: axis, cache: "none", steps: axis, ignoreEos: true });
    }
    expect(tasks.filter(({ family }) => family === "ar")[0]?.options).toEqual({ maxNewTokens: 64, ignoreEos: true });
  });

  test("cache and threshold take the place of the default ways", () => {
    const tasks = planSweep("length", MODELS, { ...settings("length"), cache: "dual", threshold: 0.8 });
    expect([...new Set(tasks.map(({ decoding }) => decoding))]).toEqual([
      "greedy",
      "dual cache, threshold 0.8",
      "exact cache, threshold 0.8",
    ]);
  });

  test("batch: sizes are the axis; steps: divisors that leave every block a step; threshold: no autoregressive model", () => {
    expect([...new Set(planSweep("batch", MODELS, settings("batch")).map(({ batch }) => batch))]).toEqual([
      1, 2, 4, 8, 16, 32, 64,
    ]);
    const steps = planSweep("steps", MODELS, settings("steps")).filter(({ family }) => family === "mdlm");
    expect(steps.map(({ axis }) => axis)).toEqual([64, 32, 16, 8, 4]);
    expect(planSweep("threshold", MODELS, settings("threshold")).some(({ family }) => family === "ar")).toBe(false);
  });

  test("a sweep without a point is refused", () => {
    expect(() => planSweep("block", MODELS, { ...settings("block"), values: [7] })).toThrow(/no point fits values 7/);
    expect(() => planSweep("threshold", MODELS.slice(0, 1), settings("threshold"))).toThrow(/no point/);
  });
});

describe("shards", () => {
  test.each([1, 2, 3, 5])("%i shards are the plan, each task once", (of) => {
    const tasks = planSweep("length", MODELS, settings("length"));
    const parts = Array.from({ length: of }, (_, i) => shardOf(tasks, { index: i + 1, of }));
    expect(parts.flat().sort((a, b) => a.index - b.index)).toEqual(tasks);
  });

  test("merged, they equal the unsharded sweep point for point", () => {
    const parts = [documentOf("block", { index: 2, of: 2 }), documentOf("block", { index: 1, of: 2 })];
    const [merged, ...others] = mergeSweeps(parts);
    expect(others).toEqual([]);
    expect(merged?.points).toEqual(documentOf("block").points);
    expect(merged?.shard).toEqual({ index: 1, of: 1 });
  });

  test("other settings or another device are another experiment", () => {
    const one = documentOf("block");
    expect(mergeSweeps([one, { ...one, settings: { ...one.settings, genLength: 64 } }])).toHaveLength(2);
    expect(mergeSweeps([one, { ...one, device: { ...one.device, vendor: "other" } }])).toHaveLength(2);
  });

  test("a point that failed once and succeeded once succeeded; different tokens are refused", () => {
    const one = documentOf("block");
    const [first, ...rest] = one.points as [SweepPoint, ...SweepPoint[]];
    const failed = { ...one, points: [{ ...first, status: "timeout" as const, result: null }, ...rest] };
    expect(mergeSweeps([failed, one])[0]?.points).toEqual(one.points);
    const other = { ...first, result: { ...first.result!, digest: "0000dead" } };
    expect(() => mergeSweeps([one, { ...one, points: [other] }])).toThrow(/measured twice with different tokens/);
  });
});

test("CSV: one line a point, fields as many as names, commas and quotes kept", () => {
  const document = documentOf("length");
  const [first, ...others] = document.points as [SweepPoint, ...SweepPoint[]];
  const csv = sweepCsv([{ ...document, points: [{ ...first, model: 'a "b", c' }, ...others] }]);
  const lines = csv.split("\r\n");
  expect(lines).toHaveLength(document.points.length + 2);
  expect(lines[1]).toContain('"a ""b"", c"');
  const columns = (line: string) => line.replace(/"(?:[^"]|"")*"/g, "quoted").split(",").length;
  for (const line of lines.slice(0, -1)) expect(columns(line)).toBe(columns(lines[0] as string));
  expect(lines.some((line) => line.includes("does-not-fit,,"))).toBe(true);
});

describe("figures", () => {
  test.each(SWEEPS)("%s: each is an SVG with a title and a description, the same twice", (sweep) => {
    const figures = sweepFigures([documentOf(sweep)]);
    expect(new Set(figures.map(({ name }) => name)).size).toBe(figures.length);
    const names = figures.map(({ name }) => name);
    expect(names.some((name) => name.startsWith("throughput"))).toBe(true);
    expect(names.includes("trade-off")).toBe(sweep === "steps" || sweep === "threshold");
    expect(names.includes("predicted")).toBe(sweep !== "steps" && sweep !== "threshold");
    for (const { svg, title } of figures) {
      const drawn = svg("auto");
      expect(drawn).toContain(`<title id=`);
      expect(drawn).toContain(title);
      expect(drawn).toMatch(/<desc id="[^"]+">[^<]{40,}/);
      expect(drawn).not.toMatch(/NaN|undefined|Infinity/);
      expect(svg("auto")).toBe(drawn);
      expect(svg("dark")).not.toBe(svg("light"));
    }
  });

  test("a point that does not fit is a cross, two devices are told apart", () => {
    const document = documentOf("length");
    const latency = sweepFigures([document]).find(({ name }) => name === "latency-prompt-40");
    expect(latency?.svg("light")).toContain("×");
    const other = { ...document, device: { ...document.device, vendor: "second" } };
    const both = sweepFigures([document, other]).find(({ name }) => name === "latency-prompt-40");
    expect(both?.svg("light")).toContain("second round");
  });
});

describe("the papers' roofline", () => {
  test("decode lies on the bandwidth roof, prefill under the peak, no cache on either side of the ridge", () => {
    const points = publishedPoints(DEVICE_PRESETS.a6000);
    const of = (series: string) => points.filter((point) => point.series.includes(series));
    for (const point of of("decode")) expect(point.gflops).toBeCloseTo(point.intensity * 768, 6);
    expect(of("prefill").map(({ gflops }) => gflops)).toEqual([154_800]);
    expect(of("no cache").map(({ boundBy }) => boundBy)).toEqual(["memory", "memory", "compute", "compute", "compute"]);
    const dual = of("dual cache").map(({ intensity }) => intensity);
    expect(Math.max(...dual) / Math.min(...dual)).toBeLessThan(1.1);
  });

  test("is drawn as published, not as measured", () => {
    const svg = publishedRooflineSvg("a6000", { theme: "light" });
    expect(svg).toContain("fp16 peak 155 TFLOP/s");
    expect(svg).toContain("published roofs");
    expect(svg).not.toContain("measured in this browser");
    expect(svg).not.toMatch(/NaN|undefined/);
  });
});

describe("the merged report", () => {
  const evaluation = {
    command: "eval",
    device: CALIBRATION.device,
    model: { name: "builtin:<b>" },
    dataset: { path: "models/heldout.jsonl" },
    options: { steps: 8 },
    n: 10,
    accuracy: 0.5,
    confidence95: { low: 0.2, high: 0.8 },
    tokensPerSecond: 5,
    tokensPerForward: 2,
    flopsPerToken: 1e6,
  } as const;

  test("is one page that asks nothing of the network, with every sweep, evaluation and device", () => {
    const shards = [documentOf("steps", { index: 1, of: 2 }), documentOf("steps", { index: 2, of: 2 })];
    const { html, csv, sweeps } = mergedReport([documentOf("length"), ...shards, evaluation]);
    expect(sweeps).toHaveLength(2);
    expect(html.match(/<h2>/g)?.length).toBeGreaterThanOrEqual(5);
    for (const word of ["Length", "Denoising steps", "Answers", "in theory", "Predicted against measured"])
      expect(html).toContain(word);
    expect(html).toContain("builtin:&lt;b&gt;");
    expect(html).not.toMatch(/(?:src|href)=["'](?!data:)/);
    expect(html.replace(/<script>.*<\/script>/s, "")).not.toMatch(/NaN|undefined/);
    expect(csv?.split("\r\n")).toHaveLength(sweeps.flatMap(({ points }) => points).length + 2);
  });

  test("shows benchmarks, the papers' predictions and the leading terms", () => {
    const row = { model: "m", batch: 2, forwards: 9, dispatches: 90, allocatedBytes: 1e6 };
    const rate = { median: 12.5, mad: 0.125 };
    const bench: BenchDocument = {
      command: "bench",
      device: CALIBRATION.device,
      rows: [
        { ...row, name: "tg8", status: "ok", tokensPerSecond: rate, ns: { median: 1e9, mad: 0 } },
        { ...row, name: "pp9", status: "out-of-memory", tokensPerSecond: null, ns: null },
      ],
    };
    const { html, csv } = mergedReport([bench, documentOf("block")]);
    for (const word of ["12.5 ± 1.0 %", "out-of-memory", "LLaDA-8B, dual cache", "O(K·B·G·d²)", "GeForce RTX 4070"]) {
      expect(html).toContain(word);
    }
    expect(csv).not.toBeNull();
    expect(mergedReport([bench]).csv).toBeNull();
  });

  test("says when shards are missing", () => {
    const { html } = mergedReport([documentOf("steps", { index: 1, of: 2 })]);
    expect(html).toMatch(/\d+ of \d+ points; the others were not measured yet/);
  });

  test("refuses what is no document of a run", () => {
    for (const value of [
      null,
      3,
      {},
      { command: "tokenize" },
      { command: "sweep", device: {} },
      { command: "bench", device: {} },
      { command: "compare", error: {} },
    ]) {
      expect(() => asRunDocument(value, "x.json")).toThrow(/^x\.json: /);
    }
    expect(() => mergedReport([])).toThrow(/at least one/);
  });
});

describe("accuracy under parallelism", () => {
  test("equals the area by hand", () => {
    // ρ₁y₁ = 1·80; then (3 − 1)·(80 + 80)/2.
    const flat = [
      { tokensPerForward: 1, accuracy: 0.8 },
      { tokensPerForward: 3, accuracy: 0.8 },
    ];
    expect(accuracyUnderParallelism(flat)).toBeCloseTo(80 + 160, 9);
    const falling = [...flat, { tokensPerForward: 5, accuracy: 0.76 }];
    const weighted = 76 * Math.exp(-3 * (1 - 0.76 / 0.8));
    expect(accuracyUnderParallelism(falling)).toBeCloseTo(240 + (2 * (80 + weighted)) / 2, 9);
  });

  test("drops what is more than five points worse, and counts a slower equal once", () => {
    const points = [
      { tokensPerForward: 1, accuracy: 0.8 },
      { tokensPerForward: 4, accuracy: 0.7 },
      { tokensPerForward: 1, accuracy: 0.5 },
    ];
    expect(accuracyUnderParallelism(points)).toBeCloseTo(80, 9);
    expect(accuracyUnderParallelism([])).toBe(0);
    expect(accuracyUnderParallelism([{ tokensPerForward: 2, accuracy: 0 }])).toBe(0);
  });

  test("against a better contestant it is less", () => {
    const points = [
      { tokensPerForward: 1, accuracy: 0.4 },
      { tokensPerForward: 2, accuracy: 0.4 },
    ];
    expect(accuracyUnderParallelism(points, { best: 0.8 })).toBeLessThan(accuracyUnderParallelism(points));
  });
});
