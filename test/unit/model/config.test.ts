import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/formats/json";
import type { StoredTensor } from "../../../src/formats/tensor";
import { configFromGguf, configFromHuggingFace, type ModelConfig, readConfig } from "../../../src/model/config";
import { goldenBytes, refusal } from "../formats/files";
import { GGUF_GOLDENS, openGolden, TRAJECTORY_GOLDENS } from "./fixtures";

const GOLDEN: ModelConfig = {
  architecture: "llama",
  family: "ar",
  hiddenSize: 128,
  intermediateSize: 320,
  numHiddenLayers: 3,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 32,
  vocabSize: 320,
  rmsNormEps: 1e-5,
  ropeTheta: 100000,
  ropeScaling: null,
  ropeFrequencyFactors: null,
  maxPositionEmbeddings: 512,
  tieWordEmbeddings: true,
  qkvBias: false,
  qkNorm: false,
  permutedQueryKey: false,
  shift: true,
  bosTokenId: 1,
  eosTokenIds: [2],
  maskTokenId: null,
  blockLength: null,
};
const SCALING = { type: "llama3", factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 64 } as const;
const QWEN2: ModelConfig = {
  ...GOLDEN,
  architecture: "qwen2",
  ropeTheta: 1e6,
  tieWordEmbeddings: false,
  qkvBias: true,
  bosTokenId: null,
  eosTokenIds: [],
};
const EXPECTED: Readonly<Record<string, ModelConfig>> = {
  "llama-tied": GOLDEN,
  "llama3-rope": { ...GOLDEN, ropeTheta: 5e5, ropeScaling: SCALING, tieWordEmbeddings: false },
  "llama-bf16": { ...GOLDEN, ropeTheta: 5e5, ropeScaling: SCALING, tieWordEmbeddings: false },
  qwen2: QWEN2,
  qwen3: { ...QWEN2, architecture: "qwen3", headDim: 48, tieWordEmbeddings: true, qkvBias: false, qkNorm: true },
  dream: { ...QWEN2, architecture: "dream", family: "mdlm", maskTokenId: 319 },
  "fast-dllm-v2": { ...QWEN2, architecture: "fast-dllm-v2", family: "block", maskTokenId: 319, blockLength: 8 },
  llada: {
    ...GOLDEN,
    architecture: "llada",
    family: "mdlm",
    numKeyValueHeads: 4,
    ropeTheta: 5e5,
    tieWordEmbeddings: false,
    shift: false,
    bosTokenId: null,
    eosTokenIds: [318],
    maskTokenId: 319,
  },
};

describe("golden configurations", () => {
  test.each(Object.keys(EXPECTED))("%s", async (name) => {
    expect((await openGolden(name)).config).toEqual(EXPECTED[name]);
  });

  test.each(GGUF_GOLDENS)("%s", async (name) => {
    const { config } = await openGolden(name);
    expect(config.rmsNormEps).toBeCloseTo(1e-5, 12);
    expect(config).toEqual({
      ...GOLDEN,
      rmsNormEps: config.rmsNormEps,
      permutedQueryKey: true,
      bosTokenId: null,
      eosTokenIds: [],
    });
  });

  test.each(TRAJECTORY_GOLDENS)("%s", async (name) => {
    const { config } = await openGolden(name);
    expect(config.vocabSize).toBe(208);
    expect(config.maskTokenId).toBe(config.family === "ar" ? null : 200);
  });
});

const json = (path: string) => JSON.parse(new TextDecoder().decode(goldenBytes(path))) as Record<string, unknown>;
const LLAMA = json("llama-tied/config.json");

describe("config.json", () => {
  test("an embedded model names its family in `generation`", () => {
    const generation = {
      kind: "masked_diffusion",
      block_length: 16,
      gen_length: 64,
      logit_shift: true,
      attention: "bidirectional",
    };
    const read = (changes: JsonObject) =>
      configFromHuggingFace({ ...LLAMA, mask_token_id: 1, generation: { ...generation, ...changes } });
    expect(read({})).toMatchObject({ architecture: "llama", family: "mdlm", shift: true, blockLength: 16, maskTokenId: 1 });
    expect(read({ logit_shift: false }).shift).toBe(false);
    const block = { kind: "block_diffusion", attention: "block_causal_absolute" };
    expect(read(block)).toMatchObject({ family: "block", shift: true, blockLength: 16 });
    expect(read({ kind: "autoregressive", attention: "causal" })).toMatchObject({ family: "ar", shift: true });
  });

  test("SDAR and the a2d models are Qwen with a mask and a block", () => {
    const qwen3 = json("qwen3/config.json");
    const sdar = configFromHuggingFace({ ...qwen3, model_type: "sdar", block_size: 4, mask_token_id: 300 });
    expect(sdar).toMatchObject({
      architecture: "sdar",
      family: "block",
      shift: false,
      blockLength: 4,
      qkNorm: true,
      maskTokenId: 300,
    });
    const a2d = { ...qwen3, model_type: "a2d-qwen3", mask_token_id: 300 };
    expect(configFromHuggingFace(a2d)).toMatchObject({ family: "mdlm", shift: false, blockLength: null });
    expect(configFromHuggingFace({ ...a2d, block_size: 32 })).toMatchObject({ family: "block", blockLength: 32 });
    const qwen2 = configFromHuggingFace({ ...json("qwen2/config.json"), model_type: "a2d-qwen2", mask_token_id: 300 });
    expect(qwen2).toMatchObject({ architecture: "a2d-qwen2", family: "mdlm", qkvBias: true });
  });

  test("the mask id may come from tokenizer_config.json", () => {
    const config = { ...json("qwen3/config.json"), model_type: "a2d-qwen3" };
    const added_tokens_decoder = { "7": { content: "<x>" }, "301": { content: "<|mask|>" } };
    for (const mask_token of ["<|mask|>", { content: "<|mask|>" }]) {
      expect(configFromHuggingFace(config, { tokenizerConfig: { mask_token, added_tokens_decoder } }).maskTokenId).toBe(301);
    }
  });

  test("end ids are those of both files, each once", () => {
    const read = (config: unknown, generation: unknown) =>
      configFromHuggingFace({ ...LLAMA, eos_token_id: config }, { generationConfig: { eos_token_id: generation } }).eosTokenIds;
    expect(read(2, [2, 7])).toEqual([2, 7]);
    expect(read([3, 4], 5)).toEqual([3, 4, 5]);
    expect(read(null, null)).toEqual([]);
  });

  test("defaults: heads share no keys, head size divides, the tie follows the weights", () => {
    const { num_key_value_heads: _k, head_dim: _h, tie_word_embeddings: _t, rope_parameters: _r, ...bare } = LLAMA;
    expect(configFromHuggingFace(bare, { hasHead: false })).toMatchObject({
      numKeyValueHeads: 4,
      headDim: 32,
      ropeTheta: 10000,
      tieWordEmbeddings: true,
    });
    expect(configFromHuggingFace(bare, { hasHead: true }).tieWordEmbeddings).toBe(false);
  });

  test("the rotary base is read from either place, the newer first", () => {
    const { rope_parameters: _, ...bare } = LLAMA;
    expect(configFromHuggingFace({ ...bare, rope_theta: 5000 }).ropeTheta).toBe(5000);
    expect(configFromHuggingFace({ ...LLAMA, rope_theta: 5000 }).ropeTheta).toBe(100000);
    expect(configFromHuggingFace({ ...bare, rope_theta: 5000, rope_scaling: { type: "default" } }).ropeTheta).toBe(5000);
    const rope_scaling = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    expect(configFromHuggingFace({ ...bare, rope_scaling }).ropeScaling).toEqual(SCALING);
    expect(configFromHuggingFace({ ...bare, rope_parameters: { ...rope_scaling, rope_theta: 7 } })).toMatchObject({
      ropeTheta: 7,
      ropeScaling: SCALING,
    });
  });

  const wrong: [key: string, value: unknown, message: RegExp][] = [
    ["hidden_size", undefined, /hidden_size: expected a positive integer up to \d+, got nothing/],
    ["hidden_size", -1, /hidden_size.*got -1/],
    ["hidden_size", 12.5, /got 12.5/],
    ["hidden_size", "128", /got "128"/],
    ["hidden_size", 1e300, /hidden_size/],
    ["num_hidden_layers", 0, /num_hidden_layers/],
    ["num_hidden_layers", 1e6, /num_hidden_layers.*up to 1024/],
    ["num_key_value_heads", 3, /key\/value heads: expected a divisor of the 4 attention heads, got 3/],
    ["num_key_value_heads", 8, /divisor/],
    ["head_dim", 33, /even number, got 33/],
    ["head_dim", 2 ** 16, /too wide/],
    ["vocab_size", [320], /vocab_size/],
    ["rms_norm_eps", 0, /rms_norm_eps: expected a number above 0/],
    ["rms_norm_eps", "1e-5", /rms_norm_eps/],
    ["max_position_embeddings", null, /max_position_embeddings.*got nothing/],
    ["tie_word_embeddings", "yes", /true or false/],
    ["eos_token_id", 320, /token ids below the vocabulary's size 320/],
    ["eos_token_id", [2, -1], /token ids/],
    ["bos_token_id", 0.5, /token ids/],
    ["hidden_act", "gelu", /hidden_act: expected "silu", got "gelu"/],
    ["attention_bias", true, /attention_bias: expected false/],
    ["mlp_bias", true, /mlp_bias/],
    ["use_sliding_window", true, /use_sliding_window/],
    ["layer_types", ["sliding_attention"], /layer_types/],
    [
      "rope_parameters",
      { rope_type: "yarn", factor: 4 },
      /rope_parameters: rope_type: expected "default" or "llama3", got "yarn"/,
    ],
    ["rope_parameters", { rope_type: "llama3", factor: 4 }, /low_freq_factor/],
    ["rope_parameters", { rope_theta: -1 }, /rope_theta/],
    ["rope_parameters", 5, /rope_parameters: expected an object, got 5/],
    ["partial_rotary_factor", 0.5, /partial_rotary_factor/],
    [
      "generation",
      { kind: "magic" },
      /generation: kind: expected autoregressive or masked_diffusion or block_diffusion, got "magic"/,
    ],
    ["generation", 5, /kind/],
    ["generation", { kind: "constructor" }, /kind/],
    ["generation", { kind: "masked_diffusion" }, /mask_token_id: expected the mask token's id/],
    ["generation", { kind: "block_diffusion", attention: "block_causal_prompt", block_length: 8 }, /attention/],
    ["generation", { kind: "block_diffusion" }, /block_length/],
    [
      "generation",
      { kind: "block_diffusion", block_length: 4096, attention: "block_causal_absolute" },
      /mask_token_id|block length/,
    ],
  ];
  test.each(wrong)("%s = %j is refused", async (key, value, message) => {
    const config = { ...LLAMA, [key]: value };
    expect(await refusal(() => configFromHuggingFace(config), "bad-config")).toMatch(message);
  });

  test.each([
    ["block_type", "sequential"],
    ["layer_norm_type", "default"],
    ["rope", false],
    ["alibi", true],
    ["include_bias", true],
  ])("LLaDA with %s = %j is refused", async (key, value) => {
    await refusal(() => configFromHuggingFace({ ...json("llada/config.json"), [key]: value }), "bad-config");
  });

  test("LLaDA's own spelling is in its errors", async () => {
    expect(await refusal(() => configFromHuggingFace({ ...json("llada/config.json"), d_model: 0 }), "bad-config")).toContain(
      "d_model",
    );
  });

  test("an unknown architecture is named beside the supported ones", async () => {
    const message = await refusal(() => configFromHuggingFace({ ...LLAMA, model_type: "gemma3" }), "unsupported-architecture");
    expect(message).toMatch(/"gemma3".*llama.*qwen3.*llada.*sdar/);
    await refusal(() => configFromHuggingFace({}), "unsupported-architecture");
  });

  test("safetensors without config.json", async () => {
    const { checkpoint } = await openGolden("qwen2");
    expect(await refusal(() => readConfig({ ...checkpoint, config: null }), "bad-config")).toContain("config.json");
  });
});

describe("GGUF metadata", () => {
  const tensor = (name: string): [string, StoredTensor] => [
    name,
    { name, dtype: "f32", shape: [1], source: { name: "", size: 0, read: () => Promise.reject() }, start: 0, end: 0 },
  ];
  const base = (architecture: string): Record<string, unknown> => ({
    "general.architecture": architecture,
    [`${architecture}.block_count`]: 2,
    [`${architecture}.context_length`]: 4096,
    [`${architecture}.embedding_length`]: 64,
    [`${architecture}.feed_forward_length`]: 128,
    [`${architecture}.attention.head_count`]: 4,
    [`${architecture}.attention.head_count_kv`]: 2,
    [`${architecture}.attention.layer_norm_rms_epsilon`]: 1e-6,
    "tokenizer.ggml.tokens": Array.from({ length: 100 }, (_, i) => `t${i}`),
    "tokenizer.ggml.eos_token_id": 3,
  });
  const read = (metadata: Record<string, unknown>, ...names: string[]) =>
    configFromGguf(new Map(Object.entries(metadata)), new Map(names.map(tensor)));

  test("every architecture", () => {
    expect(read(base("llama"))).toMatchObject({
      family: "ar",
      shift: true,
      permutedQueryKey: true,
      tieWordEmbeddings: true,
      vocabSize: 100,
    });
    expect(read(base("qwen2"), "blk.0.attn_q.bias", "output.weight")).toMatchObject({
      qkvBias: true,
      permutedQueryKey: false,
      tieWordEmbeddings: false,
    });
    expect(read({ ...base("qwen3"), "qwen3.attention.key_length": 32 })).toMatchObject({ qkNorm: true, headDim: 32 });
    const mask = { "tokenizer.ggml.mask_token_id": 9 };
    expect(read({ ...base("dream"), ...mask })).toMatchObject({
      family: "mdlm",
      shift: true,
      maskTokenId: 9,
      permutedQueryKey: false,
    });
    const llada = { ...base("llada"), ...mask, "llada.attention.causal": false, "diffusion.shift_logits": false };
    expect(read(llada)).toMatchObject({
      family: "mdlm",
      shift: false,
      permutedQueryKey: true,
      eosTokenIds: [3],
      maxPositionEmbeddings: 4096,
    });
    const llama = { ...base("llama"), ...mask, "llama.attention.causal": false, "diffusion.shift_logits": true };
    expect(read(llama)).toMatchObject({ architecture: "llama", family: "mdlm", shift: true });
  });

  test("end-of-turn ids count as ends", () => {
    expect(read({ ...base("llama"), "tokenizer.ggml.eot_token_id": 5 }).eosTokenIds).toEqual([3, 5]);
  });

  test.each<[string, unknown, RegExp]>([
    ["llama.block_count", undefined, /llama.block_count: expected a positive integer/],
    ["llama.attention.head_count", [4, 4], /llama.attention.head_count/],
    ["llama.attention.head_count_kv", 3, /divisor/],
    ["llama.embedding_length", 2n ** 60n, /llama.embedding_length.*got "1152921504606846976"/],
    ["llama.rope.scaling.type", "yarn", /rope.scaling.type: expected "none"/],
    ["llama.rope.dimension_count", 8, /rope.dimension_count: expected 16, got 8/],
    ["llama.attention.value_length", 8, /value_length/],
    ["llama.expert_count", 8, /expert_count/],
    ["llama.attention.causal", false, /mask_token_id/],
    ["llama.attention.causal", 1, /true or false/],
    ["tokenizer.ggml.eos_token_id", 100, /below the vocabulary's size 100/],
  ])("%s = %s is refused", async (key, value, message) => {
    expect(await refusal(() => read({ ...base("llama"), [key]: value }), "bad-config")).toMatch(message);
  });

  test("an unknown or missing architecture", async () => {
    expect(await refusal(() => read(base("gpt2")), "unsupported-architecture")).toMatch(
      /"gpt2".*llama, qwen2, qwen3, llada, dream/,
    );
    await refusal(() => read({}), "unsupported-architecture");
  });

  test("config.json beside a GGUF decides, save for the order of q and k rows", async () => {
    const { checkpoint } = await openGolden("gguf-q4_0");
    const generation = { kind: "block_diffusion", block_length: 16, logit_shift: true, attention: "block_causal_absolute" };
    const config = readConfig({ ...checkpoint, config: { ...LLAMA, mask_token_id: 1, generation } });
    expect(config).toMatchObject({ family: "block", blockLength: 16, permutedQueryKey: true, eosTokenIds: [2] });
  });
});
