/**
 * Calibration on this device: it ends in time, gives plausible ceilings with their spread, frees what it made, can be stopped, and every
 * kernel that lost a part of its work is found out by its replay.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Gpu, openGpu } from "../../src/gpu/device";
import { calibrate } from "../../src/measure/calibrate";
import { type Buffers, fillWords, prepare, UNIFORM, verify } from "../../src/measure/calibration-bench";
import { type Bench, computeInvocations, type Experiment, experiments } from "../../src/measure/calibration-experiments";
import type { Calibration, Spread } from "../../src/measure/types";

const MIB = 2 ** 20;
let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.dispose());

describe("calibrate", () => {
  let calibration: Calibration;
  let elapsedMs: number;
  const progress: { loaded: number; total: number }[] = [];

  beforeAll(async () => {
    const begun = performance.now();
    calibration = await calibrate(gpu, { quick: true, onProgress: (step) => progress.push(step) });
    elapsedMs = performance.now() - begun;
  }, 60_000);

  test("takes less than 20 s with `quick`", () => expect(elapsedMs).toBeLessThan(20_000));

  test("every ceiling is positive and finite, its spread below its median", () => {
    const { flopsPerNs, bytesPerNs, loadsPerNs, dispatchNs, submitMapNs } = calibration;
    const spreads: Record<string, Spread | undefined> = {
      f32: flopsPerNs.f32,
      read: bytesPerNs.read,
      copy: bytesPerNs.copy,
      loadsPerNs,
      dispatchNs,
      submitMapNs,
      ...Object.fromEntries(bytesPerNs.levels.map((level) => [`level ${level.workingSetBytes}`, level])),
    };
    if (gpu.device.features.has("shader-f16")) spreads.f16 = flopsPerNs.f16;
    for (const [name, spread] of Object.entries(spreads)) {
      expect(spread?.median, name).toBeGreaterThan(0);
      expect(spread?.median, name).toBeLessThan(Number.POSITIVE_INFINITY);
      expect(spread?.mad, name).toBeGreaterThanOrEqual(0);
      expect(spread?.mad, name).toBeLessThan(spread!.median);
    }
  });

  test("is plausible for any device from one slow core to the fastest GPU", () => {
    const { flopsPerNs, bytesPerNs, dispatchNs, submitMapNs, loadsPerNs } = calibration;
    expect(flopsPerNs.f32.median).toBeGreaterThan(0.5);
    expect(flopsPerNs.f32.median).toBeLessThan(1e6);
    expect(bytesPerNs.read.median).toBeGreaterThan(0.02);
    expect(bytesPerNs.read.median).toBeLessThan(1e5);
    // A load carries 4 bytes, and every level was read by loads.
    for (const level of bytesPerNs.levels) expect(level.median / 4).toBeLessThanOrEqual(loadsPerNs.median * 1.0001);
    expect(dispatchNs.median).toBeGreaterThan(50);
    expect(dispatchNs.median).toBeLessThan(5e6);
    expect(submitMapNs.median).toBeLessThan(1e9);
    expect(calibration.sentinelDriftPercent).toBeGreaterThan(-100);
  });

  test("levels grow, and the last is the read bandwidth", () => {
    const sizes = calibration.bytesPerNs.levels.map((level) => level.workingSetBytes);
    expect(sizes).toEqual([2 ** 18, 2 ** 23, gpu.profile.software ? 2 ** 25 : 2 ** 26]);
    expect(calibration.bytesPerNs.levels.at(-1)).toMatchObject(calibration.bytesPerNs.read);
  });

  test("names the configurations that won", () => {
    for (const quantity of ["f32", "read", "copy", "loads"])
      expect(calibration.configurations?.[quantity], quantity).toBeTruthy();
  });

  test("progress counts up to its total", () => {
    const steps = progress.map((step) => step.loaded);
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
    const last = progress.at(-1)!;
    expect(last.loaded).toBe(last.total);
  });

  test("frees every buffer", () => expect(gpu.buffers.count).toBe(0));
});

test("an aborted calibration stops soon and frees its buffers", async () => {
  const controller = new AbortController();
  const running = calibrate(gpu, {
    quick: true,
    signal: controller.signal,
    onProgress: ({ loaded }) => {
      if (loaded === 5) controller.abort();
    },
  });
  await expect(running).rejects.toMatchObject({ code: "abort" });
  expect(gpu.buffers.count).toBe(0);
});

describe("a kernel that does not do its work is refused", () => {
  let buffers: Buffers;
  let uniform: GPUBuffer;
  let all: Experiment[];

  beforeAll(async () => {
    const bench: Bench = { software: true, shaderF16: false, dp4a: true, quick: true, sourceBytes: 16 * MIB };
    all = experiments(bench);
    uniform = await gpu.buffers.create("uniform", 16, UNIFORM);
    buffers = {
      source: await gpu.buffers.create("source", bench.sourceBytes),
      copied: await gpu.buffers.create("copied", bench.sourceBytes / 2),
      sums: await gpu.buffers.create("sums", computeInvocations(bench) * 4),
    };
    await fillWords(gpu, buffers.source);
  });
  afterAll(() => {
    for (const buffer of [uniform, ...Object.values(buffers)]) gpu.buffers.destroy(buffer);
  });

  /** The first experiment of a kernel, one statement struck out of its code. */
  async function checkWithout(label: string, line: string): Promise<void> {
    const experiment = all.find((candidate) => candidate.label === label)!;
    const strike = (code: string) => code.replace(line, "");
    const { source, parts = [], ...rest } = experiment.module;
    expect([source, ...parts].some((code) => code.includes(line))).toBe(true);
    const module = { source: strike(source), parts: parts.map(strike), ...rest };
    await verify(gpu, await prepare(gpu, { ...experiment, module }, buffers, uniform), buffers);
  }

  test.each([
    ["calibrate/fma", "a = fma(a, a, c);"],
    ["calibrate/fma", "d = fma(d, d, c);"],
    ["calibrate/dp4a", "w = advance(w, b, c);"],
    ["calibrate/read", "sum += words[at + 7u * section];"],
    ["calibrate/read", "index += params.stride;"],
    ["calibrate/copy", "index += 4u * stride;"],
  ])("%s without `%s`", async (label, line) => {
    await expect(checkWithout(label, line)).rejects.toMatchObject({ code: "gpu-validation" });
  });

  test("whole, they pass", async () => {
    for (const experiment of all) await verify(gpu, await prepare(gpu, experiment, buffers, uniform), buffers);
  });
});
