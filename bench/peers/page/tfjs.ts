/** TensorFlow.js's WebGPU backend as a contestant: its f32 matrix product. */
import type { Floats } from "../weights";
import type { Contestant } from "./rounds";

type Tfjs = typeof import("@tensorflow/tfjs-core");

/** What of the backend is needed to send what it has recorded. */
interface WebGpuBackend {
  readonly device: GPUDevice;
  readonly commandEncoder: GPUCommandEncoder | null;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

const SCRIPTS = ["tfjs-core/dist/tf-core", "tfjs-backend-cpu/dist/tf-backend-cpu", "tfjs-backend-webgpu/dist/tf-backend-webgpu"];
let loaded: Promise<Tfjs> | null = null;

const script = (source: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = source;
    element.onload = () => resolve();
    element.onerror = () => reject(new Error(`${source} does not load`));
    document.head.append(element);
  });

/** The library as its packages ship it. */
export function tfjs(): Promise<Tfjs> {
  loaded ??= (async () => {
    for (const name of SCRIPTS) await script(`/peers/@tensorflow/${name}.min.js`);
    const { tf } = globalThis as unknown as { tf: Tfjs };
    if (!(await tf.setBackend("webgpu"))) throw new Error(`tfjs has no webgpu backend here, but ${tf.getBackend()}`);
    await tf.ready();
    return tf;
  })();
  return loaded;
}

/** Y [M, N] = X [M, K] · W [K, N]. */
export async function tfjsContestant(
  input: Floats,
  weight: Floats,
  [rows, inFeatures, outFeatures]: readonly [M: number, K: number, N: number],
): Promise<Contestant> {
  const tf = await tfjs();
  const backend = tf.backend() as unknown as WebGpuBackend;
  const x = tf.tensor2d(input, [rows, inFeatures]);
  const w = tf.tensor2d(weight, [inFeatures, outFeatures]);
  return {
    engine: "tfjs",
    name: "matMul",
    device: backend.device,
    run: async (calls) => {
      for (let call = 0; call < calls; call++) tf.matMul(x, w).dispose();
      backend.endComputePassEncoder();
      if (backend.commandEncoder) backend.submitQueue();
      await backend.device.queue.onSubmittedWorkDone();
    },
    output: async () => {
      const y = tf.matMul(x, w);
      const data = (await y.data()) as Float32Array;
      y.dispose();
      return data;
    },
    close: () => {
      x.dispose();
      w.dispose();
    },
  };
}
