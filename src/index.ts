/** Ridgepoint's public API, and nothing else. */
export { BatchGeneration, type BatchStep } from "./adapters/batch-generation";
export { Generation } from "./adapters/generation";
export {
  type Attention,
  type BatchOptions,
  type ForwardRequest,
  type ForwardResponse,
  type LoadOptions,
  loadModel,
  Model,
  type ModelInfo,
} from "./adapters/model";
export { type TuningOptions, useTuning } from "./adapters/tuning";
export type { Constraint } from "./decode/constraint";
export type { Likelihood, LikelihoodOptions } from "./decode/likelihood";
export type {
  CacheMode,
  ChatMessage,
  GenerateOptions,
  Preset,
  Prompt,
  Remasking,
  SamplingOptions,
} from "./decode/options";
export { POLICY_NAMES, type PolicyName, type PolicyOptions } from "./decode/policies/index";
export type { ReplayCase, ReplayResult } from "./decode/replay";
export type { OtherModel, Speculation } from "./decode/speculative-options";
export type {
  FinishReason,
  ForwardKind,
  ForwardTrace,
  GenerationResult,
  Revealed,
  SpeculationResult,
  Step,
  Timings,
  TokenLogprob,
  Usage,
} from "./decode/step";
export { type ErrorCode, RidgepointError } from "./errors";
export { type ByteSource, blobSource, bytesSource } from "./formats/byte-source";
export { openCheckpoint } from "./formats/checkpoint";
export { readSafetensors, writeSafetensors } from "./formats/safetensors";
export { type ModelSource, resolveSource } from "./formats/sources";
export { urlSource } from "./formats/url-source";
export { Gpu, type GpuOptions, openGpu, probe } from "./gpu/device";
export type { DeviceProfile } from "./gpu/profile";
export { calibrate } from "./measure/calibrate";
export { type LineChart, type LineSeries, lineChartSvg } from "./measure/charts";
export { benchKernels, type KernelBench, type KernelBenchOptions, type KernelSubject } from "./measure/kernel-bench";
export type { ForwardMeasurement, KernelMeasurement } from "./measure/kernel-measurement";
export { measuredRoofs, predictedTokensPerSecond } from "./measure/measured-roofs";
export { type MergedReport, mergedReport } from "./measure/merged-report";
export type { Estimate, PairedKernel, PairedOptions, PairedProfile, PairedSample } from "./measure/paired";
export type { Clock, Profile, ProfileMode } from "./measure/profile";
export { publishedRooflineSvg } from "./measure/published-figures";
export { type CompareDocument, renderReport } from "./measure/report";
export { rooflineSvg } from "./measure/roofline-figure";
export { asRunDocument, type RunDocument } from "./measure/run-documents";
export { type Scaling, type ScalingPoint, scalingOf, scalingSvg } from "./measure/scaling-figure";
export { type Interval, median, shareInterval95, spread } from "./measure/statistics";
export {
  defaultSettings,
  hasDataset,
  planSweep,
  SWEEPS,
  type SweepDocument,
  type SweepModel,
  type SweepName,
  type SweepPoint,
  type SweepResult,
  type SweepSettings,
  type SweepStatus,
  type SweepTask,
  shardOf,
} from "./measure/sweep";
export { type SweepFigure, sweepFigures } from "./measure/sweep-figures";
export { mergeSweeps, sweepCsv } from "./measure/sweep-merge";
export { type ChromeTrace, chromeTrace, type TimelineForward, type TracedRun } from "./measure/timeline";
export { deviceKey } from "./measure/tuning/device-key";
export type { TuneOptions, TuneProgress, TuneReport } from "./measure/tuning/tune";
export { tuneKernels } from "./measure/tuning/tune-kernels";
export type { TuningDocument, TuningEntry } from "./measure/tuning/tuning-entry";
export { openTuningStore, type TuningStore } from "./measure/tuning/tuning-store";
export type { BoundBy, Calibration, KernelRow, PhaseRow, Spread } from "./measure/types";
export { weightFormatsOf } from "./measure/weight-formats";
export type { Family, ModelConfig } from "./model/config";
export { type CheckpointDescription, describeCheckpoint } from "./model/inspect";
export type { LoadProgress } from "./model/load";
export { createTokenizer, type Tokenizer } from "./text/tokenizer";
