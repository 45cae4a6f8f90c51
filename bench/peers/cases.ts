/** Which cases a run has: the shapes of SmolLM2-135M and one larger, and what `--rows`, `--shapes` and `--formats` make of them. */
import type { AttentionCase, KernelCase, LinearCase, NormCase, Topic, WeightKind } from "./protocol";

/** K × N. */
export type LinearSize = readonly [inFeatures: number, outFeatures: number];

/** SmolLM2-135M's output, query-key-value, gate or up, and down projections, and a larger layer. */
const LAYERS: readonly LinearSize[] = [
  [576, 576],
  [576, 960],
  [576, 1536],
  [1536, 576],
  [1024, 3072],
];
/** SmolLM2-135M's head, which runs for one row at a time. */
const HEAD: LinearSize = [576, 49152];

/** From so many rows on a product is matrix times matrix. */
const GEMM_ROWS = 8;
const ROWS: Readonly<Record<"gemm" | "gemv", readonly number[]>> = { gemm: [8, 32, 128, 512], gemv: [1] };
const FORMATS: Readonly<Record<"gemm" | "gemv", readonly WeightKind[]>> = { gemm: ["f32", "q4"], gemv: ["f32", "q4", "q8"] };

export interface CaseChoice {
  readonly topics: readonly Topic[];
  /** Null takes each topic's own. */
  readonly rows: readonly number[] | null;
  readonly shapes: readonly LinearSize[] | null;
  readonly formats: readonly WeightKind[] | null;
}

function linearCases(topic: "gemm" | "gemv", { rows, shapes, formats }: CaseChoice): LinearCase[] {
  const wanted = rows?.filter((count) => (topic === "gemm" ? count >= GEMM_ROWS : count < GEMM_ROWS)) ?? ROWS[topic];
  const sizes = shapes ?? (topic === "gemv" ? [...LAYERS, HEAD] : LAYERS);
  return (formats ?? FORMATS[topic]).flatMap((format) =>
    sizes.flatMap(([inFeatures, outFeatures]) =>
      wanted.map((count) => ({ topic, format, rows: count, inFeatures, outFeatures })),
    ),
  );
}

const SMOLLM2 = { topic: "attention", heads: 9, kvHeads: 3, headDim: 64 } as const;

/** Decoding and prefill over a cache, and a block that sees everything: that peer has as many key heads as query heads. */
const ATTENTION: readonly AttentionCase[] = [
  { ...SMOLLM2, visibility: "causal", rows: 1, keys: 256 },
  { ...SMOLLM2, visibility: "causal", rows: 1, keys: 1024 },
  { ...SMOLLM2, visibility: "causal", rows: 128, keys: 256 },
  { ...SMOLLM2, visibility: "causal", rows: 128, keys: 1024 },
  { ...SMOLLM2, kvHeads: 9, visibility: "full", rows: 32, keys: 512 },
];

const NORM_SIZES = [576, 1024];
const NORM_ROWS = [1, 8, 32, 128, 512];

/** The kernels' cases, in the order in which they run. */
export function kernelCases(choice: CaseChoice): KernelCase[] {
  const has = (topic: Topic): boolean => choice.topics.includes(topic);
  const rows = (count: number): boolean => choice.rows === null || choice.rows.includes(count);
  const norms = NORM_SIZES.flatMap((size) =>
    NORM_ROWS.filter(rows).map((count): NormCase => ({ topic: "norms", rows: count, size })),
  );
  return [
    ...(has("gemm") ? linearCases("gemm", choice) : []),
    ...(has("gemv") ? linearCases("gemv", choice) : []),
    ...(has("attention") ? ATTENTION.filter((each) => rows(each.rows)) : []),
    ...(has("norms") ? norms : []),
  ];
}
