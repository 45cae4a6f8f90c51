/** Stands in for `src/index.ts` until it is there. */
import type { GenerateOptions, Prompt } from "../src/decode/options";
import type { ForwardKind, GenerationResult, Step } from "../src/decode/step";
import { RidgepointError } from "../src/errors";
import type { ByteSource } from "../src/formats/byte-source";
import type { Gpu } from "../src/gpu/device";
import type { Calibration, KernelRow, PhaseRow } from "../src/measure/types";
import type { Family, ModelConfig } from "../src/model/config";
import type { Tokenizer } from "../src/text/tokenizer";

export type { CacheMode, GenerateOptions, Prompt } from "../src/decode/options";
export type { ForwardKind, GenerationResult, Step, Timings } from "../src/decode/step";
export { type ErrorCode, ensure, RidgepointError } from "../src/errors";
export { type ByteSource, checkRange } from "../src/formats/byte-source";
export { openCheckpoint } from "../src/formats/checkpoint";
export { readSafetensors, writeSafetensors } from "../src/formats/safetensors";
export { resolveSource } from "../src/formats/sources";
export { urlSource } from "../src/formats/url-source";
export { type Gpu, openGpu, probe } from "../src/gpu/device";
export type { DeviceProfile } from "../src/gpu/profile";
export { calibrate } from "../src/measure/calibrate";
export type { Calibration, KernelRow, PhaseRow, Spread } from "../src/measure/types";
export type { Family, ModelConfig } from "../src/model/config";
export { describeCheckpoint } from "../src/model/inspect";
export { createTokenizer } from "../src/text/tokenizer";

export interface ModelInfo {
  architecture: string;
  family: Family;
  numParameters: number;
  quantization: string;
  contextLength: number;
  maskTokenId: number | null;
  blockLength: number | null;
  chatTemplate: string | null;
}
export interface Profile {
  result: GenerationResult;
  kernels: KernelRow[];
  phases: PhaseRow[];
  bubbleNs: number;
  dispatches: number;
  submits: number;
  readbacks: number;
  quantumNs: number | null;
  mode: "kernel" | "trace";
}
export interface ReplayResult {
  case: string;
  passes: { kind: ForwardKind; rows: number[]; committed: [number, number, number][] }[];
  final: number[];
  output: number[];
  nfe: number;
  nfe_by_kind: Partial<Record<ForwardKind, number>>;
  equal?: boolean;
  firstDifference?: unknown;
}
export interface Model {
  info: ModelInfo;
  config: ModelConfig;
  tokenizer: Tokenizer | null;
  generate(prompt: Prompt, options: GenerateOptions): AsyncIterable<Step> & { result: Promise<GenerationResult> };
  profile(prompt: Prompt, options: GenerateOptions & { calibration?: Calibration }): Promise<Profile>;
  forward(request: {
    tokens: number[];
    attention: "causal" | "full" | { block: number };
  }): Promise<{ logits: Float32Array; shape: [number, number]; argmax: number[] }>;
  replay(trajectory: unknown): Promise<ReplayResult>;
  dispose(): Promise<void>;
}
export interface LoadProgress {
  phase: string;
  loaded: number;
  total: number;
  file?: string;
}
const missing = (): never => {
  throw new RidgepointError("bad-option", "the engine is not there yet");
};
export const loadModel = async (
  _source: string | ByteSource[],
  _options: { gpu?: Gpu; builtinBase?: string; onProgress?: (progress: LoadProgress) => void },
): Promise<Model> => missing();
export const renderReport = (_document: unknown): string => missing();
