/** What the command line (Node) and the page it drives (browser) say to each other. Types only. */
import type {
  Calibration,
  DeviceProfile,
  GenerateOptions,
  GenerationResult,
  KernelBench,
  KernelBenchOptions,
  KernelSubject,
  ModelConfig,
  ModelInfo,
  PairedProfile,
  Profile,
  ProfileMode,
  Prompt,
  ReplayResult,
  TuneOptions,
  TuneReport,
} from "../src/index";

/** A file of this machine, offered to the page as byte ranges. */
export interface OfferedFile {
  readonly name: string;
  readonly size: number;
  /** Path on the command line's server. */
  readonly url: string;
}

/** An address that the engine resolves itself, or files of this machine. */
export type PageModel = { readonly address: string } | { readonly files: readonly OfferedFile[] };

export interface LoadedModel {
  readonly info: ModelInfo;
  readonly config: ModelConfig;
  readonly hasTokenizer: boolean;
  readonly ms: number;
  /** Bytes of the model's files as loading counted them. */
  readonly fileBytes: number;
}

export interface GenerateRequest {
  readonly prompt: Prompt;
  readonly options: GenerateOptions;
  /** Whether every step is told as an event; off while timing. */
  readonly stream: boolean;
}

/** What a load makes room for, where it is not the model's own context and one sequence. */
export interface Room {
  readonly contextLength?: number;
  /** Sequences of a batch. */
  readonly sequences?: number;
}

/** What a model is loaded for: to answer, or to draft or guide beside the one that does. */
export type Role = "answer" | "assistant";

export interface BatchRequest {
  readonly prompts: readonly Prompt[];
  readonly options: GenerateOptions;
}

export interface BatchAnswer {
  readonly results: readonly Omit<GenerationResult, "canvas" | "trace">[];
  /** From the call to the last sequence's end, on the page. */
  readonly wallNs: number;
}

export interface PairRequest {
  readonly prompt: Prompt;
  readonly options: GenerateOptions;
  readonly calibration: Calibration;
  readonly precision?: number;
  readonly patienceMs?: number;
}

export interface KernelsRequest {
  readonly subject: KernelSubject;
  readonly calibration: Calibration;
  readonly options: KernelBenchOptions;
}

export interface ForwardRequest {
  readonly tokens: readonly number[];
  readonly attention: "causal" | "full" | { readonly block: number };
  /** Path of the server to which the logits (f32, little endian, row-major) are posted in order; absent: they stay on the page. */
  readonly upload?: string;
}

export interface ForwardAnswer {
  readonly argmax: readonly number[];
  readonly shape: readonly [number, number];
}

/** One function a command needs; each answers with an {@link Outcome}, since typed errors do not survive the way to Node. */
export interface PageApi {
  /** Opens the device, once. */
  device(): Promise<DeviceProfile>;
  calibrate(request: { readonly quick: boolean }): Promise<Calibration>;
  /** Loads a model in place of the one before; one that answers in place of its assistant too. */
  load(request: { readonly model: PageModel; readonly role: Role } & Room): Promise<LoadedModel>;
  unload(): Promise<void>;
  generate(request: GenerateRequest): Promise<GenerationResult>;
  generateBatch(request: BatchRequest): Promise<BatchAnswer>;
  /** Bytes of all buffers on the device. */
  allocatedBytes(): Promise<number>;
  profile(request: {
    readonly prompt: Prompt;
    readonly options: GenerateOptions;
    readonly calibration: Calibration;
    readonly timeline?: boolean;
    readonly mode?: ProfileMode;
  }): Promise<Profile>;
  pairKernels(request: PairRequest): Promise<PairedProfile>;
  /** Takes choices of variants from a file; models and kernels that come later follow them. */
  useTuning(request: { readonly tuning: unknown }): Promise<void>;
  tune(request: { readonly subject: KernelSubject; readonly options: TuneOptions }): Promise<TuneReport>;
  benchKernels(request: KernelsRequest): Promise<KernelBench>;
  forward(request: ForwardRequest): Promise<ForwardAnswer>;
  replay(request: { readonly trajectory: unknown }): Promise<ReplayResult>;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
}

export type Outcome<T> = { readonly value: T } | { readonly error: Failure };

/** Told by the page while a call runs. */
export type PageEvent =
  | { readonly kind: "progress"; readonly phase: string; readonly loaded: number; readonly total: number; readonly file?: string }
  | { readonly kind: "step"; readonly delta: string; readonly forwards: number };

declare global {
  interface Window {
    ridgepoint: { [K in keyof PageApi]: (request?: unknown) => Promise<Outcome<Awaited<ReturnType<PageApi[K]>>>> };
    /** Given by the command line. */
    ridgepointEvent?: (event: PageEvent) => Promise<void>;
  }
}
