/** Long contexts, where keys are split among workgroups, and caches in fewer bits: the closed forms still equal the recorded dispatches. */
import { expect, test } from "vitest";
import type { CacheFormat } from "../../../src/kernels/cache";
import { generationCost } from "../../../src/measure/cost-model";
import { engineLayout } from "../../../src/measure/layout";
import { MODEL_PRESETS } from "../../../src/measure/presets";
import type { WorkDecoding } from "../../../src/measure/workload";
import type { ModelConfig } from "../../../src/model/config";
import { type Case, counted } from "../../support/generations";
import { PROFILES } from "../../support/profiles";
import { recordingEngine } from "../../support/recording-engine";

const config: ModelConfig = {
  ...MODEL_PRESETS["llama-3-8b"],
  hiddenSize: 128,
  intermediateSize: 96,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  numKeyValueHeads: 2,
  headDim: 64,
  vocabSize: 300,
  family: "mdlm",
};

interface Long {
  readonly device: keyof typeof PROFILES;
  readonly cacheType: CacheFormat;
  readonly batch: number;
  readonly promptLength: number;
  readonly decoding: WorkDecoding;
  /** Whether any of its forwards is split. */
  readonly split: boolean;
}

const block = (blockLength: number): WorkDecoding => ({ family: "block", commit: "separate", blockLength, steps: 24 });
const ar: WorkDecoding = { family: "ar" };
const CASES: readonly Long[] = [
  // Both sides of the 512 keys from which it pays.
  { device: "swiftshader", cacheType: "f32", batch: 1, promptLength: 500, decoding: ar, split: true },
  { device: "swiftshader", cacheType: "f32", batch: 1, promptLength: 480, decoding: ar, split: false },
  { device: "nvidia", cacheType: "f16", batch: 1, promptLength: 2040, decoding: ar, split: true },
  { device: "bareGpu", cacheType: "q8", batch: 1, promptLength: 505, decoding: ar, split: true },
  // Sequences of a batch lie apart: nothing is split.
  { device: "nvidia", cacheType: "f32", batch: 2, promptLength: 600, decoding: ar, split: false },
  { device: "nvidia", cacheType: "f32", batch: 1, promptLength: 601, decoding: block(4), split: true },
  { device: "nvidia", cacheType: "q8", batch: 1, promptLength: 601, decoding: block(8), split: false },
];

test.each(CASES)("$decoding.family behind $promptLength tokens on $device, $batch in $cacheType", async (one) => {
  const { device, cacheType, batch, promptLength, decoding } = one;
  const family: Case["family"] = decoding.family === "ar" ? "ar" : "separate";
  const workload = { batch, promptLength, genLength: 24, decoding, prefillRows: 1000 };
  const made: Case = { family, workload, format: "q8", suppressed: 0, filtered: false, size: { ...SIZE } };
  const stride = promptLength + 40;
  const at = { formats: { embed: "q8", layers: "q8", head: "q8" }, contextLength: stride * batch, cacheType } as const;
  const engine = await recordingEngine(PROFILES[device], config, at);
  const recorded = counted(engine, made, stride);
  const { phases } = generationCost(config, engineLayout(PROFILES[device], config, at), workload);
  const closed = Object.entries(phases).map(([name, { forwards, flops, bytes, dispatches }]) => [
    name,
    { forwards, flops, bytes, dispatches },
  ]);
  expect(Object.fromEntries(closed)).toEqual(recorded);
  const layout = engineLayout(PROFILES[device], config, at);
  const rows = decoding.family === "ar" ? 1 : decoding.blockLength;
  const parts = [promptLength + 1, promptLength + 24].map((keys) => layout.attentionParts(batch * rows, keys, batch > 1));
  expect(Math.max(...parts) > 1).toBe(one.split);
});

const SIZE = { layers: 2, hiddenSize: 128, intermediateSize: 96, heads: 2, kvHeads: 2, vocabSize: 300 };
