/** Golden models and device for browser tests: files come from the test server. */
import { bytesSource } from "../../src/formats/byte-source";
import { readSafetensors } from "../../src/formats/safetensors";
import { Gpu, type GpuOptions } from "../../src/gpu/device";
import { type EngineOptions, type LoadedEngine, loadEngine } from "../../src/model/load";

let shared: Promise<Gpu> | null = null;

/** One device for all tests of a page. */
export const testGpu = (): Promise<Gpu> => {
  shared ??= Gpu.open();
  return shared;
};

export const openTestGpu = (options: GpuOptions): Promise<Gpu> => Gpu.open(options);

export async function fetchBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(`/test/goldens/${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

export const fetchJson = async <T>(path: string): Promise<T> => JSON.parse(new TextDecoder().decode(await fetchBytes(path))) as T;

/** Loads the model of a golden folder. */
export async function loadGolden(folder: string, options: EngineOptions = {}, gpu?: Gpu): Promise<LoadedEngine> {
  const files = folder.includes("gguf") ? ["model.gguf"] : ["config.json", "model.safetensors"];
  const sources = await Promise.all(files.map(async (name) => bytesSource(name, await fetchBytes(`${folder}/${name}`))));
  return loadEngine(gpu ?? (await testGpu()), sources, options);
}

export interface GoldenCase {
  readonly name: string;
  readonly tokens: number[];
  /** [n, n], 1 where the row's query may attend to the column's key. */
  readonly mask: Uint8Array;
  /** [n, vocabSize] */
  readonly logits: Float32Array;
}

/** Forward cases of a golden folder. */
export async function goldenCases(folder: string): Promise<GoldenCase[]> {
  const tensors = readSafetensors(await fetchBytes(`${folder}/golden.safetensors`));
  const names = [...tensors.keys()].filter((name) => name.endsWith(".tokens")).map((name) => name.slice(0, -".tokens".length));
  const data = (name: string) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`${folder}/golden.safetensors has no ${name}`);
    return tensor.data;
  };
  return names.sort().map((name) => ({
    name,
    tokens: [...(data(`${name}.tokens`) as Int32Array)],
    mask: data(`${name}.mask`) as Uint8Array,
    logits: data(`${name}.logits`) as Float32Array,
  }));
}
