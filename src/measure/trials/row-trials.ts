/** Trials of the kernels that take rows one by one: embedding and norm. */
import type { Lanes } from "../../kernels/lanes";
import { embed, pad32, rmsnorm } from "../../kernels/layer";
import type { WeightFormat } from "../../kernels/weight";
import { COLUMN_PERIOD, maxAbs, normalised, normals, periodicPlane, periodicRows, ROW_PERIOD } from "./numbers";
import { compare, EPSILON, plainRows, planOf, type Trial, untouched } from "./trial";

export interface EmbeddingSize {
  readonly format: WeightFormat;
  readonly vocabSize: number;
  readonly hiddenSize: number;
}

/** Tokens over the whole vocabulary, its first and its last among them. */
const tokensOf = (rows: number, vocabSize: number): Uint32Array<ArrayBuffer> =>
  Uint32Array.from({ length: rows }, (_, t) => (t === rows - 1 ? vocabSize - 1 : (t * 7919) % vocabSize));

export function embedTrial({ format, vocabSize, hiddenSize }: EmbeddingSize, rows: number): Trial {
  const plane = periodicPlane(format, hiddenSize, vocabSize);
  const tokens = tokensOf(rows, vocabSize);
  const shard = { format, columns: plane.paddedOut, outFeatures: vocabSize, outOffset: 0 };
  const wide = plane.paddedIn;
  const value = (i: number): number => {
    const [token, k] = [tokens[Math.floor(i / wide)] as number, i % wide];
    return k < hiddenSize ? (plane.kinds[(token % COLUMN_PERIOD) * hiddenSize + k] as number) : 0;
  };
  return {
    role: "embed_tokens",
    ...planOf(plainRows(rows)),
    arrays: { words: plane.words, scales: plane.scales, canvas: tokens, output: untouched(rows * wide) },
    rotated: [],
    outputs: ["output"],
    ways: [{ id: "embed", steps: [{ kernel: embed(shard, hiddenSize), bound: ["words", "scales", "canvas", "output"] }] }],
    // A product and a sum, each rounded; a minimum may be as large as the largest weight, several times over.
    check: ({ output = [] }) =>
      compare(output, rows * wide, { want: value, tolerance: () => 4 * EPSILON * Math.max(1, plane.maxAbs) }),
  };
}

export interface NormSize {
  readonly role: string;
  readonly size: number;
  readonly eps: number;
  readonly gather: boolean;
}

export function normTrial({ role, size, eps, gather }: NormSize, rows: number, lanes: Lanes): Trial {
  const stride = pad32(size);
  const kinds = normals(Math.min(rows, ROW_PERIOD) * size, 1, 3);
  const gain = normals(size, 2);
  const want = normalised(kinds, gain, { size, eps });
  const tolerance = EPSILON * (8 + Math.sqrt(size)) * Math.max(1, maxAbs(want));
  const before = untouched(rows * stride);
  const written = (i: number): boolean => i % stride < size;
  const value = (i: number): number =>
    (written(i) ? want[(Math.floor(i / stride) % ROW_PERIOD) * size + (i % stride)] : before[i]) as number;
  return {
    role,
    ...planOf(plainRows(rows)),
    arrays: { input: periodicRows(kinds, size, { count: rows, stride }), gain, output: before },
    rotated: [],
    outputs: ["output"],
    ways: [{ id: lanes.variant, steps: [{ kernel: rmsnorm(lanes, size, eps, gather), bound: ["input", "gain", "output"] }] }],
    check: ({ output = [] }) => compare(output, rows * stride, { want: value, tolerance: (i) => (written(i) ? tolerance : 0) }),
  };
}
