/** Stored tensors to weights on the device: read in slices, repacked into planes, written, forgotten. Never holds more than one plane. */
import { RidgepointError } from "../errors";
import { rowBytes, type StoredTensor } from "../formats/tensor";
import type { Gpu } from "../gpu/device";
import type { ModelConfig } from "./config";
import type { LocatedWeights } from "./names";
import { allocatePlane, dequantizeRows, maxAbs, type PlaneFormat, packRows, planeFormatFor, unpermuteRow } from "./planes";
import type { LayerWeights, LinearWeights, ModelWeights } from "./weights";

export interface UploadOptions {
  /** Format for float weights; quantized ones stay as they are. */
  readonly quantize?: PlaneFormat | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after every slice with the stored bytes read so far. */
  readonly onBytes?: ((loaded: number) => void) | undefined;
}

/** Stored bytes read at a time. */
const SLICE_BYTES = 4 * 2 ** 20;
/** Plane bytes written before waiting for the queue, so that copies in flight stay few. */
const FLIGHT_BYTES = 32 * 2 ** 20;
const F16_MAX = 65504;

/** One stored tensor of a stack of linear layers that share an input. */
interface Member {
  readonly tensor: StoredTensor;
  readonly bias: StoredTensor | undefined;
  /** Heads whose rows are stored interleaved and must be put back. */
  readonly interleavedHeads: number;
}

class Uploader {
  readonly #gpu: Gpu;
  readonly #config: ModelConfig;
  readonly #options: UploadOptions;
  readonly buffers: GPUBuffer[] = [];
  #loaded = 0;
  #flight = 0;

  constructor(gpu: Gpu, config: ModelConfig, options: UploadOptions) {
    this.#gpu = gpu;
    this.#config = config;
    this.#options = options;
  }

  async vector(tensors: readonly StoredTensor[]): Promise<GPUBuffer> {
    const parts: Float32Array[] = [];
    for (const tensor of tensors) parts.push(await this.floats(tensor));
    const values = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      values.set(part, at);
      at += part.length;
    }
    return this.#write((tensors[0] as StoredTensor).name, values);
  }

  /** A small tensor, dequantised. */
  async floats(tensor: StoredTensor): Promise<Float32Array> {
    const bytes = await this.#read(tensor, tensor.start, tensor.end);
    return dequantizeRows(
      bytes,
      tensor.dtype,
      1,
      tensor.shape.reduce((a, b) => a * b, 1),
    );
  }

  /** Layers that share an input: one plane where their formats are equal, else one each. */
  async stack(members: readonly Member[]): Promise<LinearWeights[]> {
    const formats: PlaneFormat[] = [];
    for (const { tensor } of members) formats.push(await this.#formatOf(tensor));
    const equal = formats.every((format) => format === formats[0]);
    const groups = equal ? [members] : members.map((member) => [member]);
    const layers: LinearWeights[] = [];
    let outOffset = 0;
    for (const [i, group] of groups.entries()) {
      const layer = await this.#plane(group, formats[i] as PlaneFormat, outOffset);
      layers.push(layer);
      outOffset += layer.outFeatures;
    }
    return layers;
  }

  async linear(tensor: StoredTensor): Promise<LinearWeights> {
    const [layer] = await this.stack([{ tensor, bias: undefined, interleavedHeads: 0 }]);
    return layer as LinearWeights;
  }

  async #plane(members: readonly Member[], format: PlaneFormat, outOffset: number): Promise<LinearWeights> {
    const rowsOf = ({ tensor }: Member): number => tensor.shape[0] as number;
    const outFeatures = members.reduce((sum, member) => sum + rowsOf(member), 0);
    const first = members[0] as Member;
    const plane = allocatePlane(format, first.tensor.shape[1] as number, outFeatures);
    let column = 0;
    for (const { tensor, interleavedHeads: heads } of members) {
      const [rows, inFeatures] = tensor.shape as [number, number];
      const rowOrder = heads > 0 ? (i: number) => unpermuteRow(i, heads, this.#config.headDim) : undefined;
      const bytesPerRow = rowBytes(tensor.dtype, inFeatures);
      const step = Math.max(1, Math.floor(SLICE_BYTES / bytesPerRow));
      for (let firstRow = 0; firstRow < rows; firstRow += step) {
        const count = Math.min(step, rows - firstRow);
        const from = tensor.start + firstRow * bytesPerRow;
        const bytes = await this.#read(tensor, from, from + count * bytesPerRow);
        packRows(plane, {
          column,
          bytes,
          dtype: tensor.dtype,
          rows: count,
          inFeatures,
          firstRow,
          ...(rowOrder ? { rowOrder } : {}),
        });
      }
      column += rows;
    }
    const biases = members.flatMap(({ bias }) => (bias ? [bias] : []));
    const { name } = first.tensor;
    return {
      format,
      inFeatures: plane.paddedIn,
      outFeatures,
      columns: plane.paddedOut,
      words: await this.#write(name, plane.data),
      scales: await this.#write(`${name} scales`, plane.scaleData ?? new Uint32Array(4)),
      bias: biases.length === members.length ? await this.#biases(members) : null,
      outOffset,
    };
  }

  /** Biases of a stack; those of interleaved heads are put back in order like their rows. */
  async #biases(members: readonly Member[]): Promise<GPUBuffer> {
    const values: number[] = [];
    for (const { bias, interleavedHeads: heads } of members) {
      const stored = await this.floats(bias as StoredTensor);
      const ordered = new Array<number>(stored.length);
      stored.forEach((value, i) => {
        ordered[heads > 0 ? unpermuteRow(i, heads, this.#config.headDim) : i] = value;
      });
      values.push(...ordered);
    }
    return this.#write(`${(members[0] as Member).tensor.name} bias`, Float32Array.from(values));
  }

  /** bf16 goes to f16 where every value fits its range, else to f32. */
  async #formatOf(tensor: StoredTensor): Promise<PlaneFormat> {
    const format = planeFormatFor(tensor.dtype, this.#options.quantize);
    if (tensor.dtype !== "bf16" || format !== "f16" || this.#options.quantize) return format;
    for (let at = tensor.start; at < tensor.end; at += SLICE_BYTES) {
      const bytes = await tensor.source.read(at, Math.min(at + SLICE_BYTES, tensor.end), this.#options.signal);
      if (!(maxAbs(bytes, tensor.dtype) <= F16_MAX)) return "f32";
    }
    return format;
  }

  async #read(tensor: StoredTensor, start: number, end: number): Promise<Uint8Array> {
    const bytes = await tensor.source.read(start, end, this.#options.signal);
    if (this.#options.signal?.aborted) throw new RidgepointError("abort", "loading was aborted");
    this.#loaded += end - start;
    this.#options.onBytes?.(this.#loaded);
    return bytes;
  }

  async #write(label: string, data: Uint32Array | Float32Array): Promise<GPUBuffer> {
    const buffer = await this.#gpu.buffers.create(label, data.byteLength);
    this.buffers.push(buffer);
    this.#gpu.device.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    this.#flight += data.byteLength;
    if (this.#flight > FLIGHT_BYTES) {
      await this.#gpu.device.queue.onSubmittedWorkDone();
      this.#flight = 0;
    }
    return buffer;
  }
}

/** Bytes of every stored tensor that {@link uploadWeights} reads. */
export function storedBytes({ global, layers, biases }: LocatedWeights): number {
  const all = [global, ...layers, ...biases].flatMap((map) => [...(map as ReadonlyMap<string, StoredTensor>).values()]);
  return all.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** Divisors of the rotary frequencies that a GGUF may carry, or null. */
export async function rotaryFactors({ global }: LocatedWeights, signal?: AbortSignal): Promise<number[] | null> {
  const tensor = global.get("rope_freqs");
  if (!tensor) return null;
  const bytes = await tensor.source.read(tensor.start, tensor.end, signal);
  return [
    ...dequantizeRows(
      bytes,
      tensor.dtype,
      1,
      tensor.shape.reduce((a, b) => a * b, 1),
    ),
  ];
}

/**
 * Uploads every weight. On failure nothing is left on the device.
 * @throws `out-of-memory`, `bad-tensor`, `network`, `abort`
 */
export async function uploadWeights(
  gpu: Gpu,
  config: ModelConfig,
  { global, layers, biases }: LocatedWeights,
  options: UploadOptions = {},
): Promise<ModelWeights> {
  const uploader = new Uploader(gpu, config, options);
  const need = <K, V>(map: ReadonlyMap<K, V>, role: K): V => {
    const value = map.get(role);
    if (value === undefined) throw new RidgepointError("missing-tensor", `${String(role)}: not in the file`);
    return value;
  };
  const { numAttentionHeads, numKeyValueHeads, permutedQueryKey } = config;
  const heads = { q_proj: permutedQueryKey ? numAttentionHeads : 0, k_proj: permutedQueryKey ? numKeyValueHeads : 0, v_proj: 0 };
  try {
    const uploaded: LayerWeights[] = [];
    const embedTokens = await uploader.linear(need(global, "embed_tokens"));
    for (const [i, roles] of layers.entries()) {
      const member = (role: "q_proj" | "k_proj" | "v_proj"): Member => ({
        tensor: need(roles, role),
        bias: biases[i]?.get(role),
        interleavedHeads: heads[role],
      });
      const plain = (role: "gate_proj" | "up_proj"): Member => ({
        tensor: need(roles, role),
        bias: undefined,
        interleavedHeads: 0,
      });
      uploaded.push({
        inputLayernorm: await uploader.vector([need(roles, "input_layernorm")]),
        postAttentionLayernorm: await uploader.vector([need(roles, "post_attention_layernorm")]),
        headNorm: config.qkNorm ? await uploader.vector([need(roles, "q_norm"), need(roles, "k_norm")]) : null,
        qkvProj: await uploader.stack([member("q_proj"), member("k_proj"), member("v_proj")]),
        oProj: await uploader.linear(need(roles, "o_proj")),
        gateUpProj: await uploader.stack([plain("gate_proj"), plain("up_proj")]),
        downProj: await uploader.linear(need(roles, "down_proj")),
      });
    }
    const norm = await uploader.vector([need(global, "norm")]);
    const head = global.get("lm_head");
    const lmHead = head ? await uploader.linear(head) : embedTokens;
    return { embedTokens, layers: uploaded, norm, lmHead, buffers: uploader.buffers };
  } catch (cause) {
    for (const buffer of uploader.buffers) gpu.buffers.destroy(buffer);
    throw cause;
  }
}
