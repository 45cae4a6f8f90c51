/** Weight formats as kernels see them: which WGSL part reads one, what it costs. The layout itself is `model/planes.ts`. */
import quadsF16 from "../../shaders/lib/quads_f16.wgsl?raw";
import quadsF32 from "../../shaders/lib/quads_f32.wgsl?raw";
import quadsQ4 from "../../shaders/lib/quads_q4.wgsl?raw";
import quadsQ8 from "../../shaders/lib/quads_q8.wgsl?raw";
import weightF16 from "../../shaders/lib/weight_f16.wgsl?raw";
import weightF32 from "../../shaders/lib/weight_f32.wgsl?raw";
import weightQ4 from "../../shaders/lib/weight_q4.wgsl?raw";
import weightQ8 from "../../shaders/lib/weight_q8.wgsl?raw";

export type WeightFormat = "q4" | "q8" | "f16" | "f32";

export interface WeightPart {
  readonly source: string;
  /** The part that reads four neighbouring columns at a load instead. */
  readonly quads: string;
  readonly bitsPerWeight: number;
  /** 32-bit loads for eight weights, and for the scale of a block. */
  readonly octetLoads: number;
  readonly scaleLoads: number;
}

const PARTS: Readonly<Record<WeightFormat, WeightPart>> = {
  q4: { source: weightQ4, quads: quadsQ4, bitsPerWeight: 5, octetLoads: 1, scaleLoads: 1 },
  q8: { source: weightQ8, quads: quadsQ8, bitsPerWeight: 9, octetLoads: 2, scaleLoads: 1 },
  f16: { source: weightF16, quads: quadsF16, bitsPerWeight: 16, octetLoads: 4, scaleLoads: 0 },
  f32: { source: weightF32, quads: quadsF32, bitsPerWeight: 32, octetLoads: 8, scaleLoads: 0 },
};

export const weightPart = (format: WeightFormat): WeightPart => PARTS[format];

/** Bytes of an [outFeatures, inFeatures] weight, scales included. */
export const weightBytes = (format: WeightFormat, inFeatures: number, outFeatures: number): number =>
  (inFeatures * outFeatures * PARTS[format].bitsPerWeight) / 8;

/** Constants of a weight part for a plane of `inFeatures` (padded to 32) × `columns`; with `quads` for the part that reads four columns at a load. */
export function planeConsts(format: WeightFormat, inFeatures: number, columns: number, quads = false): Record<string, number> {
  const { octetLoads, scaleLoads } = PARTS[format];
  const share = quads ? 4 : 1;
  const words = { COLUMNS: columns, WORDS: ((inFeatures / 8) * octetLoads * columns) / share };
  return scaleLoads > 0 ? { ...words, SCALES: ((inFeatures / 32) * columns) / share } : words;
}
