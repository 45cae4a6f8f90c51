/** What a model is loaded with of tuning: choices that are given, and choices that are found for its own layers before they are compiled. */
import { ensure } from "../errors";
import type { Gpu } from "../gpu/device";
import type { Tuning } from "../kernels/tuning";
import { deviceKey } from "../measure/tuning/device-key";
import { checkTuneOptions, type TuneOptions, type TuneReport } from "../measure/tuning/tune";
import { tuneKernels } from "../measure/tuning/tune-kernels";
import { readTuning, type TuningDocument } from "../measure/tuning/tuning-entry";
import type { TunedLayer } from "../measure/tuning/tuning-subjects";
import type { ModelConfig } from "../model/config";
import type { EngineOptions } from "../model/load";
import type { LinearWeights, ModelWeights } from "../model/weights";

/** Options of `loadModel`. */
export interface TuningOptions {
  /**
   * Find out which kernels are fastest on this device for this model, before it is compiled: `true` takes at most 1.5 s more, the first time. What is found is
   * kept in IndexedDB. Default: the kernels that are known to be good on such devices.
   */
  readonly tune?: boolean | TuneOptions | undefined;
  /** What was found before: the `document` of a report, also out of a file, or a table of choices. */
  readonly tuning?: TuningDocument | Tuning | undefined;
}

/** Checks the options before anything is loaded. */
export function checkTuning({ tune }: TuningOptions): void {
  if (tune === undefined || typeof tune === "boolean") return;
  ensure(typeof tune === "object" && tune !== null, "bad-option", () => `tune: expected true or options, came ${String(tune)}`);
  checkTuneOptions(tune);
}

/**
 * Sets choices of variants on a device: models that are loaded later follow them.
 * @param tuning the `document` of a report, also out of a file, or a table of choices
 * @throws `bad-option` for what is neither, and for a document of another device or of more than 30 days
 */
export function useTuning(gpu: Gpu, tuning: unknown): void {
  gpu.tuning = { ...gpu.tuning, ...readTuning(tuning, { device: deviceKey(gpu.profile), now: Date.now() }) };
}

/** The linear layers of a loaded model by shape, each with how many there are. */
export function layersOf(config: ModelConfig, weights: ModelWeights): TunedLayer[] {
  const norm = { eps: config.rmsNormEps, gather: false };
  const layers = new Map<string, TunedLayer & { calls: number }>();
  const add = (
    weight: LinearWeights,
    layer: Pick<TunedLayer, "role" | "residual" | "gated" | "norm">,
    inFeatures: number,
  ): void => {
    const { format, outFeatures } = weight;
    const key = `${layer.role} ${format} ${inFeatures}x${outFeatures}`;
    const held = layers.get(key);
    const bias = weight.bias !== null;
    layers.set(key, { ...layer, format, inFeatures, outFeatures, bias, calls: (held?.calls ?? 0) + 1 });
  };
  const { hiddenSize, intermediateSize, numAttentionHeads, headDim } = config;
  for (const { qkvProj, oProj, gateUpProj, downProj } of weights.layers) {
    // Planes that share a normalised input do not normalise it themselves.
    for (const plane of qkvProj) add(plane, { role: "qkv_proj", ...(qkvProj.length === 1 && { norm }) }, hiddenSize);
    add(oProj, { role: "o_proj", residual: true }, numAttentionHeads * headDim);
    add(gateUpProj, { role: "gate_up_proj", gated: true, norm }, hiddenSize);
    add(downProj, { role: "down_proj", residual: true }, intermediateSize);
  }
  const alone = weights.lmHead.length === 1;
  for (const shard of weights.lmHead)
    add(shard, { role: "lm_head", ...(alone && { norm: { ...norm, gather: true } }) }, hiddenSize);
  return [...layers.values()];
}

/** Tunes for a model whose weights are on the device, and tells how far it is. Null where it is not asked for. */
export async function tuneModel(
  gpu: Gpu,
  { config, weights }: { readonly config: ModelConfig; readonly weights: ModelWeights },
  { tune, signal, onProgress }: TuningOptions & Pick<EngineOptions, "signal" | "onProgress">,
): Promise<TuneReport | null> {
  if (!tune) return null;
  const tell: TuneOptions["onProgress"] = ({ what, ...progress }) => onProgress?.({ ...progress, file: what });
  const options = tune === true ? {} : tune;
  return tuneKernels(gpu, { layers: layersOf(config, weights), config }, { signal, onProgress: tell, ...options });
}
