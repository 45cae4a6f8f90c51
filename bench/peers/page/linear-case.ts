/** A linear layer, computed by every engine from the same weights. */
import type { Gpu } from "../../../src/gpu/device";
import { chooseLinear, type LinearVariant, linear, linearVariants } from "../../../src/kernels/linear";
import { allocatePlane, type Plane, packRows } from "../../../src/model/planes";
import { matMul, matMulNBits } from "../onnx-operators";
import type { CaseResult, Effort, LinearCase, VariantChoice } from "../protocol";
import { type Floats, ggmlBlocks, onnxLevels, quantizedValue, quantizedWeight, transposed, uniform } from "../weights";
import { onnxruntimeContestant } from "./onnxruntime";
import { bufferOf, plainRows, ridgepointContestant } from "./ridgepoint";
import { type Contestant, contest, type Entry, relativeError } from "./rounds";
import { tfjsContestant } from "./tfjs";

/** Outputs that are checked: every one of few, a sample of many. */
const CHECKED_ROWS = 5;
const CHECKED_COLUMNS = 67;

/** `count` numbers below `length`, evenly spread, the last one included. */
function spreadOver(length: number, count: number): number[] {
  if (length <= count) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.floor((i * (length - 1)) / (count - 1)));
}

interface Weight {
  /** f32 bits, or ggml blocks, row after row of K. */
  readonly stored: { readonly dtype: "f32" | "q4_0" | "q8_0"; readonly bytes: Uint8Array<ArrayBuffer> };
  readonly valueAt: (output: number, input: number) => number;
  readonly peers: (input: Floats) => Entry[];
}

/** Every peer's entry for an operator that it is asked to run. */
const entry = (engine: Entry["engine"], name: string, open: () => Promise<Contestant>): Entry => ({ engine, name, open });

function denseWeight({ rows, inFeatures, outFeatures }: LinearCase): Weight {
  const weight = uniform(inFeatures * outFeatures, 2);
  const turned = transposed(weight, outFeatures, inFeatures);
  return {
    stored: { dtype: "f32", bytes: new Uint8Array(weight.buffer) },
    valueAt: (output, input) => weight[output * inFeatures + input]!,
    peers: (X) => [
      entry("onnxruntime-web", "MatMul", () =>
        onnxruntimeContestant({
          name: "MatMul",
          graph: matMul(rows, inFeatures, outFeatures, turned),
          inputs: { X },
        }),
      ),
      entry("tfjs", "matMul", () => tfjsContestant(X, turned, [rows, inFeatures, outFeatures])),
    ],
  };
}

function blockWeight({ rows, inFeatures, outFeatures }: LinearCase, bits: 4 | 8): Weight {
  const weight = quantizedWeight(bits, inFeatures, outFeatures, 2);
  const levels = onnxLevels(weight);
  const { scales } = weight;
  return {
    stored: { dtype: bits === 4 ? "q4_0" : "q8_0", bytes: ggmlBlocks(weight) },
    valueAt: (output, input) => quantizedValue(weight, output, input),
    peers: (X) =>
      ([0, 4] as const).map((accuracy) => {
        const name = `MatMulNBits ${bits} bits, accuracy ${accuracy}`;
        const graph = matMulNBits({ rows, inFeatures, outFeatures, bits, levels, scales, accuracy });
        return entry("onnxruntime-web", name, () => onnxruntimeContestant({ name, graph, inputs: { X } }));
      }),
  };
}

async function ours(gpu: Gpu, given: LinearCase, plane: Plane, variant: LinearVariant, input: Floats): Promise<Contestant> {
  const { format, rows, outFeatures } = given;
  const kernel = linear(variant, { format, inFeatures: plane.paddedIn, outFeatures, columns: plane.paddedOut });
  const words = await bufferOf(gpu, "words", plane.data as Uint32Array<ArrayBuffer>);
  const scales = await bufferOf(gpu, "scales", (plane.scaleData as Uint32Array<ArrayBuffer> | null) ?? 16);
  const x = await bufferOf(gpu, "input", input);
  const y = await bufferOf(gpu, "output", rows * outFeatures * 4);
  const none = await bufferOf(gpu, "bias", 16);
  return ridgepointContestant(gpu, {
    name: variant.id,
    steps: [{ kernel, bound: [words, scales, x, y, none], rows: plainRows(rows) }],
    output: { buffer: y, length: rows * outFeatures },
    buffers: [words, scales, x, y, none],
  });
}

/** The variant that is chosen for the shape, then those that are asked for besides. */
function variantsOf(gpu: Gpu, given: LinearCase, asked: VariantChoice): LinearVariant[] {
  const chosen = chooseLinear(gpu.profile, gpu.tuning, given);
  if (asked === "chosen") return [chosen];
  const able = linearVariants(gpu.profile, given.format);
  const others = asked === "all" ? able : able.filter(({ id }) => asked.includes(id));
  return [chosen, ...others.filter((variant) => variant !== chosen)];
}

/** Runs the case: K must be a multiple of 32. */
export async function linearCase(gpu: Gpu, given: LinearCase, effort: Effort): Promise<CaseResult> {
  const { topic, format, rows, inFeatures, outFeatures } = given;
  const input = uniform(rows * inFeatures, 1);
  const weight = format === "f32" ? denseWeight(given) : blockWeight(given, format === "q4" ? 4 : 8);
  const wanted = spreadOver(rows, CHECKED_ROWS).flatMap((row) =>
    spreadOver(outFeatures, CHECKED_COLUMNS).map((column) => {
      let sum = 0;
      for (let k = 0; k < inFeatures; k++) sum += input[row * inFeatures + k]! * weight.valueAt(column, k);
      return [row * outFeatures + column, sum] as const;
    }),
  );
  const errorOf = (output: Float32Array): number =>
    output.length === rows * outFeatures ? relativeError(wanted.map(([at, sum]) => [output[at]!, sum])) : Number.NaN;
  const plane = allocatePlane(format, inFeatures, outFeatures);
  packRows(plane, { column: 0, rows: outFeatures, inFeatures, ...weight.stored });
  const mine = variantsOf(gpu, given, effort.variants).map((variant) =>
    entry("ridgepoint", variant.id, () => ours(gpu, given, plane, variant, input)),
  );
  return {
    group: `${topic} ${format}`,
    name: `${format} ${inFeatures}×${outFeatures}, ${rows} ${rows === 1 ? "row" : "rows"}`,
    work: 2 * rows * inFeatures * outFeatures,
    unit: "GFLOP/s",
    outcomes: await contest([...mine, ...weight.peers(input)], { errorOf, effort }),
  };
}
