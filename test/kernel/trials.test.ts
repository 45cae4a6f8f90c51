/**
 * The trials that `kernels` and the autotuner measure: every kernel of a forward passes its own check on this device, and a kernel that is wrong in a
 * single place does not. How right the kernels are is tested by their own files; here it is tested that a trial would notice.
 */
import { describe, expect, test } from "vitest";
import { lanesOf } from "../../src/kernels/lanes";
import { linearVariants } from "../../src/kernels/linear";
import type { WeightFormat } from "../../src/kernels/weight";
import { type LinearLayer, linearTrial } from "../../src/measure/trials/linear-trial";
import { forwardTrials } from "../../src/measure/trials/model-trials";
import { paceOf, sampleNs } from "../../src/measure/trials/pace";
import type { Trial, Way } from "../../src/measure/trials/trial";
import { Workbench } from "../../src/measure/trials/workbench";
import type { ModelConfig } from "../../src/model/config";
import { testGpu } from "../support/goldens";

const CONFIG: ModelConfig = {
  architecture: "qwen3",
  family: "ar",
  hiddenSize: 96,
  intermediateSize: 160,
  numHiddenLayers: 3,
  numAttentionHeads: 6,
  numKeyValueHeads: 2,
  headDim: 32,
  vocabSize: 1301,
  rmsNormEps: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: null,
  ropeFrequencyFactors: null,
  maxPositionEmbeddings: 512,
  tieWordEmbeddings: true,
  qkvBias: true,
  qkNorm: true,
  permutedQueryKey: false,
  shift: true,
  bosTokenId: null,
  eosTokenIds: [],
  maskTokenId: null,
  blockLength: null,
};

/** What is wrong with each way of a trial, by id. */
async function faultsOf(trial: Trial, ways: readonly Way[] = trial.ways): Promise<Record<string, string | null>> {
  const gpu = await testGpu();
  const before = gpu.buffers.count;
  const bench = await Workbench.open(gpu, trial);
  try {
    const faults: Record<string, string | null> = {};
    for (const way of ways) faults[way.id] = (await bench.verify(await bench.prepare(way))).fault;
    return faults;
  } finally {
    bench.dispose();
    expect(gpu.buffers.count).toBe(before);
  }
}

const formatsOf = (format: WeightFormat) => ({ embed: format, layers: format, head: format });

describe("every kernel of a forward is right by its trial", () => {
  test.each([
    ["ar", "q4", 1],
    ["block", "q8", 9],
    ["mdlm", "f16", 33],
  ] as const)("%s, %s, %i rows", async (family, format, rows) => {
    const { profile } = await testGpu();
    const config = { ...CONFIG, family };
    const planned = forwardTrials(config, formatsOf(format), { rows, keys: 45 }, { profile, tuning: {} });
    const roles = planned.map(({ role }) => role);
    for (const role of [
      "embed_tokens",
      "qkv_proj",
      "rope_cache",
      "attention",
      "o_proj",
      "gate_up_proj",
      "down_proj",
      "lm_head",
      "row_stats",
    ])
      expect(roles).toContain(role);
    const faults: Record<string, string> = {};
    for (const { role, make } of planned) {
      for (const [id, fault] of Object.entries(await faultsOf(make()))) if (fault) faults[`${role} ${id}`] = fault;
    }
    expect(faults).toEqual({});
  });
});

const LAYER: LinearLayer = { role: "o_proj", format: "q4", inFeatures: 64, outFeatures: 200, residual: true };

/** A way whose code has `from` in place of `to`. */
const spoiled = (way: Way, from: RegExp, to: string): Way => ({
  ...way,
  id: `${way.id}, spoiled`,
  steps: way.steps.map((step) => {
    const { source, parts = [] } = step.kernel.wgsl;
    const spoil = (text: string) => text.replace(from, to);
    const wgsl = { ...step.kernel.wgsl, source: spoil(source), parts: parts.map(spoil) };
    expect([wgsl.source, ...wgsl.parts].join()).not.toBe([source, ...parts].join());
    return { ...step, kernel: { ...step.kernel, wgsl } };
  }),
});

describe("a trial notices", () => {
  const trialOf = async (layer = LAYER, rows = 9) => {
    const { profile } = await testGpu();
    return linearTrial(layer, rows, { variants: linearVariants(profile, layer.format), lanes: lanesOf(profile) });
  };

  test("one wrong output of all, in any place", async () => {
    const trial = await trialOf();
    const right = trial.arrays.output as Float32Array<ArrayBuffer>;
    const way = trial.ways[0] as Way;
    const spied: Float32Array[] = [];
    const spying: Trial = {
      ...trial,
      check: (outputs, way) => {
        spied.push(outputs.output as Float32Array);
        return trial.check(outputs, way);
      },
    };
    await faultsOf(spying, [way]);
    const output = spied[0] as Float32Array<ArrayBuffer>;
    expect(trial.check({ output }, way).fault).toBeNull();
    for (const at of [0, 63, 64, 199, 200, 1063, 9 * 200 - 1, right.length - 1]) {
      const copy = output.slice();
      copy[at] = (copy[at] as number) + 0.01;
      expect(trial.check({ output: copy }, way).fault, `element ${at}`).toMatch(`element ${at}`);
    }
    expect(trial.check({ output: output.map((value, i) => (i === 700 ? Number.NaN : value)) }, way).fault).toMatch("element 700");
  });

  test("a scale that is read wrongly", async () => {
    const trial = await trialOf();
    const scales = spoiled(trial.ways[0] as Way, /unpack2x16float\(/, "0.5 * unpack2x16float(");
    expect(await faultsOf(trial, [scales])).toEqual({ [scales.id]: expect.stringMatching(/element 0: expected/) });
  });

  test("a variant that does not compile", async () => {
    const trial = await trialOf();
    const broken = spoiled(trial.ways[0] as Way, /fn main\(/, "fn main(@builtin(nothing) x: u32, ");
    const bench = await Workbench.open(await testGpu(), trial);
    await expect(bench.prepare(broken)).rejects.toMatchObject({ code: "shader" });
    bench.dispose();
  });
});

test("a sample is the time of one call: four times the rows take about four times as long", async () => {
  const gpu = await testGpu();
  const times: number[] = [];
  for (const rows of [32, 128]) {
    const layer: LinearLayer = { role: "down_proj", format: "f32", inFeatures: 256, outFeatures: 512 };
    const variants = linearVariants(gpu.profile, "f32").filter(({ id }) => id === "gemm_reg");
    const bench = await Workbench.open(gpu, linearTrial(layer, rows, { variants, lanes: lanesOf(gpu.profile) }));
    const { fill } = await bench.prepare(bench.trial.ways[0] as Way);
    const pace = await paceOf(gpu, fill);
    const samples: number[] = [];
    for (let i = 0; i < 5; i++) samples.push((await sampleNs(gpu, pace)) ?? 0);
    bench.dispose();
    times.push(samples.sort((a, b) => a - b)[2] as number);
  }
  const [few = 0, many = 0] = times;
  expect(many / few).toBeGreaterThan(2);
  expect(many / few).toBeLessThan(8);
});
