/** One `ModelConfig` for every architecture: differences between them are data here, never branches in the forward pass. */
import { ensure, RidgepointError } from "../errors";
import { isObject, type JsonObject, parseJsonObject } from "../formats/json";
import type { Checkpoint, StoredTensor } from "../formats/tensor";
import { type Architecture, architectureOf, type Family, GGUF_TYPES, HUGGING_FACE_TYPES, PERMUTED_GGUF } from "./architectures";
import { CAPS, Fields } from "./config-fields";

export type { Family };

export interface RopeScaling {
  readonly type: "llama3";
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositionEmbeddings: number;
}

export interface ModelConfig {
  /** `llama | qwen2 | qwen3 | llada | dream | fast-dllm-v2 | sdar | a2d-qwen2 | a2d-qwen3` */
  readonly architecture: string;
  readonly family: Family;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  /** Rows of the embedding, and of the logits. */
  readonly vocabSize: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling | null;
  /** Explicit per-frequency divisors (GGUF `rope_freqs.weight`), length headDim/2, or null. */
  readonly ropeFrequencyFactors: readonly number[] | null;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  readonly qkvBias: boolean;
  readonly qkNorm: boolean;
  /** GGUF llama/llada store q and k rows interleaved; the loader undoes it. */
  readonly permutedQueryKey: boolean;
  /** Row i−1 of the logits predicts position i (always true for `ar`). */
  readonly shift: boolean;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  readonly maskTokenId: number | null;
  /** Training block of a block-diffusion model; the block that a masked one was tuned to be decoded in, if its config says so. */
  readonly blockLength: number | null;
}

/** LLaDA's spelling of Hugging Face's keys. */
const LLADA_KEYS: ReadonlyMap<string, string> = new Map([
  ["hidden_size", "d_model"],
  ["intermediate_size", "mlp_hidden_size"],
  ["num_hidden_layers", "n_layers"],
  ["num_attention_heads", "n_heads"],
  ["num_key_value_heads", "n_kv_heads"],
  ["max_position_embeddings", "max_sequence_length"],
  ["tie_word_embeddings", "weight_tying"],
]);
const BLOCK_KEYS = ["bd_size", "block_size", "block_length"];
/** transformers' default where a config.json has no base. */
const DEFAULT_ROPE_THETA = 10000;
const MAX_ROPE_THETA = 1e12;

/** What lies beside a `config.json`. */
export interface ConfigCompanions {
  /** Whether the checkpoint has an output matrix of its own; decides the tie when the configuration does not. Default true. */
  readonly hasHead?: boolean;
  /** `generation_config.json`: further end-of-text ids. */
  readonly generationConfig?: JsonObject | null;
  /** `tokenizer_config.json`: the mask token's id, where `config.json` has none. */
  readonly tokenizerConfig?: JsonObject | null;
  /** The weights' q and k rows are interleaved (a GGUF of llama or llada). Default false. */
  readonly permutedQueryKey?: boolean;
}

/**
 * The configuration of a checkpoint: from `config.json` where there is one, else from the GGUF metadata.
 * Throws `bad-config` naming the key, what was expected and what came; `unsupported-architecture`; `bad-file` for a broken sidecar.
 */
export function readConfig(checkpoint: Checkpoint): ModelConfig {
  const { config, metadata, tensors, sidecars } = checkpoint;
  if (config === null) {
    if (checkpoint.format === "gguf") return configFromGguf(metadata, tensors);
    throw new RidgepointError("bad-config", "config.json: expected beside the .safetensors file, not found; add it");
  }
  const sidecar = (name: string) => {
    const text = sidecars.get(name);
    return text === undefined ? null : parseJsonObject(text, name);
  };
  return configFromHuggingFace(config, {
    hasHead: ["lm_head.weight", "output.weight", "model.transformer.ff_out.weight"].some((name) => tensors.has(name)),
    generationConfig: sidecar("generation_config.json"),
    tokenizerConfig: sidecar("tokenizer_config.json"),
    permutedQueryKey: checkpoint.format === "gguf" && PERMUTED_GGUF.has(String(metadata.get("general.architecture"))),
  });
}

/**
 * Reads a Hugging Face `config.json`; the family is the `model_type`'s own, or the one that an embedded model's `generation` names.
 * Throws as {@link readConfig} does.
 */
export function configFromHuggingFace(json: JsonObject, companions: ConfigCompanions = {}): ModelConfig {
  const modelType = json.model_type;
  const known = architectureOf(HUGGING_FACE_TYPES, modelType, "config.json: model_type");
  const spell = known.architecture === "llada" ? (key: string) => LLADA_KEYS.get(key) ?? key : undefined;
  const fields = new Fields("config.json", (key) => json[key], spell);
  refuseUnknownFeatures(fields);
  const numAttentionHeads = fields.size("num_attention_heads", CAPS.heads);
  const hiddenSize = fields.size("hidden_size", CAPS.width);
  const vocabSize = fields.size(fields.raw("embedding_size") === undefined ? "vocab_size" : "embedding_size", CAPS.vocabulary);
  const decoding = readDecoding(fields, known);
  const eosTokenIds = new Set(fields.tokenIds("eos_token_id", vocabSize));
  const generation = new Fields("generation_config.json", (key) => companions.generationConfig?.[key]);
  for (const id of generation.tokenIds("eos_token_id", vocabSize)) eosTokenIds.add(id);
  const maskTokenId = fields.tokenId("mask_token_id", vocabSize) ?? maskFromTokenizer(companions.tokenizerConfig, vocabSize);
  fields.check(decoding.family === "ar" || maskTokenId !== null, "mask_token_id", "the mask token's id (a diffusion model)");
  return checkConfig(fields, {
    architecture: known.architecture,
    ...decoding,
    hiddenSize,
    intermediateSize: fields.size("intermediate_size", CAPS.width),
    numHiddenLayers: fields.size("num_hidden_layers", CAPS.layers),
    numAttentionHeads,
    numKeyValueHeads: fields.size("num_key_value_heads", CAPS.heads, numAttentionHeads),
    headDim: fields.size("head_dim", CAPS.width, hiddenSize / numAttentionHeads),
    vocabSize,
    rmsNormEps: fields.positive("rms_norm_eps", 1),
    ...readRope(fields),
    ropeFrequencyFactors: null,
    maxPositionEmbeddings: fields.size("max_position_embeddings", CAPS.positions),
    tieWordEmbeddings: fields.flag("tie_word_embeddings", !(companions.hasHead ?? true)),
    qkvBias: known.qkvBias || fields.flag("include_qkv_bias", false),
    qkNorm: known.qkNorm,
    permutedQueryKey: companions.permutedQueryKey ?? false,
    bosTokenId: fields.tokenId("bos_token_id", vocabSize),
    eosTokenIds: [...eosTokenIds],
    maskTokenId,
  });
}

/**
 * Reads GGUF metadata; `tensors` tells what the metadata does not: bias, norms of q and k, the tie.
 * `ropeFrequencyFactors` stays null: they are a tensor (`rope_freqs.weight`), which the loader reads.
 * Throws as {@link readConfig} does.
 */
export function configFromGguf(metadata: ReadonlyMap<string, unknown>, tensors: ReadonlyMap<string, StoredTensor>): ModelConfig {
  const name = metadata.get("general.architecture");
  const known = architectureOf(GGUF_TYPES, name, "GGUF metadata: general.architecture");
  const fields = new Fields(
    "GGUF metadata",
    (key) => metadata.get(key),
    (key) => `${name}.${key}`,
  );
  const shared = new Fields("GGUF metadata", (key) => metadata.get(key));
  fields.only("rope.scaling.type", "none");
  fields.only("expert_count", 0);
  const hiddenSize = fields.size("embedding_length", CAPS.width);
  const numAttentionHeads = fields.size("attention.head_count", CAPS.heads);
  const headDim = fields.size("attention.key_length", CAPS.width, hiddenSize / numAttentionHeads);
  fields.only("attention.value_length", headDim);
  fields.only("rope.dimension_count", headDim);
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const counted = Array.isArray(tokens) ? tokens.length : tensors.get("token_embd.weight")?.shape[0];
  const vocabSize = fields.size("vocab_size", CAPS.vocabulary, counted);
  const family = fields.flag("attention.causal", known.family === "ar") ? "ar" : "mdlm";
  const maskTokenId = shared.tokenId("tokenizer.ggml.mask_token_id", vocabSize);
  shared.check(
    family === "ar" || maskTokenId !== null,
    "tokenizer.ggml.mask_token_id",
    "the mask token's id (a diffusion model)",
  );
  const eosKeys = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"];
  return checkConfig(fields, {
    architecture: known.architecture,
    family,
    shift: family === "ar" || shared.flag("diffusion.shift_logits", known.shift),
    blockLength: null,
    hiddenSize,
    intermediateSize: fields.size("feed_forward_length", CAPS.width),
    numHiddenLayers: fields.size("block_count", CAPS.layers),
    numAttentionHeads,
    numKeyValueHeads: fields.size("attention.head_count_kv", CAPS.heads, numAttentionHeads),
    headDim,
    vocabSize,
    rmsNormEps: fields.positive("attention.layer_norm_rms_epsilon", 1),
    ropeTheta: fields.positive("rope.freq_base", MAX_ROPE_THETA, DEFAULT_ROPE_THETA),
    ropeScaling: null,
    ropeFrequencyFactors: null,
    maxPositionEmbeddings: fields.size("context_length", CAPS.positions),
    tieWordEmbeddings: !tensors.has("output.weight"),
    qkvBias: tensors.has("blk.0.attn_q.bias"),
    qkNorm: known.qkNorm,
    permutedQueryKey: PERMUTED_GGUF.has(known.architecture),
    bosTokenId: shared.tokenId("tokenizer.ggml.bos_token_id", vocabSize),
    eosTokenIds: [...new Set(eosKeys.flatMap((key) => shared.tokenIds(key, vocabSize)))],
    maskTokenId,
  });
}

/** Features of a `config.json` that would change the arithmetic. They are refused, never skipped. */
function refuseUnknownFeatures(fields: Fields): void {
  for (const key of ["hidden_act", "activation_type"]) fields.only(key, "silu");
  const absent = ["attention_bias", "mlp_bias", "use_sliding_window", "include_bias", "alibi", "attention_layer_norm"];
  for (const key of [...absent, "scale_logits", "input_emb_norm", "multi_query_attention"]) fields.only(key, false);
  fields.only("rope", true);
  fields.only("block_type", "llama");
  fields.only("layer_norm_type", "rms");
  fields.only("partial_rotary_factor", 1);
  const kinds = fields.raw("layer_types");
  const full = kinds === undefined || (Array.isArray(kinds) && kinds.every((kind) => kind === "full_attention"));
  fields.check(full, "layer_types", 'only "full_attention"');
}

type Decoding = Pick<ModelConfig, "family" | "shift" | "blockLength">;

function readDecoding(fields: Fields, known: Architecture): Decoding {
  const generation = fields.raw("generation");
  if (generation !== undefined) return readGeneration(generation);
  const blockKey = BLOCK_KEYS.find((key) => fields.raw(key) !== undefined);
  const family = known.family === "by-block" ? (blockKey ? "block" : "mdlm") : known.family;
  if (family !== "block") return { family, shift: known.shift, blockLength: null };
  const blockLength = fields.size(blockKey ?? BLOCK_KEYS[0]!, CAPS.positions);
  return { family, shift: known.shift, blockLength };
}

/** The embedded models' own key: what the weights were trained for. */
function readGeneration(generation: unknown): Decoding {
  const values = isObject(generation) ? generation : {};
  const fields = new Fields("config.json: generation", (key) => values[key]);
  const kinds: Readonly<Record<string, Family>> = { autoregressive: "ar", masked_diffusion: "mdlm", block_diffusion: "block" };
  const family = Object.hasOwn(kinds, String(values.kind)) ? kinds[String(values.kind)] : undefined;
  if (family === undefined) throw fields.wrong("kind", Object.keys(kinds).join(" or "));
  const attention = { ar: "causal", mdlm: "bidirectional", block: "block_causal_absolute" }[family];
  fields.only("attention", attention);
  return {
    family,
    shift: family === "ar" || fields.flag("logit_shift", false),
    blockLength: family === "block" || values.block_length !== undefined ? fields.size("block_length", CAPS.positions) : null,
  };
}

/** Base and scaling from the newer `rope_parameters` or the older `rope_theta` and `rope_scaling`; the newer wins. */
function readRope(fields: Fields): Pick<ModelConfig, "ropeTheta" | "ropeScaling"> {
  const key = fields.raw("rope_parameters") === undefined ? "rope_scaling" : "rope_parameters";
  const value = fields.raw(key) ?? {};
  fields.check(isObject(value), key, "an object");
  const rope = new Fields(`${fields.origin}: ${key}`, (name) => (value as JsonObject)[name]);
  const ropeTheta = (rope.raw("rope_theta") === undefined ? fields : rope).positive(
    "rope_theta",
    MAX_ROPE_THETA,
    DEFAULT_ROPE_THETA,
  );
  for (const name of ["rope_type", "type"]) rope.only(name, "default", "llama3");
  rope.only("partial_rotary_factor", 1);
  if ((rope.raw("rope_type") ?? rope.raw("type") ?? "default") === "default") return { ropeTheta, ropeScaling: null };
  const lowFreqFactor = rope.positive("low_freq_factor", 1e6);
  const highFreqFactor = rope.positive("high_freq_factor", 1e6);
  rope.check(highFreqFactor > lowFreqFactor, "high_freq_factor", `more than low_freq_factor ${lowFreqFactor}`);
  const originalMaxPositionEmbeddings = rope.size("original_max_position_embeddings", CAPS.positions);
  const factor = rope.positive("factor", 1e6);
  return { ropeTheta, ropeScaling: { type: "llama3", factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings } };
}

/** The id that `tokenizer_config.json` gives its `mask_token`, or null. */
function maskFromTokenizer(tokenizer: JsonObject | null | undefined, vocabSize: number): number | null {
  const mask = isObject(tokenizer?.mask_token) ? tokenizer.mask_token.content : tokenizer?.mask_token;
  const added = tokenizer?.added_tokens_decoder;
  if (typeof mask !== "string" || !isObject(added)) return null;
  const id = Object.keys(added).find((key) => /^\d+$/.test(key) && isObject(added[key]) && added[key].content === mask);
  return id !== undefined && Number(id) < vocabSize ? Number(id) : null;
}

/** Relations between keys; each key by itself was checked when it was read. */
function checkConfig(fields: Fields, config: ModelConfig): ModelConfig {
  const { headDim, numAttentionHeads: heads, numKeyValueHeads: kvHeads, maxPositionEmbeddings, blockLength } = config;
  const origin = fields.origin;
  ensure(headDim % 2 === 0, "bad-config", `${origin}: head dimension: expected an even number, got ${headDim}`);
  const grouping = `${origin}: key/value heads: expected a divisor of the ${heads} attention heads, got ${kvHeads}`;
  ensure(heads % kvHeads === 0, "bad-config", grouping);
  ensure(
    heads * headDim <= CAPS.width,
    "bad-config",
    `${origin}: ${heads} heads of ${headDim} are too wide (limit ${CAPS.width})`,
  );
  const block = `${origin}: block length: expected at most ${maxPositionEmbeddings} positions, got ${blockLength}`;
  ensure(blockLength === null || blockLength <= maxPositionEmbeddings, "bad-config", block);
  return config;
}
