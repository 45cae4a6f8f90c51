/** Tuning by sizes alone: a model's, or those of single layers. */
import type { Gpu } from "../../gpu/device";
import { rowClass } from "../../kernels/tuning";
import type { ModelConfig } from "../../model/config";
import type { WeightFormats } from "../layout";
import { linearLayers } from "../trials/model-trials";
import { checkTuneOptions, type TuneOptions, type TuneReport, tune } from "./tune";
import { attentionSubjects, linearSubjects, type TunedLayer } from "./tuning-subjects";

/** What is tuned: the kernels of a model of these sizes, or linear layers. */
export type TuningSizes =
  | { readonly config: ModelConfig; readonly formats: WeightFormats }
  | { readonly layers: readonly TunedLayer[]; readonly config?: ModelConfig };

/** Block of a model whose configuration names none. */
const BLOCK_ROWS = 32;

/** Classes of rows that a family runs most, the most important first: one row a token, or a block of them. */
export function tunedRows(config: Pick<ModelConfig, "family" | "blockLength"> | undefined): readonly number[] {
  if (!config || config.family === "ar") return [1, 32, 128, 8];
  return [...new Set([rowClass(config.blockLength ?? BLOCK_ROWS), 128, 32, 8, 1])];
}

/**
 * Tunes the kernels of these sizes on a device, within a budget of time, and sets `gpu.tuning`: models that are loaded later follow it. What was decided
 * before on an equal device is remembered, where the browser keeps it.
 * @throws `bad-option`, `abort`, `device-lost`
 */
export function tuneKernels(gpu: Gpu, sizes: TuningSizes, options: TuneOptions = {}): Promise<TuneReport> {
  checkTuneOptions(options);
  const layers = "layers" in sizes ? sizes.layers : linearLayers(sizes.config, sizes.formats);
  const { rows = tunedRows(sizes.config), approximate = false } = options;
  const wanted = { rows, approximate };
  const attention = sizes.config ? attentionSubjects(gpu.profile, sizes.config, wanted) : [];
  return tune(gpu, [...linearSubjects(gpu.profile, layers, wanted), ...attention], options);
}
