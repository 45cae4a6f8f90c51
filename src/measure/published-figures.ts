/** The papers' rooflines from the cost model alone: their models on their device's published roofs, at what those allow. Nothing here was measured. */
import { attainableUnder, type Cost, generationCost, ridgeOf } from "./cost-model";
import type { Theme } from "./figure";
import { formatNumber } from "./format";
import { plainLayout } from "./layout";
import { DEVICE_PRESETS, type DevicePreset, type DeviceRoofs, MODEL_PRESETS, type ModelPreset } from "./presets";
import { rooflineSvg } from "./roofline-figure";
import type { RooflinePoint } from "./roofline-points";
import type { Calibration } from "./types";
import type { WorkDecoding, Workload, WorkPhase } from "./workload";

/** Roofs as a calibration without spread, so that one figure draws both. */
function asCalibration({ name, flopsPerNs, bytesPerNs }: DeviceRoofs): Calibration {
  const exact = (median: number) => ({ median, mad: 0 });
  const limits = { features: [], limits: {}, subgroupMinSize: 0, subgroupMaxSize: 0, timestampQuantumNs: null };
  return {
    device: { vendor: name, architecture: "", description: "", software: false, userAgent: "", ...limits },
    flopsPerNs: { f32: exact(flopsPerNs) },
    bytesPerNs: { read: exact(bytesPerNs), copy: exact(bytesPerNs), levels: [] },
    // A load that is never short of issue lies on the memory roof and is not drawn apart.
    loadsPerNs: exact(bytesPerNs / 4),
    dispatchNs: exact(0),
    submitMapNs: exact(0),
    quantumNs: null,
  };
}

interface Curve {
  readonly series: string;
  readonly model: ModelPreset;
  readonly phase: WorkPhase;
  readonly points: readonly { readonly label: string; readonly workload: Workload }[];
}

const work = (decoding: WorkDecoding, batch: number, promptLength: number, genLength: number): Workload => ({
  batch,
  promptLength,
  genLength,
  decoding,
});

/** Total lengths at which a canvas without a cache is drawn. */
const LENGTHS = [64, 128, 256, 512, 1024];
const BATCHES = [1, 4, 16, 64];
const BLOCK = 32;

/** Half of each length is prompt. */
const CURVES: readonly Curve[] = [
  {
    series: "LLaMA-3-8B, prefill",
    model: "llama-3-8b",
    phase: "prefill",
    points: [{ label: "prompt of 2,048", workload: work({ family: "ar" }, 1, 2048, 2) }],
  },
  {
    series: "LLaMA-3-8B, decode",
    model: "llama-3-8b",
    phase: "decode",
    points: BATCHES.map((batch) => ({ label: `B = ${batch}`, workload: work({ family: "ar" }, batch, 1024, 1024) })),
  },
  {
    series: "LLaDA-8B, no cache",
    model: "llada-8b",
    phase: "denoise",
    points: LENGTHS.map((length) => {
      const genLength = length / 2;
      const decoding: WorkDecoding = { family: "mdlm", cache: "none", blockLength: genLength, steps: genLength };
      return { label: `L = ${length}`, workload: work(decoding, 1, genLength, genLength) };
    }),
  },
  {
    series: `LLaDA-8B, dual cache, G = ${BLOCK}`,
    model: "llada-8b",
    phase: "denoise",
    points: [128, 1024].map((genLength) => ({
      label: `L_g = ${genLength}`,
      workload: work({ family: "mdlm", cache: "dual", blockLength: BLOCK, steps: genLength }, 1, 128, genLength),
    })),
  },
  {
    series: `Fast-dLLM v2 7B, block diffusion, G = ${BLOCK}`,
    model: "fast-dllm-v2-7b",
    phase: "denoise",
    points: [1, 4].map((batch) => ({
      label: `B = ${batch}`,
      workload: work({ family: "block", commit: "separate", blockLength: BLOCK, steps: 1024 }, batch, 1024, 1024),
    })),
  },
];

/** Points of the papers' models in fp16, each at the height that the roofs allow at its intensity. */
export function publishedPoints(roofs: DeviceRoofs): RooflinePoint[] {
  const ridge = ridgeOf(roofs);
  return CURVES.flatMap(({ series, model, phase, points }) =>
    points.map(({ label, workload }) => {
      const config = MODEL_PRESETS[model];
      const { intensity } = generationCost(config, plainLayout(config), workload).phases[phase] as Cost;
      const boundBy = intensity < ridge ? ("memory" as const) : ("compute" as const);
      return {
        label,
        series,
        intensity,
        gflops: attainableUnder(roofs, intensity),
        boundBy,
        detail: `${formatNumber(intensity)} FLOP/byte`,
      };
    }),
  );
}

/** The roofline of a preset device with the papers' points on it. */
export function publishedRooflineSvg(device: DevicePreset, { theme }: { theme: Theme }): string {
  const roofs = DEVICE_PRESETS[device];
  const published = {
    arithmetic: `${roofs.arithmetic === "f16" ? "fp16" : "f32"} peak`,
    subtitle: `published roofs · ${roofs.source}`,
  };
  const figure = {
    calibration: asCalibration(roofs),
    title: `The papers' models on ${roofs.name}, in theory`,
    points: publishedPoints(roofs),
  };
  return rooflineSvg({ ...figure, published }, { theme });
}
