/** What the page is asked for and what it gives back: plain data, also the contents of the JSON file. */
import type { DeviceProfile } from "../../src/gpu/profile";

export type Topic = "gemm" | "gemv" | "attention" | "norms" | "e2e";
export const TOPICS: readonly Topic[] = ["gemm", "gemv", "attention", "norms", "e2e"];

export type WeightKind = "f32" | "q4" | "q8";

/** A product of `rows` × K by K × N. */
export interface LinearCase {
  readonly topic: "gemm" | "gemv";
  readonly format: WeightKind;
  readonly rows: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
}

export interface AttentionCase {
  readonly topic: "attention";
  readonly visibility: "causal" | "full";
  readonly rows: number;
  readonly keys: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

export interface NormCase {
  readonly topic: "norms";
  readonly rows: number;
  readonly size: number;
}

export type KernelCase = LinearCase | AttentionCase | NormCase;

/** Our variants that take part: the one that is chosen for the shape, and others besides, by name or all that the device can run. */
export type VariantChoice = "chosen" | "all" | readonly string[];

export interface Effort {
  readonly rounds: number;
  /** Calls in flight are chosen so that a round takes about this long, ms. */
  readonly roundMs: number;
  readonly mostCalls: number;
  readonly variants: VariantChoice;
}

/** Where the models of the comparison end to end are served; null where there is none. */
export interface EndToEndRequest {
  readonly gguf: string;
  /** Folder of model.onnx (and model.onnx.data), and its files with their sizes. */
  readonly onnx: { readonly folder: string; readonly data: boolean } | null;
  /** Whether the CPU paths take part. */
  readonly cpu: boolean;
  readonly threads: number;
  readonly prefill: readonly number[];
  readonly decode: number;
  readonly rounds: number;
}

export type Engine = "ridgepoint" | "onnxruntime-web" | "tfjs" | "wllama";

/**
 * Whether an outcome takes part in the ratios: it counts; or its result is wrong (its time is told, but no mean includes it), it is another formula, it ran
 * on the CPU, or it failed.
 */
export type Standing = "counts" | "wrong" | "other" | "cpu" | "failed";

/** What one contestant of a case did. */
export interface Outcome {
  readonly engine: Engine;
  /** Operator, variant or path. */
  readonly name: string;
  /** GPU time of one call, ns, a round each; empty where passes could not be timed. */
  readonly gpuNs: readonly number[];
  /** Wall time of one call, `calls` being in flight together, ns, a round each. */
  readonly wallNs: readonly number[];
  readonly calls: number;
  /** Of one call. */
  readonly dispatches: number;
  readonly passes: number;
  readonly submits: number;
  /** First call, compilation included, ns. */
  readonly firstNs: number;
  /** √(Σ difference² / Σ reference²) against a float64 reference; null where the outcome has none. */
  readonly error: number | null;
  readonly standing: Standing;
  /** Why it does not count, or anything else to be known when reading the figures; empty where there is nothing to say. */
  readonly note: string;
}

export interface CaseResult {
  /** Cases of a group share a geometric mean. */
  readonly group: string;
  readonly name: string;
  /** FLOP of one call, or tokens of one call end to end. */
  readonly work: number;
  readonly unit: "GFLOP/s" | "GB/s" | "tok/s";
  /** The first of this project's counts as ours in the ratios. */
  readonly outcomes: readonly Outcome[];
}

/** The JSON file. */
export interface PeersDocument {
  readonly kind: "ridgepoint-peers";
  readonly date: string;
  readonly command: string;
  readonly browser: string;
  readonly adapter: string;
  readonly cpus: string;
  readonly device: DeviceProfile;
  readonly versions: Readonly<Record<string, string>>;
  readonly effort: Effort;
  /** Features that the peers in the page were not given. */
  readonly peersWithout: readonly string[];
  readonly cases: readonly CaseResult[];
}
