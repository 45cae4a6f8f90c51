/** Activations, key/value cache and canvas of a model: allocated once at load, reused by every pass. */
import type { Gpu } from "../gpu/device";
import { ANSWER_BYTES, MOST_BIASES, MOST_TOPS, PARTIAL_BYTES, REPORT_BYTES, statsGeometry } from "../kernels/answer";
import { type AttentionShape, cacheSideBytes, packsOf, piecesOf, qkvWidth } from "../kernels/attention";
import { MOST_PARTS, SPLIT_ROWS } from "../kernels/attention-variants";
import type { CacheFormat } from "../kernels/cache";
import { pad32 } from "../kernels/sizes";
import type { ModelConfig } from "./config";
import { planBytes } from "./pass";

/** Capacities, in rows. */
export interface Capacity {
  /** Cache rows and canvas places. */
  readonly slots: number;
  /** Rows of one pass. */
  readonly rows: number;
  /** Rows whose logits are held at a time; a pass that emits more runs the head in chunks. */
  readonly logits: number;
  /** Answers of one submit: two passes of all rows. */
  readonly answers: number;
}

/** Logits are kept to 32 MiB at a time. */
const LOGITS_BYTES = 32 * 2 ** 20;
/** Rows of one prefill pass of an autoregressive model; a longer prompt takes several. */
const PREFILL_ROWS = 512;

/** Rows of one pass that several sequences share, where one sequence alone has no need of more. */
const BATCH_ROWS = 1024;

/** Room beyond one sequence, and what of it fits a binding. */
export interface Room {
  /** Sequences that a batch computes together. Default 1. */
  readonly sequences?: number;
  /** Bytes of a storage binding. Default: WebGPU's own. */
  readonly bindingBytes?: number;
}

/** Room for so many sequences of `contextLength` positions. A pass of a diffusion model may compute a whole sequence. */
export function capacityOf(
  config: ModelConfig,
  contextLength: number,
  { sequences = 1, bindingBytes = 2 ** 27 }: Room = {},
): Capacity {
  const slots = contextLength * sequences;
  const rows = config.family === "ar" ? Math.min(slots, PREFILL_ROWS) : Math.max(contextLength, Math.min(slots, BATCH_ROWS));
  // At least eight rows, or what a binding holds of them; guidance takes two at a time.
  const least = Math.max(2, Math.min(8, Math.floor(bindingBytes / (4 * config.vocabSize))));
  const logits = Math.max(least, Math.min(256, Math.floor(Math.min(LOGITS_BYTES, bindingBytes) / (4 * config.vocabSize))));
  return { slots, rows, logits: Math.min(logits, Math.max(8, rows)), answers: 2 * Math.max(1024, rows) };
}

export function attentionShapeOf(
  config: ModelConfig,
  { slots, rows }: Pick<Capacity, "slots" | "rows">,
  cache: CacheFormat = "f32",
): AttentionShape {
  const { numAttentionHeads, numKeyValueHeads, headDim } = config;
  const shape = { numAttentionHeads, numKeyValueHeads, headDim, slots, packs: 0, cache };
  return { ...shape, packs: packsOf(rows, shape) };
}

const SIZES = {
  canvas: (_: ModelConfig, c: Capacity) => 4 * c.slots,
  hidden: (m: ModelConfig, c: Capacity) => 4 * c.rows * pad32(m.hiddenSize),
  normed: (m: ModelConfig, c: Capacity) => 4 * c.rows * pad32(m.hiddenSize),
  qkv: (m: ModelConfig, c: Capacity) => 4 * c.rows * pad32(qkvWidth(attentionShapeOf(m, c))),
  query: (m: ModelConfig, c: Capacity) => 16 * attentionShapeOf(m, c).packs * m.numKeyValueHeads * m.headDim,
  attended: (m: ModelConfig, c: Capacity) => 4 * c.rows * pad32(m.numAttentionHeads * m.headDim),
  pieces: (m: ModelConfig, c: Capacity) => 4 * piecesOf(Math.min(c.rows, SPLIT_ROWS), MOST_PARTS, attentionShapeOf(m, c)),
  gated: (m: ModelConfig, c: Capacity) => 4 * c.rows * pad32(m.intermediateSize),
  logits: (m: ModelConfig, c: Capacity) => 4 * c.logits * m.vocabSize,
  cutoff: (_: ModelConfig, c: Capacity) => 4 * c.logits,
  answers: (_: ModelConfig, c: Capacity) => ANSWER_BYTES * c.answers,
  tops: (_: ModelConfig, c: Capacity) => 8 * MOST_TOPS * c.answers,
  biases: () => 8 * MOST_BIASES,
  allowed: (m: ModelConfig) => 4 * Math.ceil(m.vocabSize / 32),
  reports: (_: ModelConfig, c: Capacity) => REPORT_BYTES * c.answers,
  taken: (_: ModelConfig, c: Capacity) => 4 * c.answers,
  suppress: (m: ModelConfig) => 4 * m.vocabSize,
} as const;

export type ScratchName = keyof typeof SIZES | "partials" | "turns" | "plans" | "zeros";

export interface Scratch {
  readonly capacity: Capacity;
  readonly buffers: Readonly<Record<ScratchName, GPUBuffer>>;
  /** How keys and values are stored. */
  readonly cacheType: CacheFormat;
  /** Per layer: keys [K, E, slots] and values [K, slots, E], in f32; laid out as `shaders/lib/cache_*.wgsl` say in other formats. */
  readonly keys: readonly GPUBuffer[];
  readonly values: readonly GPUBuffer[];
  /** Bytes of the plan arena, and of the window that a dynamic offset binds. */
  readonly arenaBytes: number;
  readonly windowBytes: number;
}

/** Bytes of the cache. */
export const cacheBytes = (config: ModelConfig, slots: number, cache: CacheFormat = "f32"): number =>
  2 * config.numHiddenLayers * cacheSideBytes(attentionShapeOf(config, { slots, rows: 0 }, cache), slots);

/** (cos, sin) of every position and frequency, computed in f64: `sin` and `cos` of large angles differ between GPUs. */
export function rotaryTable(config: ModelConfig, positions: number): Float32Array<ArrayBuffer> {
  const half = config.headDim / 2;
  const table = new Float32Array(positions * half * 2);
  const frequencies = rotaryFrequencies(config);
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      const angle = p * (frequencies[i] as number);
      table[(p * half + i) * 2] = Math.cos(angle);
      table[(p * half + i) * 2 + 1] = Math.sin(angle);
    }
  }
  return table;
}

/** Angular frequency of each pair, Llama 3's scaling and a file's own divisors included. */
export function rotaryFrequencies(config: ModelConfig): number[] {
  const { headDim, ropeTheta, ropeScaling: scaling, ropeFrequencyFactors: factors } = config;
  return Array.from({ length: headDim / 2 }, (_, i) => {
    const frequency = ropeTheta ** ((-2 * i) / headDim);
    if (factors) return frequency / (factors[i] as number);
    if (!scaling) return frequency;
    const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings } = scaling;
    const turns = (originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
    const smooth = Math.min(1, Math.max(0, (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
    return (1 - smooth) * (frequency / factor) + smooth * frequency;
  });
}

/**
 * Allocates everything but the weights.
 * @throws `out-of-memory`; what was allocated before stays in the ledger and is freed with the model.
 */
export async function allocateScratch(
  gpu: Gpu,
  config: ModelConfig,
  capacity: Capacity,
  cacheType: CacheFormat = "f32",
): Promise<Scratch> {
  const windowBytes = planBytes(capacity.rows);
  // A pass takes a plan for its body, for its head and for its reveal: room for two passes of all rows, and for small ones.
  const arenaBytes = windowBytes * 6 + planBytes(1) * 64;
  const { partials } = statsGeometry(gpu.profile, config.vocabSize);
  const table = rotaryTable(config, capacity.slots);
  const sizes: Record<ScratchName, number> = {
    ...(Object.fromEntries(Object.entries(SIZES).map(([name, size]) => [name, size(config, capacity)])) as Record<
      keyof typeof SIZES,
      number
    >),
    partials: PARTIAL_BYTES * partials * capacity.logits,
    turns: table.byteLength,
    plans: arenaBytes + windowBytes,
    zeros: 16,
  };
  const buffers = {} as Record<ScratchName, GPUBuffer>;
  for (const name of Object.keys(sizes) as ScratchName[]) buffers[name] = await gpu.buffers.create(name, sizes[name]);
  gpu.device.queue.writeBuffer(buffers.turns, 0, table);
  const side = cacheBytes(config, capacity.slots, cacheType) / (2 * config.numHiddenLayers);
  const keys: GPUBuffer[] = [];
  const values: GPUBuffer[] = [];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    keys.push(await gpu.buffers.create(`layers.${layer}.keys`, side));
    values.push(await gpu.buffers.create(`layers.${layer}.values`, side));
  }
  return { capacity, buffers, cacheType, keys, values, arenaBytes, windowBytes };
}

/** Frees everything that {@link allocateScratch} made. */
export function freeScratch(gpu: Gpu, scratch: Scratch): void {
  for (const buffer of [...Object.values(scratch.buffers), ...scratch.keys, ...scratch.values]) gpu.buffers.destroy(buffer);
}
