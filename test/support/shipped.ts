/** Every row of the kernel table × constants that an engine compiles for a configuration, as `model/forward.ts` lists them. */
import type { DeviceProfile } from "../../src/gpu/profile";
import {
  allow,
  bias,
  divergence,
  guide,
  penalize,
  reveal,
  rowAnswer,
  rowStats,
  sampleCutoff,
  statsGeometry,
  suppress,
  topTokens,
} from "../../src/kernels/answer";
import { type AttentionShape, attention, attentionReduce, packsOf, qkvWidth, ropeCache } from "../../src/kernels/attention";
import { chooseAttention, KEY_CLASSES } from "../../src/kernels/attention-variants";
import { CACHE_FORMATS } from "../../src/kernels/cache";
import type { Kernel } from "../../src/kernels/dispatch";
import { lanesOf } from "../../src/kernels/lanes";
import { embed, rmsnorm } from "../../src/kernels/layer";
import { chooseLinear, linear, normalizes } from "../../src/kernels/linear";
import { pad32 } from "../../src/kernels/sizes";
import { ROW_CLASSES } from "../../src/kernels/tuning";
import type { WeightFormat } from "../../src/kernels/weight";
import { planeShape } from "../../src/model/planes";

/** The sizes that constants come from. */
export interface Sizes {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly qkvBias: boolean;
  readonly qkNorm: boolean;
}

const model = (
  [hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim, vocabSize]: readonly [
    number,
    number,
    number,
    number,
    number,
    number,
  ],
  { qkvBias = false, qkNorm = false } = {},
): Sizes => ({ hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim, vocabSize, qkvBias, qkNorm });

export const MODELS: Readonly<Record<string, Sizes>> = {
  "SmolLM2-135M": model([576, 1536, 9, 3, 64, 49152]),
  "Qwen2.5-0.5B": model([896, 4864, 14, 2, 64, 151936], { qkvBias: true }),
  "Qwen3-0.6B": model([1024, 3072, 16, 8, 128, 151936], { qkNorm: true }),
};

/** Cache rows. */
const SLOTS = 2048;

/** The kernels that do not depend on a weight's format. */
export function plainKernels(profile: DeviceProfile, m: Sizes): Kernel[] {
  const lanes = lanesOf(profile);
  const bare: AttentionShape = { ...m, slots: SLOTS, packs: 0 };
  const shape = { ...bare, packs: packsOf(512, bare) };
  const geometry = statsGeometry(profile, m.vocabSize);
  return [
    rmsnorm(lanes, m.hiddenSize, 1e-5, false),
    rmsnorm(lanes, m.hiddenSize, 1e-5, true),
    ...CACHE_FORMATS.flatMap((cache) => cacheKernels(profile, { ...shape, cache }, m)),
    guide(m.vocabSize),
    suppress(m.vocabSize, 1),
    penalize(profile, m.vocabSize),
    bias(m.vocabSize, 1),
    allow(m.vocabSize),
    divergence(profile, m.vocabSize),
    topTokens(profile, m.vocabSize),
    sampleCutoff(lanes, m.vocabSize),
    rowStats(geometry, m.vocabSize, false),
    rowStats(geometry, m.vocabSize, true),
    rowAnswer(geometry, m.vocabSize),
    reveal(profile, 1024),
  ];
}

/** Cache write and attention, by every variant that some rows and keys take. */
function cacheKernels(profile: DeviceProfile, shape: AttentionShape, { qkNorm }: Sizes): Kernel[] {
  const lanes = lanesOf(profile);
  const attentions = [false, true].flatMap((sparse) => {
    const chosen = ROW_CLASSES.flatMap((rows) =>
      KEY_CLASSES.map((keys) => chooseAttention(profile, {}, { rows, keys, shape, sparse })),
    );
    return [...new Set(chosen)].flatMap((variant) => [
      attention(lanes, shape, { variant, sparse }),
      ...(variant.parts > 1 ? [attentionReduce(shape, variant.parts)] : []),
    ]);
  });
  return [ropeCache(lanes, shape, qkNorm ? { eps: 1e-6 } : null), ...attentions];
}

/** The embedding and every linear layer in one format, each by every variant that some number of rows takes. */
export function weightKernels(profile: DeviceProfile, m: Sizes, format: WeightFormat): Kernel[] {
  const qkv = qkvWidth({ ...m, slots: 0, packs: 0 });
  const attended = m.numAttentionHeads * m.headDim;
  const norm = (gather: boolean) => ({ size: m.hiddenSize, eps: 1e-5, gather });
  const layers = [
    { inputs: m.hiddenSize, outputs: qkv, outStride: pad32(qkv), bias: m.qkvBias, norm: norm(false) },
    { inputs: attended, outputs: m.hiddenSize, outStride: pad32(m.hiddenSize), residual: true },
    {
      inputs: m.hiddenSize,
      outputs: 2 * m.intermediateSize,
      outStride: pad32(m.intermediateSize),
      gated: true,
      norm: norm(false),
    },
    { inputs: m.intermediateSize, outputs: m.hiddenSize, outStride: pad32(m.hiddenSize), residual: true },
    { inputs: m.hiddenSize, outputs: m.vocabSize, outStride: m.vocabSize, norm: norm(true) },
  ];
  const linears = layers.flatMap(({ inputs, outputs, norm: wanted, ...rest }) => {
    const { paddedIn, paddedOut } = planeShape(format, inputs, outputs);
    const sizes = { format, inFeatures: paddedIn, outFeatures: outputs, columns: paddedOut, ...rest };
    const variants = new Set(ROW_CLASSES.map((rows) => chooseLinear(profile, {}, { ...sizes, rows })));
    return [...variants].map((variant) => linear(variant, { ...sizes, norm: normalizes(variant) ? wanted : undefined }));
  });
  const { paddedOut } = planeShape(format, m.hiddenSize, m.vocabSize);
  const table = { format, columns: paddedOut, outFeatures: m.vocabSize, outOffset: 0 };
  return [embed(table, m.hiddenSize), ...linears];
}
