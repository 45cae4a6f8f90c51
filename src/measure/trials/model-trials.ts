/** A model's forward as trials: every kernel of the table at so many rows, in the variant that runs there, and how often a forward calls it. */
import type { DeviceProfile } from "../../gpu/profile";
import { type AttentionVariant, qkvWidth } from "../../kernels/attention";
import { type AttentionQuery, attentionVariants, chooseAttention } from "../../kernels/attention-variants";
import { lanesOf } from "../../kernels/lanes";
import { chooseLinear, type LinearVariant, linearVariants, normalizes } from "../../kernels/linear";
import type { Tuning } from "../../kernels/tuning";
import type { ModelConfig } from "../../model/config";
import { planeShape } from "../../model/planes";
import { capacityOf } from "../../model/scratch";
import type { WeightFormats } from "../layout";
import { cutoffTrial, revealTrial, statsTrial, topTrial } from "./answer-trials";
import { attentionExtent, attentionTrial, type CacheSize, ropeTrial, shapeOf } from "./cache-trials";
import { type LinearLayer, linearTrial } from "./linear-trial";
import { type AnswerSize, biasTrial, guideTrial, penalizeTrial, suppressTrial } from "./logit-trials";
import { embedTrial, normTrial } from "./row-trials";
import type { Trial } from "./trial";

/** A trial that is not made yet: making it takes memory. */
export interface PlannedTrial {
  readonly role: string;
  /** Calls in a forward of these rows; 0 where only an option calls it. */
  readonly calls: number;
  /** File stems of its kernels. */
  readonly stems: readonly string[];
  readonly make: () => Trial;
  /** Of its weights, else f32. */
  readonly dtype: string;
  /** The way that runs, where there are several. */
  readonly runs?: string;
}

export interface ForwardSize {
  readonly rows: number;
  /** Rows of the cache that a row sees. */
  readonly keys: number;
}

export interface TrialContext {
  readonly profile: DeviceProfile;
  readonly tuning: Tuning;
  /** Every variant that the device can run, in place of the one that does; `exact`: but for those that round their inputs. */
  readonly variants?: "exact" | "all" | undefined;
}

/** Every variant that a device can run for a layer; those that round only where that is wanted. */
export const linearCandidates = (
  profile: DeviceProfile,
  { format }: LinearLayer,
  which: "exact" | "all",
): readonly LinearVariant[] => linearVariants(profile, format).filter(({ rounds }) => which === "all" || rounds === undefined);

/** Every variant of attention likewise. */
export const attentionCandidates = (
  profile: DeviceProfile,
  query: AttentionQuery,
  which: "exact" | "all",
): readonly AttentionVariant[] => attentionVariants(profile, query).filter(({ half }) => which === "all" || !half);

/** What a choice of attention looks at. */
export function attentionQuery(size: CacheSize): AttentionQuery {
  const { rows, visible } = attentionExtent(size);
  return { rows, keys: visible / rows, shape: shapeOf(size) };
}

/** The linear layers of a model, each shape once a role, with the norms that go with them. */
export function linearLayers(config: ModelConfig, formats: WeightFormats): readonly (LinearLayer & { readonly calls: number })[] {
  const {
    hiddenSize: D,
    intermediateSize: F,
    numAttentionHeads: H,
    headDim: E,
    numHiddenLayers: calls,
    vocabSize,
    rmsNormEps: eps,
  } = config;
  const format = formats.layers;
  const normed = { norm: { eps, gather: false } };
  const width = qkvWidth({ ...config, slots: 0, packs: 0 });
  return [
    { role: "qkv_proj", format, inFeatures: D, outFeatures: width, bias: config.qkvBias, ...normed, calls },
    { role: "o_proj", format, inFeatures: H * E, outFeatures: D, residual: true, calls },
    { role: "gate_up_proj", format, inFeatures: D, outFeatures: 2 * F, gated: true, ...normed, calls },
    { role: "down_proj", format, inFeatures: F, outFeatures: D, residual: true, calls },
    { role: "lm_head", format: formats.head, inFeatures: D, outFeatures: vocabSize, norm: { eps, gather: true }, calls: 1 },
  ];
}

const NORMS: Readonly<Record<string, string>> = {
  qkv_proj: "input_layernorm",
  gate_up_proj: "post_attention_layernorm",
  lm_head: "norm",
};

/** A linear layer, and its norm where the variant that runs leaves it to a kernel of its own. */
function linearTrials(
  layer: LinearLayer & { calls: number },
  rows: number,
  { profile, tuning, variants }: TrialContext,
): PlannedTrial[] {
  const lanes = lanesOf(profile);
  const { role, calls, format, inFeatures, outFeatures } = layer;
  const { paddedIn } = planeShape(format, inFeatures, outFeatures);
  const chosen = chooseLinear(profile, tuning, { format, rows, inFeatures: paddedIn, outFeatures });
  const apart = layer.norm !== undefined && !normalizes(chosen);
  const { norm, ...bare } = layer;
  const product = apart ? bare : layer;
  const candidates = [...new Set([chosen, ...(variants ? linearCandidates(profile, product, variants) : [])])];
  const make = () => linearTrial(product, rows, { variants: candidates, lanes });
  const stems = [...new Set(candidates.map(({ algorithm }) => algorithm))];
  const own: PlannedTrial = { role, calls, stems, make, dtype: format, runs: chosen.id };
  if (!apart || !norm) return [own];
  const size = { role: NORMS[role] ?? "norm", size: inFeatures, ...norm };
  return [{ role: size.role, calls, stems: ["rmsnorm"], dtype: "f32", make: () => normTrial(size, rows, lanes) }, own];
}

/** What a forward's rows see: an autoregressive model's what lies before them, others' all of it. */
export function cacheSize(config: ModelConfig, { rows, keys }: ForwardSize): CacheSize {
  const { numAttentionHeads, numKeyValueHeads, headDim, ropeTheta, qkNorm, rmsNormEps, family } = config;
  const headNorm = qkNorm ? { eps: rmsNormEps } : null;
  return { numAttentionHeads, numKeyValueHeads, headDim, rows, keys, ropeTheta, causal: family === "ar", headNorm };
}

/** Attention in the variant that runs, or in all. */
function attentionPlan(size: CacheSize, calls: number, { profile, tuning, variants }: TrialContext): PlannedTrial {
  const lanes = lanesOf(profile);
  const query = attentionQuery(size);
  const chosen = chooseAttention(profile, tuning, query);
  const candidates = [...new Set([chosen, ...(variants ? attentionCandidates(profile, query, variants) : [])])];
  const stems = ["attention", "attention_tile", "attention_reduce"].filter((stem) =>
    candidates.some(({ algorithm, parts }) =>
      stem === "attention_reduce" ? parts > 1 : stem === (algorithm === "tile" ? "attention_tile" : "attention"),
    ),
  );
  const make = () => attentionTrial(size, { variants: candidates, lanes });
  return { role: "attention", calls, stems, make, dtype: "f32", runs: chosen.id };
}

/**
 * Every kernel of a forward of `rows` rows, in the order of a forward, then those that options call. Rows that are answered are those that the
 * engine keeps logits of at a time, at most.
 */
export function forwardTrials(
  config: ModelConfig,
  formats: WeightFormats,
  { rows, keys }: ForwardSize,
  context: TrialContext,
): PlannedTrial[] {
  const { profile } = context;
  const lanes = lanesOf(profile);
  const { hiddenSize, vocabSize } = config;
  const cache = cacheSize(config, { rows, keys });
  const answered = Math.min(rows, capacityOf(config, Math.max(rows, keys)).logits);
  const answers: AnswerSize = { profile, vocabSize, rows: answered };
  const [qkv, o, gateUp, down, head] = linearLayers(config, formats).map((layer) =>
    linearTrials(layer, layer.role === "lm_head" ? answered : rows, context),
  ) as [PlannedTrial[], PlannedTrial[], PlannedTrial[], PlannedTrial[], PlannedTrial[]];
  const layers = config.numHiddenLayers;
  const step = (role: string, times: number, make: () => Trial): PlannedTrial => ({
    ...{ role, calls: times, stems: [role], make },
    dtype: "f32",
  });
  const option = (role: string, make: () => Trial): PlannedTrial => step(role, 0, make);
  const embedding = { format: formats.embed, vocabSize, hiddenSize };
  return [
    { ...step("embed_tokens", 1, () => embedTrial(embedding, rows)), stems: ["embed"], dtype: formats.embed },
    ...qkv,
    step("rope_cache", layers, () => ropeTrial(cache, lanes)),
    attentionPlan(cache, layers, context),
    ...o,
    ...gateUp,
    ...down,
    ...head,
    step("row_stats", 1, () => statsTrial(answers, "row_stats")),
    step("row_answer", 1, () => statsTrial(answers, "row_answer")),
    step("reveal", 1, () => revealTrial(answers)),
    option("suppress", () => suppressTrial(answers)),
    option("guide", () => guideTrial({ ...answers, rows: Math.max(1, answered >> 1) })),
    option("penalize", () => penalizeTrial(answers)),
    option("bias", () => biasTrial(answers)),
    option("sample_cutoff", () => cutoffTrial(answers)),
    option("top_tokens", () => topTrial(answers)),
  ];
}
