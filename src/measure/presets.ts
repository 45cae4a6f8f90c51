/** Models and devices that the literature measures on, as data: their figures can be drawn beside this device's without either. */
import type { ModelConfig } from "../model/config";
import type { Roofs } from "./cost-model";

const BASE: ModelConfig = {
  architecture: "llama",
  family: "ar",
  hiddenSize: 4096,
  intermediateSize: 14336,
  numHiddenLayers: 32,
  numAttentionHeads: 32,
  numKeyValueHeads: 8,
  headDim: 128,
  vocabSize: 128256,
  rmsNormEps: 1e-5,
  ropeTheta: 500000,
  ropeScaling: null,
  ropeFrequencyFactors: null,
  maxPositionEmbeddings: 8192,
  tieWordEmbeddings: false,
  qkvBias: false,
  qkNorm: false,
  permutedQueryKey: false,
  shift: true,
  bosTokenId: null,
  eosTokenIds: [],
  maskTokenId: null,
  blockLength: null,
};

export type ModelPreset = "llama-3-8b" | "llada-8b" | "fast-dllm-v2-7b" | "qwen3-0.6b";

/** Shapes as the models' `config.json` on the Hugging Face hub has them; fields that cost nothing are left empty. */
export const MODEL_PRESETS: Readonly<Record<ModelPreset, ModelConfig>> = {
  // meta-llama/Meta-Llama-3-8B
  "llama-3-8b": BASE,
  // GSAI-ML/LLaDA-8B-Base
  "llada-8b": {
    ...BASE,
    architecture: "llada",
    family: "mdlm",
    intermediateSize: 12288,
    numKeyValueHeads: 32,
    vocabSize: 126464,
    maxPositionEmbeddings: 4096,
    shift: false,
    maskTokenId: 126336,
  },
  // Efficient-Large-Model/Fast_dLLM_v2_7B, on Qwen2.5-7B
  "fast-dllm-v2-7b": {
    ...BASE,
    architecture: "fast-dllm-v2",
    family: "block",
    hiddenSize: 3584,
    intermediateSize: 18944,
    numHiddenLayers: 28,
    numAttentionHeads: 28,
    numKeyValueHeads: 4,
    vocabSize: 152064,
    maxPositionEmbeddings: 32768,
    qkvBias: true,
    maskTokenId: 151665,
    blockLength: 32,
  },
  // Qwen/Qwen3-0.6B
  "qwen3-0.6b": {
    ...BASE,
    architecture: "qwen3",
    hiddenSize: 1024,
    intermediateSize: 3072,
    numHiddenLayers: 28,
    numAttentionHeads: 16,
    numKeyValueHeads: 8,
    vocabSize: 151936,
    maxPositionEmbeddings: 40960,
    tieWordEmbeddings: true,
    qkNorm: true,
  },
};

export type DevicePreset = "a6000" | "a800" | "m2" | "rtx-4070";

/** A device's published roofs. */
export interface DeviceRoofs extends Roofs {
  readonly name: string;
  /** Arithmetic that `flopsPerNs` is of. */
  readonly arithmetic: "f16" | "f32";
  /** Where the numbers stand. */
  readonly source: string;
}

/** Published peaks, never measured here: FLOP/ns and byte/ns. */
export const DEVICE_PRESETS: Readonly<Record<DevicePreset, DeviceRoofs>> = {
  a6000: {
    name: "RTX A6000",
    arithmetic: "f16",
    flopsPerNs: 154_800,
    bytesPerNs: 768,
    source: "arXiv 2510.04146 (fp16 tensor cores, GDDR6)",
  },
  a800: {
    name: "A800 80 GB",
    arithmetic: "f16",
    flopsPerNs: 312_000,
    // The paper's ridge point of 153 FLOP/byte; NVIDIA's data sheet says 2,039 GB/s.
    bytesPerNs: 312_000 / 153,
    source: "arXiv 2510.18480 (fp16 tensor cores, ridge point of 153 FLOP/byte)",
  },
  m2: {
    name: "Apple M2, 10 cores",
    arithmetic: "f32",
    flopsPerNs: 3600,
    bytesPerNs: 100,
    source: "Apple, press release of the M2: 3.6 TFLOP/s, 100 GB/s",
  },
  "rtx-4070": {
    name: "GeForce RTX 4070",
    arithmetic: "f32",
    // 5,888 cores, one multiply-add a clock of 2.475 GHz.
    flopsPerNs: 29_145,
    bytesPerNs: 504,
    source: "NVIDIA, specification of the GeForce RTX 4070: 5,888 cores at 2.475 GHz, 504 GB/s",
  },
};
