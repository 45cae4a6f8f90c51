/** An engine that can only record: pipelines, buffers and bind groups are empty objects, so that counts need no device and no compiler. */
import type { Gpu } from "../../src/gpu/device";
import { bindingBytes, type DeviceProfile } from "../../src/gpu/profile";
import { qkvWidth } from "../../src/kernels/attention";
import { pad32 } from "../../src/kernels/sizes";
import type { WeightFormat } from "../../src/kernels/weight";
import type { LayoutOptions } from "../../src/measure/layout";
import type { ModelConfig } from "../../src/model/config";
import { Engine } from "../../src/model/engine";
import { allocateScratch, capacityOf } from "../../src/model/scratch";
import type { LinearWeights, ModelWeights } from "../../src/model/weights";

function blindGpu(profile: DeviceProfile): Gpu {
  const nothing = {};
  const device = { createBindGroup: () => nothing, queue: { writeBuffer: () => {} } };
  const pipelines = { get: async () => nothing, groupLayout: () => nothing, planLayout: nothing };
  return {
    profile,
    tuning: {},
    device,
    pipelines,
    buffers: { create: async () => nothing, destroy: () => {} },
  } as unknown as Gpu;
}

const NO_BUFFER = {} as GPUBuffer;

/** A linear layer without its numbers. */
const linear = (format: WeightFormat, inFeatures: number, outFeatures: number): LinearWeights => ({
  format,
  inFeatures: pad32(inFeatures),
  outFeatures,
  columns: Math.ceil(outFeatures / 64) * 64,
  words: NO_BUFFER,
  scales: NO_BUFFER,
  bias: null,
  outOffset: 0,
});

function weightsOf(config: ModelConfig, formats: Readonly<Record<"embed" | "layers" | "head", WeightFormat>>): ModelWeights {
  const { hiddenSize: D, intermediateSize: F, numAttentionHeads: H, headDim: E, vocabSize: V } = config;
  const width = qkvWidth({ ...config, slots: 0, packs: 0 });
  const layer = {
    inputLayernorm: NO_BUFFER,
    postAttentionLayernorm: NO_BUFFER,
    headNorm: config.qkNorm ? NO_BUFFER : null,
    qkvProj: [linear(formats.layers, D, width)],
    oProj: linear(formats.layers, H * E, D),
    gateUpProj: linear(formats.layers, D, 2 * F),
    downProj: linear(formats.layers, F, D),
  };
  return {
    embedTokens: [linear(formats.embed, D, V)],
    layers: Array.from({ length: config.numHiddenLayers }, () => layer),
    norm: NO_BUFFER,
    lmHead: [linear(formats.head, D, V)],
    buffers: [],
  };
}

/** An engine for a model of a shape on a device of a profile. Running anything on it fails. */
export async function recordingEngine(
  profile: DeviceProfile,
  config: ModelConfig,
  { formats, contextLength, cacheType }: LayoutOptions,
): Promise<Engine> {
  const usage = { STORAGE: 0, COPY_SRC: 0, COPY_DST: 0, MAP_READ: 0, UNIFORM: 0 };
  globalThis.GPUBufferUsage ??= usage as unknown as typeof GPUBufferUsage;
  const gpu = blindGpu(profile);
  const scratch = await allocateScratch(
    gpu,
    config,
    capacityOf(config, contextLength, { bindingBytes: bindingBytes(profile) }),
    cacheType,
  );
  return Engine.create(gpu, config, weightsOf(config, formats), scratch);
}
