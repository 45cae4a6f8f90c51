/** Stored tensors to weights on the device: read once, in the order of the file, repacked into planes, written, forgotten. */
import { RidgepointError } from "../errors";
import { rowBytes, type StoredTensor } from "../formats/tensor";
import type { Gpu } from "../gpu/device";
import { bindingBytes } from "../gpu/profile";
import type { ModelConfig } from "./config";
import type { LocatedWeights } from "./names";
import {
  allocatePlane,
  BLOCK_LENGTH,
  columnsWithin,
  dequantizeRows,
  GATED_TURN,
  gatedColumn,
  maxAbs,
  type Plane,
  type PlaneFormat,
  PlaneStore,
  packRows,
  planeFormatFor,
  planeShape,
  unpermuteRow,
} from "./planes";
import type { LayerWeights, LinearWeights, ModelWeights } from "./weights";

export interface UploadOptions {
  /** Format for float weights; quantized ones stay as they are. */
  readonly quantize?: PlaneFormat | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after every slice with the stored bytes read so far. */
  readonly onBytes?: ((loaded: number) => void) | undefined;
}

/** Stored bytes read at a time. */
const SLICE_BYTES = 2 ** 20;
/** Bytes written before waiting for the queue, so that copies in flight stay few. */
const FLIGHT_BYTES = 8 * 2 ** 20;
const F16_MAX = 65504;

const valuesOf = ({ shape }: StoredTensor): number => shape.reduce((a, b) => a * b, 1);

/** One stored tensor of a stack of linear layers that share an input. */
interface Member {
  readonly tensor: StoredTensor;
  readonly bias?: StoredTensor | undefined;
  /** Row of the tensor that a stored row should be, where they differ. */
  readonly rowOrder?: ((row: number) => number) | undefined;
}

/** Members and where each begins in their plane. */
interface Stack {
  readonly members: readonly Member[];
  readonly columns: readonly number[];
  readonly format: PlaneFormat;
  /** First output column of the plane. */
  readonly outOffset: number;
  /** Members leave columns between them free. */
  readonly gaps?: boolean;
}

const rowsOf = ({ tensor }: Member): number => tensor.shape[0] as number;

/** A tensor's turn: reads it and packs it where it belongs. */
interface Task {
  readonly tensor: StoredTensor;
  readonly run: () => Promise<void>;
}

class Uploader {
  readonly #gpu: Gpu;
  readonly #options: UploadOptions;
  readonly #tasks: Task[] = [];
  /** Memory of finished planes, for the next ones. */
  readonly #stores: PlaneStore[] = [];
  #slice = new Uint8Array(0);
  #loaded = 0;
  #flight = 0;
  readonly buffers: GPUBuffer[] = [];

  constructor(gpu: Gpu, options: UploadOptions) {
    this.#gpu = gpu;
    this.#options = options;
  }

  /** Runs what the planning calls below have queued, by source and position. */
  async run(): Promise<void> {
    const sources = [...new Set(this.#tasks.map(({ tensor }) => tensor.source))];
    const order = ({ tensor }: Task): number => sources.indexOf(tensor.source);
    this.#tasks.sort((a, b) => order(a) - order(b) || a.tensor.start - b.tensor.start);
    for (const task of this.#tasks) await task.run();
  }

  /** Small tensors, dequantised, one after another in one f32 buffer that is zero up to a multiple of 32. */
  async vector(tensors: readonly StoredTensor[]): Promise<GPUBuffer> {
    const counts = tensors.map(valuesOf);
    const values = new Float32Array(Math.ceil(counts.reduce((a, b) => a + b, 0) / BLOCK_LENGTH) * BLOCK_LENGTH);
    const buffer = await this.#create((tensors[0] as StoredTensor).name, values.byteLength);
    let waiting = tensors.length;
    tensors.forEach((tensor, i) => {
      const at = counts.slice(0, i).reduce((a, b) => a + b, 0);
      this.#queue(tensor, async () => {
        values.set(await this.#floats(tensor), at);
        if (--waiting === 0) await this.#write(buffer, values);
      });
    });
    return buffer;
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
      const columns = group.map((_, at) => group.slice(0, at).reduce((sum, member) => sum + rowsOf(member), 0));
      const layer = await this.#linear({ members: group, columns, format: formats[i] as PlaneFormat, outOffset });
      layers.push(layer);
      outOffset += layer.outFeatures;
    }
    return layers;
  }

  async linear(tensor: StoredTensor): Promise<LinearWeights> {
    const [layer] = await this.stack([{ tensor }]);
    return layer as LinearWeights;
  }

  /** The embedding or the head in shards of the vocabulary, as few as the device's bindings allow. */
  async vocabulary(tensor: StoredTensor): Promise<LinearWeights[]> {
    const [rows, inFeatures] = tensor.shape as [number, number];
    const format = await this.#formatOf(tensor);
    const most = columnsWithin(format, inFeatures, bindingBytes(this.#gpu.profile));
    const bytes = rowBytes(tensor.dtype, inFeatures);
    const shards: LinearWeights[] = [];
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first);
      const start = tensor.start + first * bytes;
      const part = { ...tensor, shape: [count, inFeatures], start, end: start + count * bytes };
      shards.push(await this.#linear({ members: [{ tensor: part }], columns: [0], format, outOffset: first }));
    }
    return shards;
  }

  /** Gate and up in one plane, columns by turns of 32, so that whoever computes a gate computes its up: in a format that holds both exactly. */
  async gated(gate: StoredTensor, up: StoredTensor): Promise<LinearWeights> {
    const formats = [await this.#formatOf(gate), await this.#formatOf(up)];
    const quantized = formats.every((format) => format === "q4" || format === "q8");
    const format = formats[0] === formats[1] ? formats[0] : quantized ? "q8" : "f32";
    const members = [gate, up].map((tensor) => ({ tensor, rowOrder: gatedColumn }));
    return this.#linear({ members, columns: [0, GATED_TURN], format: format as PlaneFormat, outOffset: 0, gaps: true });
  }

  /** Makes the buffers of a plane and queues its members; the plane itself lives from its first member to its last. */
  async #linear(stack: Stack): Promise<LinearWeights> {
    const { members, columns, format, outOffset, gaps = false } = stack;
    const { name, shape } = (members[0] as Member).tensor;
    const inFeatures = shape[1] as number;
    const outFeatures = members.reduce((sum, member) => sum + rowsOf(member), 0);
    const planned = planeShape(format, inFeatures, outFeatures);
    const words = await this.#create(name, 4 * planned.words);
    const scales = await this.#create(`${name} scales`, 4 * Math.max(4, planned.scales));
    const bias = members.every((member) => member.bias) ? await this.#bias(stack) : null;
    let waiting = members.length;
    let held: { plane: Plane; store: PlaneStore } | null = null;
    members.forEach((member, i) => {
      this.#queue(member.tensor, async () => {
        if (!held) {
          const store = this.#stores.pop() ?? new PlaneStore();
          held = { store, plane: allocatePlane(format, inFeatures, gaps ? planned.paddedOut : outFeatures, store) };
        }
        await this.#pack(held.plane, member, columns[i] as number);
        if (--waiting > 0) return;
        await this.#write(words, held.plane.data);
        if (held.plane.scaleData) await this.#write(scales, held.plane.scaleData);
        this.#stores.push(held.store);
        held = null;
      });
    });
    return { format, inFeatures: planned.paddedIn, outFeatures, columns: planned.paddedOut, words, scales, bias, outOffset };
  }

  /** Reads a tensor in slices of whole rows into its columns of a plane. */
  async #pack(plane: Plane, { tensor, rowOrder }: Member, column: number): Promise<void> {
    const { dtype, start } = tensor;
    const [rows, inFeatures] = tensor.shape as [number, number];
    const bytesPerRow = rowBytes(dtype, inFeatures);
    const step = Math.max(1, Math.floor(SLICE_BYTES / bytesPerRow));
    for (let firstRow = 0; firstRow < rows; firstRow += step) {
      const count = Math.min(step, rows - firstRow);
      const bytes = await this.#read(tensor, start + firstRow * bytesPerRow, start + (firstRow + count) * bytesPerRow);
      packRows(plane, { column, bytes, dtype, rows: count, inFeatures, firstRow, ...(rowOrder ? { rowOrder } : {}) });
    }
  }

  /** Biases of a stack; those of heads that are stored interleaved are put back in order like their rows. */
  async #bias({ members, columns }: Stack): Promise<GPUBuffer> {
    const { tensor } = members[0] as Member;
    const values = new Float32Array(members.reduce((sum, member) => sum + rowsOf(member), 0));
    const buffer = await this.#create(`${tensor.name} bias`, values.byteLength);
    let waiting = members.length;
    members.forEach(({ bias, rowOrder }, i) => {
      const stored = bias as StoredTensor;
      this.#queue(stored, async () => {
        (await this.#floats(stored)).forEach((value, row) => {
          values[(columns[i] as number) + (rowOrder?.(row) ?? row)] = value;
        });
        if (--waiting === 0) await this.#write(buffer, values);
      });
    });
    return buffer;
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

  #queue(tensor: StoredTensor, run: () => Promise<void>): void {
    this.#tasks.push({ tensor, run });
  }

  async #floats(tensor: StoredTensor): Promise<Float32Array> {
    const bytes = await this.#read(tensor, tensor.start, tensor.end);
    return dequantizeRows(bytes, tensor.dtype, 1, valuesOf(tensor));
  }

  /** The bytes, in memory that the next read overwrites. */
  async #read({ source }: StoredTensor, start: number, end: number): Promise<Uint8Array> {
    if (this.#slice.length < end - start) this.#slice = new Uint8Array(end - start);
    const bytes = await source.read(start, end, this.#options.signal, this.#slice);
    if (this.#options.signal?.aborted) throw new RidgepointError("abort", "loading was aborted");
    this.#loaded += end - start;
    this.#options.onBytes?.(this.#loaded);
    return bytes;
  }

  async #create(label: string, byteLength: number): Promise<GPUBuffer> {
    const buffer = await this.#gpu.buffers.create(label, byteLength);
    this.buffers.push(buffer);
    return buffer;
  }

  async #write(buffer: GPUBuffer, data: Uint32Array | Float32Array): Promise<void> {
    const { queue } = this.#gpu.device;
    for (let at = 0; at < data.byteLength; at += FLIGHT_BYTES) {
      const bytes = Math.min(FLIGHT_BYTES, data.byteLength - at);
      if (this.#flight + bytes > FLIGHT_BYTES) {
        await queue.onSubmittedWorkDone();
        this.#flight = 0;
      }
      queue.writeBuffer(buffer, at, data.buffer as ArrayBuffer, data.byteOffset + at, bytes);
      this.#flight += bytes;
    }
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
  return [...dequantizeRows(bytes, tensor.dtype, 1, valuesOf(tensor))];
}

function need<K, V>(map: ReadonlyMap<K, V>, role: K): V {
  const value = map.get(role);
  if (value === undefined) throw new RidgepointError("missing-tensor", `${String(role)}: not in the file`);
  return value;
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
  const uploader = new Uploader(gpu, options);
  const { numAttentionHeads, numKeyValueHeads, permutedQueryKey, headDim } = config;
  const heads = { q_proj: numAttentionHeads, k_proj: numKeyValueHeads };
  try {
    const uploaded: LayerWeights[] = [];
    const embedTokens = await uploader.vocabulary(need(global, "embed_tokens"));
    for (const [i, roles] of layers.entries()) {
      const member = (role: "q_proj" | "k_proj" | "v_proj"): Member => ({
        tensor: need(roles, role),
        bias: biases[i]?.get(role),
        rowOrder: permutedQueryKey && role !== "v_proj" ? (row) => unpermuteRow(row, heads[role], headDim) : undefined,
      });
      uploaded.push({
        inputLayernorm: await uploader.vector([need(roles, "input_layernorm")]),
        postAttentionLayernorm: await uploader.vector([need(roles, "post_attention_layernorm")]),
        headNorm: config.qkNorm ? await uploader.vector([need(roles, "q_norm"), need(roles, "k_norm")]) : null,
        qkvProj: await uploader.stack([member("q_proj"), member("k_proj"), member("v_proj")]),
        oProj: await uploader.linear(need(roles, "o_proj")),
        gateUpProj: await uploader.gated(need(roles, "gate_proj"), need(roles, "up_proj")),
        downProj: await uploader.linear(need(roles, "down_proj")),
      });
    }
    const norm = await uploader.vector([need(global, "norm")]);
    const head = global.get("lm_head");
    const lmHead = head ? await uploader.vocabulary(head) : embedTokens;
    await uploader.run();
    return { embedTokens, layers: uploaded, norm, lmHead, buffers: uploader.buffers };
  } catch (cause) {
    for (const buffer of uploader.buffers) gpu.buffers.destroy(buffer);
    throw cause;
  }
}
