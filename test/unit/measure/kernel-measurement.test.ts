/** Kernels against their floors, forwards as their sums, what rows cost: by hand, on a calibration of round numbers. */
import { describe, expect, test } from "vitest";
import type { Kernel } from "../../../src/kernels/dispatch";
import { forwardOf, type KernelMeasurement, measurementOf, reasonOf } from "../../../src/measure/kernel-measurement";
import { scalingOf, scalingSvg } from "../../../src/measure/scaling-figure";
import { gatedKinds, kindProducts, normalised, periodicPlane, periodicRows } from "../../../src/measure/trials/numbers";
import { compare, exactly, plainRows, planOf, SENTINEL, type Trial, type Way } from "../../../src/measure/trials/trial";
import { weightFormatsOf } from "../../../src/measure/weight-formats";
import type { CheckpointDescription } from "../../../src/model/inspect";
import { CALIBRATION } from "./fixtures";

const kernel = (name: string, work: { flops: number; bytes: number; loads: number }): Kernel => ({
  name,
  variant: "made up",
  wgsl: { source: "" },
  bindings: [],
  grid: () => [1, 1, 1],
  shape: ({ rows }) => ({ T: rows }),
  work: () => work,
});

const trialOf = (rows: number): Trial => ({
  role: "o_proj",
  ...planOf(plainRows(rows)),
  arrays: {},
  rotated: [],
  outputs: [],
  ways: [],
  check: () => exactly(null),
});

/** 2e6 FLOP take 20,000 ns; 4e5 bytes at 40 GB/s 10,000; 5e4 loads 10,000; a dispatch 1,000. */
const WORK = { flops: 2e6, bytes: 4e5, loads: 5e4 };

const tested = (changed: Partial<Parameters<typeof measurementOf>[0]> = {}) => ({
  trial: trialOf(8),
  way: { id: "a", steps: [{ kernel: kernel("gemm", WORK), bound: [] }] } satisfies Way,
  role: "o_proj",
  rows: 8,
  calls: 30,
  chosen: true,
  checked: { fault: null, maxError: 1e-6 },
  ns: [40_000, 42_000, 50_000],
  dtype: "q4",
  ...changed,
});

describe("one kernel", () => {
  test("its time, rates and share of its floor", () => {
    const row = measurementOf(tested(), CALIBRATION);
    expect(row).toMatchObject({
      kernel: "gemm",
      shape: { T: 8 },
      ns: { median: 42_000, mad: 2000 },
      boundBy: "compute",
      correct: true,
    });
    expect(row.gflops).toBeCloseTo(2e6 / 42_000);
    expect(row.gbps).toBeCloseTo(4e5 / 42_000);
    expect(row.intensity).toBe(5);
    expect(row.floorNs).toBe(21_000);
    expect(row.percentOfRoof).toBe(50);
  });

  test("of several kernels the work adds up, and the one that does most gives the name", () => {
    const steps = [kernel("rmsnorm", { flops: 1e3, bytes: 1e3, loads: 10 }), kernel("gemm", WORK)].map((one) => ({
      kernel: one,
      bound: [],
    }));
    const row = measurementOf(tested({ way: { id: "a", steps } }), CALIBRATION);
    expect(row).toMatchObject({ kernel: "gemm", flops: 2_001_000, bytes: 401_000, loads: 50_010 });
  });

  test("a wrong one has its fault and no time", () => {
    const row = measurementOf(
      tested({ checked: { fault: "element 3: expected 1 ± 0, came 2", maxError: 1 }, ns: [] }),
      CALIBRATION,
    );
    expect(row).toMatchObject({
      correct: false,
      ns: null,
      gflops: null,
      percentOfRoof: null,
      fault: "element 3: expected 1 ± 0, came 2",
    });
  });

  test.each([
    [21_000, /^its arithmetic would take 95 % of its time by itself$/],
    [
      200_000,
      /^no ceiling is near \(of its time, its arithmetic 10 %, the bytes it moves 5 %, the loads it issues 5 %, launching it 1 %\)/,
    ],
  ])("at %i ns the reason is told", (ns, reason) => {
    expect(reasonOf(measurementOf(tested({ ns: [ns] }), CALIBRATION))).toMatch(reason);
  });

  test("what is short is bound by its launch", () => {
    const way = { id: "a", steps: [{ kernel: kernel("reveal", { flops: 0, bytes: 8, loads: 2 }), bound: [] }] };
    const row = measurementOf(tested({ way, ns: [1100] }), CALIBRATION);
    expect(row.boundBy).toBe("launch");
    expect(reasonOf(row)).toMatch(/^launching it would take 91 %/);
  });
});

const row = (role: string, rows: number, ns: number | null, changed: Partial<KernelMeasurement> = {}): KernelMeasurement => ({
  ...measurementOf(tested({ role, rows, ns: ns === null ? [] : [ns], calls: 1 }), CALIBRATION),
  ...changed,
});

describe("forwards", () => {
  test("are sums over calls; the weakest is where most time is lost, not where the share is least", () => {
    const kernels = [
      row("qkv_proj", 8, 30_000, { calls: 30 }),
      row("reveal", 8, 50_000, { calls: 1 }),
      row("bias", 8, 1e9, { calls: 0 }),
      row("qkv_proj", 8, 10_000, { chosen: false, calls: 30 }),
      row("qkv_proj", 1, 7),
    ];
    const forward = forwardOf(8, kernels);
    expect(forward.ns).toBe(30 * 30_000 + 50_000);
    expect(forward.floorNs).toBe(31 * 21_000);
    expect(forward.percentOfRoof).toBeCloseTo((100 * 31 * 21_000) / 950_000);
    expect(forward.weakest).toMatchObject({ role: "qkv_proj", lostNs: 30 * 9000 });
  });

  test("have no time where a kernel has none", () => {
    expect(forwardOf(8, [row("a", 8, 30_000), row("b", 8, null)])).toMatchObject({
      ns: null,
      percentOfRoof: null,
      weakest: { role: "a" },
    });
    expect(forwardOf(8, []).weakest).toBeNull();
  });
});

describe("what rows cost", () => {
  const kernels = [1, 4, 16].flatMap((rows) => [row("gate_up_proj", rows, 1000 * rows), row("attention", rows, 500)]);
  const forwards = [16, 4, 1].map((rows) => forwardOf(rows, kernels));

  test("is a ratio to one row, for the forward and each role", () => {
    const { forward, roles } = scalingOf(forwards, kernels);
    expect(forward).toEqual([
      { rows: 1, ratio: 1 },
      { rows: 4, ratio: 3 },
      { rows: 16, ratio: 11 },
    ]);
    expect(roles.gate_up_proj?.map(({ ratio }) => ratio)).toEqual([1, 4, 16]);
    expect(roles.attention?.map(({ ratio }) => ratio)).toEqual([1, 1, 1]);
  });

  test("asks for one row", () => {
    expect(() => scalingOf(forwards.slice(0, 2), kernels)).toThrow(/a forward of one row/);
  });

  test.each(["light", "dark", "auto"] as const)("as a figure, %s: its text tells the numbers", (theme) => {
    const svg = scalingSvg(scalingOf(forwards, kernels), { title: "a <model>", theme });
    expect(svg).toContain("a &lt;model&gt;: 16 rows cost 11.0 of one");
    expect(svg).toContain("whole forward: 1 → 1.00, 4 → 3.00, 16 → 11.0");
    expect(svg).toContain("no gain: as many times as rows: 1 → 1.00, 4 → 4.00, 16 → 16.0");
    expect(svg).toMatch(/role="img"/);
    expect(svg).not.toMatch(/NaN|undefined/);
    expect(svg.includes("prefers-color-scheme")).toBe(theme === "auto");
  });
});

describe("operands that repeat", () => {
  test("a plane's columns are those of its kinds, whatever their number", () => {
    for (const [format, inFeatures, outFeatures] of [
      ["q4", 64, 7],
      ["q8", 32, 61],
      ["f16", 45, 62],
      ["f32", 33, 500],
    ] as const) {
      const { words, paddedOut, paddedIn, kinds } = periodicPlane(format, inFeatures, outFeatures);
      expect([paddedOut % 64, paddedIn % 32, kinds.length]).toEqual([0, 0, 61 * inFeatures]);
      const want = words.map((_, at) => {
        const [line, column] = [Math.floor(at / paddedOut), at % paddedOut];
        return column < outFeatures ? (words[line * paddedOut + (column % 61)] as number) : 0;
      });
      expect(words).toEqual(want);
    }
  });

  test("products, norms and gates by hand", () => {
    const plane = periodicPlane("f32", 32, 64);
    const rows = Float32Array.from({ length: 64 }, (_, i) => (i === 33 ? 2 : 0));
    expect([...kindProducts(rows, plane, 32)].slice(61)).toEqual(
      [...plane.kinds].filter((_, i) => i % 32 === 1).map((value) => 2 * value),
    );
    const [a = 0, b = 0] = normalised(Float32Array.of(3, 4), [1, 2], { size: 2, eps: 0 });
    expect(a * Math.sqrt(12.5)).toBeCloseTo(3);
    expect(b * Math.sqrt(12.5)).toBeCloseTo(8);
    expect([...periodicRows(Float32Array.of(1, 2, 3, 4), 2, { count: 3, stride: 3 })]).toEqual([1, 2, 0, 3, 4, 0, 1, 2, 0]);
    expect([gatedKinds(0), gatedKinds(31), gatedKinds(32)]).toEqual([
      [0, 32],
      [31, 2],
      [3, 35],
    ]);
  });

  test("a comparison tells the first fault, the largest error, and what lies behind the end", () => {
    const exact = { want: () => 1, tolerance: () => 0.1 };
    expect(compare([1, 1.05, SENTINEL], 2, exact)).toEqual({ fault: null, maxError: expect.closeTo(0.05) });
    expect(compare([1, 1.5, 3], 3, exact)).toEqual({ fault: "element 1: expected 1 ± 0.10, came 1.5", maxError: 2 });
    expect(compare([1, Number.NaN], 2, exact).fault).toMatch("element 1");
    expect(compare([1, 0], 1, exact).fault).toMatch("element 1, behind the end");
  });
});

describe("formats of a checkpoint", () => {
  const tensors = (list: readonly (readonly [string, string, readonly number[]])[]) =>
    ({ tensors: list.map(([name, dtype, shape]) => ({ name, dtype, shape, bytes: 0 })) }) as unknown as CheckpointDescription;

  test.each([
    [
      "GGUF, tied",
      [
        ["token_embd.weight", "q8_0", [9, 32]],
        ["blk.0.attn_q.weight", "q4_1", [32, 32]],
        ["blk.0.attn_v.weight", "q4_1", [32, 32]],
        ["blk.0.ffn_down.weight", "q8_0", [32, 32]],
        ["blk.0.attn_norm.weight", "f32", [32]],
      ],
      { embed: "q8", layers: "q4", head: "q8" },
    ],
    [
      "safetensors",
      [
        ["model.embed_tokens.weight", "bf16", [9, 32]],
        ["model.layers.0.mlp.up_proj.weight", "bf16", [32, 32]],
        ["lm_head.weight", "f32", [9, 32]],
      ],
      { embed: "f16", layers: "f16", head: "f32" },
    ],
    [
      "LLaDA",
      [
        ["model.transformer.wte.weight", "f32", [9, 32]],
        ["model.transformer.blocks.0.ff_out.weight", "f16", [32, 32]],
        ["model.transformer.ff_out.weight", "f32", [9, 32]],
      ],
      { embed: "f32", layers: "f16", head: "f32" },
    ],
  ] as const)("%s", (_, list, formats) => {
    expect(weightFormatsOf(tensors(list))).toEqual(formats);
  });

  test("without layers it is refused", () => {
    expect(() => weightFormatsOf(tensors([["model.embed_tokens.weight", "f32", [9, 32]]]))).toThrow(/matrices of layers/);
  });
});
