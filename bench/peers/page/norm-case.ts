/** Root-mean-square norms, and onnxruntime's LayerNormalization beside them, which is another formula over as many values. */
import type { Gpu } from "../../../src/gpu/device";
import { lanesOf } from "../../../src/kernels/lanes";
import { pad32, rmsnorm } from "../../../src/kernels/layer";
import { layerNorm, rmsNorm } from "../onnx-operators";
import type { CaseResult, Effort, NormCase } from "../protocol";
import { uniform } from "../weights";
import { onnxruntimeContestant } from "./onnxruntime";
import { bufferOf, plainRows, ridgepointContestant } from "./ridgepoint";
import { type Contestant, contest, type Entry, relativeError } from "./rounds";

const EPSILON = 1e-5;

/** Runs the case: D must be a multiple of 32. */
export async function normCase(gpu: Gpu, { rows, size }: NormCase, effort: Effort): Promise<CaseResult> {
  const X = uniform(rows * size, 1);
  const gain = uniform(size, 2);
  const wanted: number[] = [];
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let i = 0; i < size; i++) squares += X[row * size + i]! ** 2;
    for (let i = 0; i < size; i++) wanted.push((X[row * size + i]! * gain[i]!) / Math.sqrt(squares / size + EPSILON));
  }
  const errorOf = (output: Float32Array): number => relativeError(wanted.map((want, i) => [output[i]!, want]));

  const ours = async (): Promise<Contestant> => {
    const kernel = rmsnorm(lanesOf(gpu.profile), size, EPSILON, false);
    const input = await bufferOf(gpu, "input", X);
    const gains = await bufferOf(gpu, "gain", gain);
    const output = await bufferOf(gpu, "output", 4 * rows * pad32(size));
    return ridgepointContestant(gpu, {
      name: kernel.name,
      steps: [{ kernel, bound: [input, gains, output], rows: plainRows(rows) }],
      output: { buffer: output, length: rows * size },
      buffers: [input, gains, output],
    });
  };
  const entries: Entry[] = [
    { engine: "ridgepoint", name: "rmsnorm", open: ours },
    {
      engine: "onnxruntime-web",
      name: "SimplifiedLayerNormalization",
      open: () =>
        onnxruntimeContestant({
          name: "SimplifiedLayerNormalization",
          graph: rmsNorm(rows, size, gain, EPSILON),
          inputs: { X },
        }),
    },
    {
      engine: "onnxruntime-web",
      name: "LayerNormalization",
      open: () =>
        onnxruntimeContestant({
          name: "LayerNormalization",
          graph: layerNorm(rows, size, gain, EPSILON),
          inputs: { X },
          otherwise: "another formula: it takes the mean away too",
        }),
    },
  ];
  return {
    group: "norms",
    name: `rms norm of ${size}, ${rows} ${rows === 1 ? "row" : "rows"}`,
    work: 8 * rows * size,
    unit: "GB/s",
    outcomes: await contest(entries, { errorOf, effort }),
  };
}
