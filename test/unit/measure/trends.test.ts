/** The papers' statements about intensity and work, asserted on the closed forms with the papers' models, in fp16. */
import { describe, expect, test } from "vitest";
import { ASYMPTOTICS, type AsymptoticRow, type AsymptoticSizes, asymptotic } from "../../../src/measure/asymptotics";
import { attainableUnder, generationCost, predict, ridgeOf } from "../../../src/measure/cost-model";
import { plainLayout } from "../../../src/measure/layout";
import { measuredRoofs, predictedTokensPerSecond } from "../../../src/measure/measured-roofs";
import { DEVICE_PRESETS, MODEL_PRESETS, type ModelPreset } from "../../../src/measure/presets";
import type { WorkDecoding, Workload } from "../../../src/measure/workload";
import type { ModelConfig } from "../../../src/model/config";
import { CALIBRATION } from "./fixtures";

const costOn = (config: ModelConfig, workload: Workload) => generationCost(config, plainLayout(config), workload);
const cost = (model: ModelPreset, workload: Workload) => costOn(MODEL_PRESETS[model], workload);

const AR: WorkDecoding = { family: "ar" };
const naive = (genLength: number): WorkDecoding => ({ family: "mdlm", cache: "none", blockLength: genLength, steps: genLength });
const dual = (genLength: number, blockLength = 32): WorkDecoding => ({
  family: "mdlm",
  cache: "dual",
  blockLength,
  steps: genLength,
});
const block = (genLength: number, blockLength = 32, commit: "separate" | "fused" = "separate"): WorkDecoding => ({
  family: "block",
  commit,
  blockLength,
  steps: genLength,
});
const at = (decoding: WorkDecoding, { batch = 1, promptLength = 32, genLength = 64 } = {}): Workload => ({
  batch,
  promptLength,
  genLength,
  decoding,
});

/** Within a share of the expected value. */
const near = (got: number, expected: number, share: number): void => {
  expect(Math.abs(got / expected - 1), `${got} against ${expected}`).toBeLessThan(share);
};

describe("intensity while weights lead", () => {
  test("AR decode is about B", () => {
    for (const batch of [1, 2, 4, 8, 16]) near(cost("llama-3-8b", at(AR, { batch })).phases.decode!.intensity, batch, 0.12);
  });

  test("block diffusion is about B·G", () => {
    for (const [batch, size] of [
      [1, 4],
      [1, 16],
      [2, 16],
      [4, 8],
      [8, 4],
    ] as const) {
      const { denoise } = cost("fast-dllm-v2-7b", at(block(64, size), { batch })).phases;
      near(denoise!.intensity, batch * size, 0.2);
    }
  });

  test("masked diffusion without a cache is about B·L", () => {
    for (const [batch, promptLength, genLength] of [
      [1, 16, 16],
      [1, 32, 32],
      [2, 16, 16],
    ] as const) {
      const { denoise } = cost("llada-8b", at(naive(genLength), { batch, promptLength, genLength })).phases;
      near(denoise!.intensity, batch * (promptLength + genLength), 0.2);
    }
  });

  test("with a dual cache it depends on G and hardly on L_g", () => {
    const intensity = (genLength: number, size: number) =>
      cost("llada-8b", at(dual(genLength, size), { genLength })).phases.denoise!.intensity;
    const reference = intensity(64, 32);
    for (const genLength of [128, 256, 512, 1024]) near(intensity(genLength, 32), reference, 0.06);
    near(intensity(256, 8) / intensity(256, 32), 8 / 32, 0.1);
    const uncached = (genLength: number) => cost("llada-8b", at(naive(genLength), { genLength })).phases.denoise!.intensity;
    expect(uncached(1024) / uncached(64)).toBeGreaterThan(3);
  });
});

describe("work a token", () => {
  test("grows with L_g without a cache, not with one and hardly for AR", () => {
    const perToken = (model: ModelPreset, decoding: (length: number) => WorkDecoding, genLength: number) =>
      cost(model, at(decoding(genLength), { genLength })).flopsPerToken;
    near(perToken("llada-8b", naive, 1024) / perToken("llada-8b", naive, 128), (1024 + 32) / (128 + 32), 0.1);
    expect(perToken("llada-8b", dual, 1024) / perToken("llada-8b", dual, 128)).toBeLessThan(2.2);
    near(
      perToken("llama-3-8b", () => AR, 1024),
      perToken("llama-3-8b", () => AR, 128),
      0.25,
    );
  });

  test("fewer steps divide it", () => {
    const decoding = (steps: number): WorkDecoding => ({ family: "mdlm", cache: "none", blockLength: 128, steps });
    const perToken = (steps: number) => cost("llada-8b", at(decoding(steps), { genLength: 128 })).flopsPerToken;
    for (const divisor of [2, 4, 8, 16]) near(perToken(128) / perToken(128 / divisor), divisor, 0.02);
  });

  test("a fused commit is a forward less a block and the same work", () => {
    const separate = cost("fast-dllm-v2-7b", at(block(256), { genLength: 256 }));
    const fused = cost("fast-dllm-v2-7b", at(block(256, 32, "fused"), { genLength: 256 }));
    expect(fused.flops).toBe(separate.flops);
    expect(separate.forwards - fused.forwards).toBe(256 / 32 - 1);
    expect(fused.bytes).toBeLessThan(separate.bytes);
  });
});

describe("the asymptotic table", () => {
  /** A transformer of one width, so that d is its only size: F = 4d, no grouping, a small vocabulary. */
  const square = (hiddenSize: number): ModelConfig => ({
    ...MODEL_PRESETS["llada-8b"],
    hiddenSize,
    intermediateSize: 4 * hiddenSize,
    numAttentionHeads: hiddenSize / 64,
    numKeyValueHeads: hiddenSize / 64,
    headDim: 64,
    vocabSize: 256,
    numHiddenLayers: 2,
  });

  function workOf(row: AsymptoticRow, s: AsymptoticSizes) {
    const { batch, promptLength, genLength, steps, blockLength } = s;
    const work = (decoding: WorkDecoding) => costOn(square(s.hiddenSize), { batch, promptLength, genLength, decoding }).phases;
    if (row === "ar-prefill") return work(AR).prefill!;
    if (row === "ar-decode") return work(AR).decode!;
    if (row === "mdlm-naive") return work({ family: "mdlm", cache: "none", blockLength: genLength, steps }).denoise!;
    if (row === "mdlm-dual-cache") return work({ family: "mdlm", cache: "dual", blockLength, steps }).denoise!;
    return work({ family: "block", commit: "separate", blockLength, steps }).denoise!;
  }

  const base = { batch: 2, promptLength: 256, genLength: 256, hiddenSize: 512, steps: 256, blockLength: 32 };
  const grown: readonly Partial<AsymptoticSizes>[] = [
    { batch: 8 },
    { promptLength: 4096 },
    { hiddenSize: 4096 },
    { genLength: 2048, steps: 2048 },
    { steps: 64 },
    { blockLength: 128 },
    { hiddenSize: 4096, promptLength: 16384 },
  ];

  test.each(Object.keys(ASYMPTOTICS) as AsymptoticRow[])("%s: exact work stays within a constant of its terms", (row) => {
    const ratios = [base, ...grown.map((change) => ({ ...base, ...change }))].map((sizes) => {
      const [exact, leading] = [workOf(row, sizes), asymptotic(row, sizes)];
      return { flops: exact.flops / leading.flops, bytes: exact.bytes / leading.bytes };
    });
    // Two layers of 32 d² a row, and of 4 d a visible key, half of them where attention is causal: between 4 and 64, and a little for the norms.
    for (const { flops } of ratios) expect(flops).toBeGreaterThan(4);
    for (const { flops } of ratios) expect(flops).toBeLessThan(66);
    const bytes = ratios.map((ratio) => ratio.bytes);
    expect(Math.max(...bytes) / Math.min(...bytes)).toBeLessThan(60);
  });

  test("projections lead while L ≪ d, attention once L ≫ d", () => {
    const terms = (promptLength: number) => ASYMPTOTICS["mdlm-naive"].flopTerms({ ...base, hiddenSize: 4096, promptLength });
    expect(terms(64)[0]).toBeGreaterThan(terms(64)[1]);
    expect(terms(64_000)[0]).toBeLessThan(terms(64_000)[1]);
  });
});

describe("an A6000 at the papers' settings", () => {
  const roofs = DEVICE_PRESETS.a6000;
  const ridge = ridgeOf(roofs);

  test("the ridge lies at 154.8 TFLOP/s over 768 GB/s", () => near(ridge, 201.6, 0.001));

  test("AR decode is memory-bound, prefill of a 2k prompt compute-bound", () => {
    const { decode, prefill } = cost("llama-3-8b", at(AR, { promptLength: 2048, genLength: 256 })).phases;
    expect(decode!.intensity).toBeLessThan(ridge / 50);
    expect(prefill!.intensity).toBeGreaterThan(ridge);
    near(attainableUnder(roofs, decode!.intensity), decode!.intensity * 768, 1e-9);
    expect(attainableUnder(roofs, prefill!.intensity)).toBe(154_800);
  });

  test("masked diffusion without a cache crosses the ridge between L = 64 and 512", () => {
    const intensity = (length: number) =>
      cost("llada-8b", at(naive(length / 2), { promptLength: length / 2, genLength: length / 2 })).phases.denoise!.intensity;
    expect(intensity(64)).toBeLessThan(ridge);
    expect(intensity(512)).toBeGreaterThan(ridge);
  });
});

test("a prediction is attainable FLOP/s over FLOP a token", () => {
  const work = cost("llada-8b", at(naive(64)));
  const { tokensPerSecond, boundBy } = predict(work, DEVICE_PRESETS.a6000);
  near(tokensPerSecond, (attainableUnder(DEVICE_PRESETS.a6000, work.intensity) * 1e9) / work.flopsPerToken, 1e-9);
  expect(boundBy).toBe("memory");
  const launched = predict(work, { ...DEVICE_PRESETS.a6000, dispatchNs: 1e6 });
  expect(launched.boundBy).toBe("launch");
  near(launched.ns, predict(work, DEVICE_PRESETS.a6000).ns + work.dispatches * 1e6, 1e-9);
});

test("a decode that is memory-bound and a prefill that is not are timed apart", () => {
  const work = cost("llama-3-8b", at(AR, { promptLength: 2048, genLength: 2 }));
  const { prefill, decode } = work.phases;
  near(predict(work, DEVICE_PRESETS.a6000).ns, prefill!.flops / 154_800 + decode!.bytes / 768, 1e-9);
});

test("roofs of a calibration: f32, the bandwidth of the largest working set, a dispatch", () => {
  expect(measuredRoofs(CALIBRATION)).toEqual({ flopsPerNs: 100, bytesPerNs: 10, dispatchNs: 1000 });
  expect(predictedTokensPerSecond({ flopsPerToken: 1e6, arithmeticIntensity: 2 }, CALIBRATION)).toBe(20_000);
  expect(predictedTokensPerSecond({ flopsPerToken: 1e6, arithmeticIntensity: 50 }, CALIBRATION)).toBe(100_000);
});

test("what does not divide is refused", () => {
  expect(() => cost("llada-8b", at({ family: "mdlm", cache: "none", blockLength: 24, steps: 64 }))).toThrow(/blocks of 24/);
  expect(() => cost("llada-8b", at({ family: "block", commit: "separate", blockLength: 32, steps: 3 }))).toThrow(/3 steps/);
});
