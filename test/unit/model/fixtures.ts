/** Golden checkpoints opened, and stored blocks of random values. */
import { openCheckpoint } from "../../../src/formats/checkpoint";
import { type OpenedCheckpoint, rowBytes, type StoredDtype, type StoredTensor } from "../../../src/formats/tensor";
import { type ModelConfig, readConfig } from "../../../src/model/config";
import { type LocatedWeights, locateWeights } from "../../../src/model/names";
import { dequantizeRows } from "../../../src/model/planes";
import { goldenFiles, randomU32 } from "../formats/files";

export const DTYPES: readonly StoredDtype[] = ["f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"];
export const SAFETENSORS_GOLDENS = [
  "llama-tied",
  "llama3-rope",
  "llama-bf16",
  "qwen2",
  "qwen3",
  "dream",
  "fast-dllm-v2",
  "llada",
];
export const GGUF_GOLDENS = ["gguf-f16", "gguf-q4_0", "gguf-q4_1", "gguf-q5_0", "gguf-q8_0"];
export const TRAJECTORY_GOLDENS = ["llama", "llada", "dream", "qwen3", "fast-dllm-v2"].map((name) => `trajectories/${name}`);

export interface Golden {
  readonly checkpoint: OpenedCheckpoint;
  readonly config: ModelConfig;
  readonly weights: LocatedWeights;
}

export async function openGolden(folder: string): Promise<Golden> {
  const checkpoint = await openCheckpoint(goldenFiles(folder));
  const config = readConfig(checkpoint);
  return { checkpoint, config, weights: locateWeights(checkpoint, config) };
}

/** All values of a tensor, row-major, in the file's order of rows. */
export async function values(tensor: StoredTensor): Promise<Float32Array> {
  const [rows, columns] = tensor.shape.length === 1 ? [1, tensor.shape[0]!] : (tensor.shape as [number, number]);
  return dequantizeRows(await tensor.source.read(tensor.start, tensor.end), tensor.dtype, rows, columns);
}

/** Random stored rows: any bits are a value, save that scales stay small and finite. */
export function randomRows(dtype: StoredDtype, rows: number, columns: number, seed: number): Uint8Array {
  const random = randomU32(seed);
  const bytes = new Uint8Array(rows * rowBytes(dtype, columns));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random() & 255;
  // Exponents: the high byte of every f16, bf16, f32 value and of every scale and minimum.
  const step = { f32: 4, f16: 2, bf16: 2, q4_0: 18, q4_1: 20, q5_0: 22, q5_1: 24, q8_0: 34 }[dtype];
  const high = dtype === "f32" ? [3] : dtype.endsWith("_1") ? [1, 3] : [1];
  const sane = dtype === "f32" || dtype === "bf16" ? [0x3e, 0xbd, 0x3f] : [0x2c, 0xb0, 0x31, 0x00, 0x80];
  for (let i = 0; i < bytes.length; i += step) for (const offset of high) bytes[i + offset] = sane[random() % sane.length]!;
  return bytes;
}
