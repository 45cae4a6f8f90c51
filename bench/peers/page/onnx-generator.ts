/**
 * onnxruntime-web end to end, on the decoder graph that onnxruntime_genai's builder makes: one run a forward, keys and values left on the GPU, logits
 * of the last row read back and the largest taken, as its own examples do.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web/webgpu";
import type { Generator } from "./generator";
import { onnxruntime } from "./onnxruntime";

export interface OnnxModel {
  /** Folder of model.onnx, model.onnx.data and genai_config.json. */
  readonly folder: string;
  /** Whether the weights lie in model.onnx.data. */
  readonly data: boolean;
}

interface GenaiConfig {
  readonly model: {
    readonly decoder: {
      readonly num_hidden_layers: number;
      readonly num_key_value_heads: number;
      readonly head_size: number;
    };
  };
}

const bytesOf = async (url: string): Promise<Uint8Array> => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
};

/** Key and value of every layer, by the names that the graph has for them. */
const cacheNames = (layers: number): string[] => Array.from({ length: layers }, (_, i) => [`${i}.key`, `${i}.value`]).flat();

/** A session of the graph with a provider: `webgpu`, or `wasm`, which is the CPU. */
export async function onnxGenerator({ folder, data }: OnnxModel, provider: "webgpu" | "wasm"): Promise<Generator> {
  const ort = await onnxruntime();
  const { decoder } = (JSON.parse(new TextDecoder().decode(await bytesOf(`${folder}/genai_config.json`))) as GenaiConfig).model;
  const names = cacheNames(decoder.num_hidden_layers);
  const located = Object.fromEntries(names.map((name) => [`present.${name}`, "gpu-buffer" as const]));
  const session = await ort.InferenceSession.create(await bytesOf(`${folder}/model.onnx`), {
    executionProviders: [provider],
    ...(data ? { externalData: [{ path: "model.onnx.data", data: await bytesOf(`${folder}/model.onnx.data`) }] } : {}),
    ...(provider === "webgpu" ? { preferredOutputLocation: { ...located, logits: "cpu" as const } } : {}),
    logSeverityLevel: 3,
  });
  const int64 = (values: readonly number[]): Tensor =>
    new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);

  /** One forward over tokens behind the cache; frees the cache that it was given. */
  const forward = async (ids: readonly number[], past: InferenceSession.OnnxValueMapType | null, total: number) => {
    const feeds: Record<string, Tensor> = { input_ids: int64(ids), attention_mask: int64(Array(total).fill(1)) };
    if (session.inputNames.includes("position_ids")) feeds.position_ids = int64(ids.map((_, i) => total - ids.length + i));
    for (const name of names) {
      const empty = () => new ort.Tensor("float32", new Float32Array(0), [1, decoder.num_key_value_heads, 0, decoder.head_size]);
      feeds[`past_key_values.${name}`] = past ? (past[`present.${name}`] as Tensor) : empty();
    }
    const results = await session.run(feeds);
    if (past) dispose(past);
    const logits = results.logits as Tensor;
    const width = logits.dims[2]!;
    const row = (logits.data as Float32Array).subarray(-width);
    let best = 0;
    for (let id = 1; id < width; id++) if (row[id]! > row[best]!) best = id;
    return { id: best, results };
  };
  const dispose = (results: InferenceSession.OnnxValueMapType): void => {
    for (const value of Object.values(results)) (value as Tensor).dispose();
  };
  return {
    engine: "onnxruntime-web",
    name: provider === "webgpu" ? "WebGPU, int4" : "CPU (WASM SIMD), int4",
    cpu: provider === "webgpu" ? null : "CPU path",
    continue: async ({ ids }, tokens) => {
      const begun = performance.now();
      let step = await forward(ids, null, ids.length);
      const first = performance.now();
      const answer = [step.id];
      while (answer.length < tokens) {
        step = await forward([step.id], step.results, ids.length + answer.length);
        answer.push(step.id);
      }
      const ended = performance.now();
      dispose(step.results);
      return {
        promptTokens: ids.length,
        firstNs: (first - begun) * 1e6,
        restNs: (ended - first) * 1e6,
        ids: answer,
        text: null,
      };
    },
    close: () => session.release(),
  };
}
