/**
 * FLOP, bytes and dispatches of whole generations: the closed forms equal what `Engine.record` lists for the passes of the real decoders, exactly, for
 * every family, batch, schedule, weight format and device profile.
 */
import { describe, expect, test } from "vitest";
import { generationCost } from "../../../src/measure/cost-model";
import { engineLayout } from "../../../src/measure/layout";
import { MODEL_PRESETS } from "../../../src/measure/presets";
import type { ModelConfig } from "../../../src/model/config";
import { type Case, caseOf, counted, FAMILIES } from "../../support/generations";
import { PROFILES } from "../../support/profiles";
import { recordingEngine } from "../../support/recording-engine";

const DEVICES = ["swiftshader", "nvidia", "bareCpu"] as const;
const CASES = Array.from({ length: 70 }, (_, index) => ({ index, device: DEVICES[index % 3]!, ...caseOf(index) }));

const configOf = ({ size, index }: Case & { index: number }): ModelConfig => ({
  ...MODEL_PRESETS["llama-3-8b"],
  hiddenSize: size.hiddenSize,
  intermediateSize: size.intermediateSize,
  numHiddenLayers: size.layers,
  numAttentionHeads: size.heads,
  numKeyValueHeads: size.kvHeads,
  headDim: size.hiddenSize / size.heads,
  vocabSize: size.vocabSize,
  qkNorm: index % 2 === 1,
  family: "mdlm",
});

describe("a generation's cost in closed form equals the sum of its dispatches", () => {
  test.each(CASES)("$index: $family, $format on $device", async (one) => {
    const { workload, format, suppressed, filtered, device } = one;
    const stride = workload.promptLength + workload.genLength + 16;
    const contextLength = Math.max(64, stride * workload.batch);
    const config = configOf(one);
    const at = { formats: { embed: format, layers: format, head: one.index % 4 === 0 ? "q8" : format }, contextLength } as const;
    const engine = await recordingEngine(PROFILES[device], config, at);
    const { phases } = generationCost(config, engineLayout(PROFILES[device], config, at), workload, { suppressed, filtered });
    const closed = Object.entries(phases).map(([name, { forwards, flops, bytes, dispatches }]) => [
      name,
      { forwards, flops, bytes, dispatches },
    ]);
    expect(Object.fromEntries(closed)).toEqual(counted(engine, one, stride));
  });

  test("every family and format, several batches and devices are among the cases", () => {
    for (const family of FAMILIES) expect(CASES.filter((one) => one.family === family).length).toBeGreaterThanOrEqual(10);
    expect(new Set(CASES.map(({ workload }) => workload.batch)).size).toBeGreaterThanOrEqual(3);
    expect(new Set(CASES.map(({ format }) => format)).size).toBe(4);
  });
});
