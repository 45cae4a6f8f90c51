/** The kernels between the linear layers: embedding, norm; rotary position and attention are in `attention.ts`. */
import embedSource from "../../shaders/embed.wgsl?raw";
import plan from "../../shaders/lib/plan.wgsl?raw";
import rmsnormSource from "../../shaders/rmsnorm.wgsl?raw";
import type { Kernel } from "./dispatch";
import type { Lanes } from "./lanes";
import { pad32 } from "./sizes";
import { planeConsts, type WeightFormat, weightPart } from "./weight";

export { type AttentionShape, attention, packsOf, qkvWidth, ropeCache } from "./attention";
export { pad32 } from "./sizes";

/** Columns of a table of embeddings, maybe a part of the vocabulary. */
export interface EmbedShape {
  readonly format: WeightFormat;
  /** Columns of the plane, padded. */
  readonly columns: number;
  /** Tokens, and the first one: those of others are left alone. */
  readonly outFeatures: number;
  readonly outOffset: number;
}

/** Bindings: words, scales, canvas, output. */
export function embed({ format, columns, outFeatures, outOffset }: EmbedShape, hiddenSize: number): Kernel {
  const wide = pad32(hiddenSize);
  const { source, bitsPerWeight, octetLoads, scaleLoads } = weightPart(format);
  const consts = { WIDE: wide, ...planeConsts(format, wide, columns), WIDTH: 16, FIRST: outOffset, TOKENS: outFeatures };
  return {
    name: "embed",
    variant: format,
    wgsl: { source: embedSource, parts: [source, plan], consts },
    bindings: ["read", "read", "read", "write"],
    grid: ({ rows }) => [Math.ceil(wide / 128), rows, 1],
    shape: ({ rows }) => ({ T: rows, D: hiddenSize }),
    work: ({ rows }) => ({
      flops: 0,
      // Each row is one shard's: counted with the first, for which tokens fall where is not known beforehand.
      bytes: outOffset === 0 ? rows * ((hiddenSize * bitsPerWeight) / 8 + 4 * hiddenSize) : 0,
      loads: rows * (wide / 8) * (octetLoads + scaleLoads + 2),
    }),
  };
}

/** Bindings: input, gain, output. With `gather`, reads the plan's source rows. */
export function rmsnorm(lanes: Lanes, size: number, eps: number, gather: boolean): Kernel {
  return {
    name: "rmsnorm",
    variant: gather ? `${lanes.variant}-gather` : lanes.variant,
    wgsl: {
      source: rmsnormSource,
      parts: [lanes.part, plan],
      consts: { ...lanes.consts, SIZE: size, STRIDE: pad32(size), EPS: eps, GATHER: gather },
      features: lanes.features,
    },
    bindings: ["read", "read", "write"],
    grid: ({ rows }) => [1, rows, 1],
    shape: ({ rows }) => ({ T: rows, D: size }),
    work: ({ rows }) => ({ flops: 4 * rows * size, bytes: 8 * rows * size + 4 * size, loads: rows * size * 3 }),
  };
}
