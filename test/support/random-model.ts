/** Models of random weights in memory, as a config.json and a safetensors file: any number of layers, any family. */
import { type ByteSource, bytesSource } from "../../src/formats/byte-source";
import { type FloatTensor, writeSafetensors } from "../../src/formats/safetensors";
import type { Gpu } from "../../src/gpu/device";
import { type EngineOptions, type LoadedEngine, loadEngine } from "../../src/model/load";
import { testGpu } from "./goldens";

export interface RandomModel {
  readonly layers?: number;
  readonly hiddenSize?: number;
  readonly intermediateSize?: number;
  readonly heads?: number;
  readonly kvHeads?: number;
  readonly vocabSize?: number;
  readonly maskTokenId?: number;
  readonly eosTokenId?: number;
  readonly contextLength?: number;
  /** As an embedded model's `generation` says it; autoregressive by default. */
  readonly generation?: Readonly<Record<string, unknown>>;
  /** Size of the head's weights: 0 makes all logits equal. */
  readonly headScale?: number;
  readonly seed?: number;
}

/** Standard normal values, from a seed. */
function normals(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** `config.json` and `model.safetensors` in the llama layout. */
export function randomFiles(model: RandomModel = {}): ByteSource[] {
  const { layers = 2, hiddenSize = 64, intermediateSize = 96, heads = 4, kvHeads = 2, vocabSize = 64, headScale = 0.4 } = model;
  const headDim = hiddenSize / heads;
  const normal = normals(model.seed ?? 1);
  const tensor = (name: string, shape: readonly number[], scale: number, mean = 0): FloatTensor => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).map(() => mean + scale * normal());
    return { name: `${name}.weight`, dtype: "F32", shape, data };
  };
  const weight = (name: string, rows: number, columns: number): FloatTensor =>
    tensor(name, [rows, columns], 1.2 / Math.sqrt(columns));
  const tensors = [
    tensor("model.embed_tokens", [vocabSize, hiddenSize], 1),
    tensor("model.norm", [hiddenSize], 0.1, 1),
    tensor("lm_head", [vocabSize, hiddenSize], headScale),
  ];
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`;
    tensors.push(
      tensor(`${at}.input_layernorm`, [hiddenSize], 0.1, 1),
      tensor(`${at}.post_attention_layernorm`, [hiddenSize], 0.1, 1),
      weight(`${at}.self_attn.q_proj`, heads * headDim, hiddenSize),
      weight(`${at}.self_attn.k_proj`, kvHeads * headDim, hiddenSize),
      weight(`${at}.self_attn.v_proj`, kvHeads * headDim, hiddenSize),
      weight(`${at}.self_attn.o_proj`, hiddenSize, heads * headDim),
      weight(`${at}.mlp.gate_proj`, intermediateSize, hiddenSize),
      weight(`${at}.mlp.up_proj`, intermediateSize, hiddenSize),
      weight(`${at}.mlp.down_proj`, hiddenSize, intermediateSize),
    );
  }
  const config = {
    model_type: "llama",
    hidden_size: hiddenSize,
    intermediate_size: intermediateSize,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: vocabSize,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    hidden_act: "silu",
    max_position_embeddings: model.contextLength ?? 128,
    tie_word_embeddings: false,
    ...(model.maskTokenId === undefined ? {} : { mask_token_id: model.maskTokenId }),
    ...(model.eosTokenId === undefined ? {} : { eos_token_id: model.eosTokenId }),
    ...(model.generation ? { generation: model.generation } : {}),
  };
  return [
    bytesSource("config.json", new TextEncoder().encode(JSON.stringify(config))),
    bytesSource("model.safetensors", writeSafetensors(tensors)),
  ];
}

/** `generation` of each family, as `config.json` has it. */
export const GENERATION = {
  masked: { kind: "masked_diffusion", logit_shift: false, attention: "bidirectional" },
  block: { kind: "block_diffusion", block_length: 4, logit_shift: false, attention: "block_causal_absolute" },
  shifted: { kind: "block_diffusion", block_length: 4, logit_shift: true, attention: "block_causal_absolute" },
} as const;

export const loadRandom = async (model: RandomModel = {}, options: EngineOptions = {}, gpu?: Gpu): Promise<LoadedEngine> =>
  loadEngine(gpu ?? (await testGpu()), randomFiles(model), options);
