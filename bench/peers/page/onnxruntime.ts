/** onnxruntime-web's WebGPU provider as a contestant: one graph of one operator, inputs and outputs on the GPU. */
import type { InferenceSession, Tensor } from "onnxruntime-web/webgpu";
import { type OnnxGraph, onnxModel } from "../onnx";
import type { Floats } from "../weights";
import type { Contestant } from "./rounds";

export type Ort = typeof import("onnxruntime-web/webgpu");

const FOLDER = "/peers/onnxruntime-web/dist/";
let loaded: Promise<Ort> | null = null;

/** The library as its package ships it, one WASM thread: the kernels run on the GPU. */
export function onnxruntime(): Promise<Ort> {
  loaded ??= (async () => {
    const ort = (await import(/* @vite-ignore */ `${FOLDER}ort.webgpu.bundle.min.mjs`)) as Ort;
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = FOLDER;
    ort.env.logLevel = "error";
    return ort;
  })();
  return loaded;
}

export interface OrtEntry {
  readonly name: string;
  readonly graph: OnnxGraph;
  /** Values of the graph's inputs. */
  readonly inputs: Readonly<Record<string, Floats>>;
  /** Outputs that are written into the buffer of an input: a cache that grows in place. */
  readonly inPlace?: Readonly<Record<string, string>>;
  readonly otherwise?: string;
}

/** A session of the graph, and a contestant that runs it. */
export async function onnxruntimeContestant({ name, graph, inputs, inPlace, otherwise }: OrtEntry): Promise<Contestant> {
  const ort = await onnxruntime();
  const session = await ort.InferenceSession.create(onnxModel(graph), {
    executionProviders: ["webgpu"],
    preferredOutputLocation: "gpu-buffer",
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  });
  const device = (await ort.env.webgpu.device) as GPUDevice;
  const buffers: GPUBuffer[] = [];
  const feeds: Record<string, Tensor> = {};
  for (const { name: input, dims } of graph.inputs) {
    const data = inputs[input]!;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const gpuBuffer = device.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage });
    device.queue.writeBuffer(gpuBuffer, 0, data);
    buffers.push(gpuBuffer);
    feeds[input] = ort.Tensor.fromGpuBuffer(gpuBuffer, { dataType: "float32", dims });
  }
  const given = Object.entries(inPlace ?? {});
  const held = new Set(given.map(([output]) => output));
  const fetches = inPlace && {
    ...Object.fromEntries(graph.outputs.map(({ name: output }) => [output, null])),
    ...Object.fromEntries(given.map(([output, input]) => [output, feeds[input]!])),
  };
  const once = () => (fetches ? session.run(feeds, fetches) : session.run(feeds));
  const dispose = (results: InferenceSession.OnnxValueMapType): void => {
    for (const [output, value] of Object.entries(results)) if (!held.has(output)) (value as Tensor).dispose();
  };
  return {
    engine: "onnxruntime-web",
    name,
    device,
    run: async (calls) => {
      for (let call = 0; call < calls; call++) dispose(await once());
      await device.queue.onSubmittedWorkDone();
    },
    output: async () => {
      const results = await once();
      const output = results[graph.outputs[0]!.name] as Tensor;
      const data = ((await output.getData()) as Float32Array).slice();
      dispose(results);
      return data;
    },
    close: async () => {
      await session.release();
      for (const buffer of buffers) buffer.destroy();
    },
    otherwise,
  };
}
