/** Files to a running engine: open, read the configuration, check every tensor, plan the memory, upload, compile. */
import { ensure } from "../errors";
import type { ByteSource } from "../formats/byte-source";
import { openCheckpoint } from "../formats/checkpoint";
import type { OpenedCheckpoint } from "../formats/tensor";
import type { Gpu } from "../gpu/device";
import { bindingBytes } from "../gpu/profile";
import { CACHE_FORMATS, type CacheFormat } from "../kernels/cache";
import { type ModelConfig, readConfig } from "./config";
import { Engine } from "./engine";
import { locateWeights } from "./names";
import type { PlaneFormat } from "./planes";
import { allocateScratch, capacityOf } from "./scratch";
import { rotaryFactors, storedBytes, uploadWeights } from "./upload";
import type { ModelWeights } from "./weights";

/** Phases of a load, in order. `download` counts stored bytes, read and uploaded at once. */
export interface LoadProgress {
  readonly phase: "open" | "download" | "tune" | "compile";
  readonly loaded: number;
  readonly total: number;
  readonly file: string;
}

export interface EngineOptions {
  /** Positions that the cache and the canvas hold. Default: the model's, at most 2048. */
  readonly contextLength?: number | undefined;
  /** Sequences of that length that a batch has room for together; shorter ones may be more. Default 1. */
  readonly sequences?: number | undefined;
  /** Format for float weights. Default: as stored (bf16 as f16 where it fits). */
  readonly quantize?: PlaneFormat | undefined;
  /** How keys and values are cached. Default f32, which loses nothing; f16 takes half the room, q8 9/32 of it. */
  readonly cacheType?: CacheFormat | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Awaited when the weights are on the device and no kernel is compiled: what it makes of `gpu.tuning` holds for this model. */
  readonly beforeCompile?:
    | ((loaded: { readonly config: ModelConfig; readonly weights: ModelWeights }) => Promise<void>)
    | undefined;
}

const DEFAULT_CONTEXT = 2048;
/** Rotary tables and caches beyond it would not fit any device; a larger number is a typing error. */
const MAX_CONTEXT = 1 << 20;

export interface LoadedEngine {
  readonly engine: Engine;
  readonly checkpoint: OpenedCheckpoint;
  readonly config: ModelConfig;
  /** Positions of one sequence. */
  readonly contextLength: number;
  /** Parameters of all weights, tied ones once. */
  readonly numParameters: number;
  /** Stored bytes of all weights. */
  readonly weightBytes: number;
  /** Plane formats in use, e.g. `q8` or `q4+q8`. */
  readonly quantization: string;
}

/**
 * Loads a checkpoint onto a device. On failure nothing is left there.
 * @throws `bad-file`, `bad-config`, `unsupported-architecture`, `missing-tensor`, `bad-tensor`, `out-of-memory`, `network`, `abort`, `bad-option`
 */
export async function loadEngine(gpu: Gpu, files: readonly ByteSource[], options: EngineOptions = {}): Promise<LoadedEngine> {
  const { signal, onProgress, quantize } = options;
  const file = files.find(({ name }) => /\.(gguf|safetensors)$/.test(name))?.name ?? files[0]?.name ?? "";
  onProgress?.({ phase: "open", loaded: 0, total: 0, file });
  const checkpoint = await openCheckpoint(files, signal);
  const stored = readConfig(checkpoint);
  const located = locateWeights(checkpoint, stored);
  const config = { ...stored, ropeFrequencyFactors: (await rotaryFactors(located, signal)) ?? stored.ropeFrequencyFactors };
  const contextLength = options.contextLength ?? Math.min(config.maxPositionEmbeddings, DEFAULT_CONTEXT);
  const fits =
    Number.isInteger(contextLength) && contextLength > 0 && contextLength <= Math.min(config.maxPositionEmbeddings, MAX_CONTEXT);
  ensure(
    fits,
    "bad-option",
    () => `contextLength: expected 1 to ${config.maxPositionEmbeddings} (the model's), came ${contextLength}`,
  );
  const { sequences = 1, cacheType = "f32" } = options;
  const known = CACHE_FORMATS.includes(cacheType);
  ensure(known, "bad-option", () => `cacheType: expected one of ${CACHE_FORMATS.join(", ")}, came "${cacheType}"`);
  const room = Number.isInteger(sequences) && sequences > 0 && sequences * contextLength <= MAX_CONTEXT;
  ensure(room, "bad-option", () => `sequences: expected 1 to ${Math.floor(MAX_CONTEXT / contextLength)}, came ${sequences}`);
  const total = storedBytes(located);
  const before = new Set(gpu.buffers.live);
  try {
    const weights = await uploadWeights(gpu, config, located, {
      quantize,
      signal,
      onBytes: (loaded) => onProgress?.({ phase: "download", loaded, total, file }),
    });
    await options.beforeCompile?.({ config, weights });
    onProgress?.({ phase: "compile", loaded: 0, total: 1, file });
    const scratch = await allocateScratch(
      gpu,
      config,
      capacityOf(config, contextLength, { sequences, bindingBytes: bindingBytes(gpu.profile) }),
      cacheType,
    );
    const engine = await Engine.create(gpu, config, weights, scratch);
    gpu.check();
    onProgress?.({ phase: "compile", loaded: 1, total: 1, file });
    const tensors = [located.global, ...located.layers, ...located.biases].flatMap((map) => [...map.values()]);
    const planes = weights.layers.flatMap(({ qkvProj, oProj, gateUpProj, downProj }) => [
      ...qkvProj,
      oProj,
      gateUpProj,
      downProj,
    ]);
    return {
      engine,
      contextLength,
      checkpoint,
      config,
      numParameters: tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
      weightBytes: total,
      quantization: [...new Set([...weights.embedTokens, ...weights.lmHead, ...planes].map(({ format }) => format))]
        .sort()
        .join("+"),
    };
  } catch (cause) {
    for (const buffer of gpu.buffers.live) if (!before.has(buffer)) gpu.buffers.destroy(buffer);
    throw cause;
  } finally {
    for (const source of files) await source.close?.();
  }
}
