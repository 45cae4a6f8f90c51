/** Tensor names of three layouts into roles, with every shape checked. It reads no data. */
import { ensure, RidgepointError } from "../errors";
import { SUPPORTED_DTYPES } from "../formats/gguf";
import type { Checkpoint, OpenedCheckpoint, StoredTensor } from "../formats/tensor";
import type { ModelConfig } from "./config";

/** Weights outside the layers. `rope_freqs` (GGUF only) divides the rotary frequencies and stands in for `ropeScaling`. */
export type GlobalRole = "embed_tokens" | "norm" | "lm_head" | "rope_freqs";
export type BiasRole = "q_proj" | "k_proj" | "v_proj";
/** Weights of a layer. */
export type LayerRole =
  | BiasRole
  | "input_layernorm"
  | "post_attention_layernorm"
  | "o_proj"
  | "q_norm"
  | "k_norm"
  | "gate_proj"
  | "up_proj"
  | "down_proj";
/** Hugging Face's role names, for every layout. */
export type Role = GlobalRole | LayerRole;

export interface LocatedWeights {
  /** `lm_head` is absent when tied, `rope_freqs` when the file has none. */
  readonly global: ReadonlyMap<GlobalRole, StoredTensor>;
  /** By layer. `q_norm` and `k_norm` only where the model has them. */
  readonly layers: readonly ReadonlyMap<LayerRole, StoredTensor>[];
  /** By layer; empty maps where the model has no bias. */
  readonly biases: readonly ReadonlyMap<BiasRole, StoredTensor>[];
}

/** A naming scheme: `{}` stands for the layer; names come without `.weight` or `.bias`. */
interface Layout {
  readonly label: string;
  readonly names: Readonly<Record<Role, string | null>>;
}

const HUGGING_FACE: Layout = {
  label: "Hugging Face",
  names: {
    embed_tokens: "model.embed_tokens",
    norm: "model.norm",
    lm_head: "lm_head",
    rope_freqs: null,
    input_layernorm: "model.layers.{}.input_layernorm",
    post_attention_layernorm: "model.layers.{}.post_attention_layernorm",
    q_proj: "model.layers.{}.self_attn.q_proj",
    k_proj: "model.layers.{}.self_attn.k_proj",
    v_proj: "model.layers.{}.self_attn.v_proj",
    o_proj: "model.layers.{}.self_attn.o_proj",
    q_norm: "model.layers.{}.self_attn.q_norm",
    k_norm: "model.layers.{}.self_attn.k_norm",
    gate_proj: "model.layers.{}.mlp.gate_proj",
    up_proj: "model.layers.{}.mlp.up_proj",
    down_proj: "model.layers.{}.mlp.down_proj",
  },
};
const LLADA: Layout = {
  label: "LLaDA",
  names: {
    embed_tokens: "model.transformer.wte",
    norm: "model.transformer.ln_f",
    lm_head: "model.transformer.ff_out",
    rope_freqs: null,
    input_layernorm: "model.transformer.blocks.{}.attn_norm",
    post_attention_layernorm: "model.transformer.blocks.{}.ff_norm",
    q_proj: "model.transformer.blocks.{}.q_proj",
    k_proj: "model.transformer.blocks.{}.k_proj",
    v_proj: "model.transformer.blocks.{}.v_proj",
    o_proj: "model.transformer.blocks.{}.attn_out",
    q_norm: null,
    k_norm: null,
    gate_proj: "model.transformer.blocks.{}.ff_proj",
    up_proj: "model.transformer.blocks.{}.up_proj",
    down_proj: "model.transformer.blocks.{}.ff_out",
  },
};
const GGUF: Layout = {
  label: "GGUF",
  names: {
    embed_tokens: "token_embd",
    norm: "output_norm",
    lm_head: "output",
    rope_freqs: "rope_freqs",
    input_layernorm: "blk.{}.attn_norm",
    post_attention_layernorm: "blk.{}.ffn_norm",
    q_proj: "blk.{}.attn_q",
    k_proj: "blk.{}.attn_k",
    v_proj: "blk.{}.attn_v",
    o_proj: "blk.{}.attn_output",
    q_norm: "blk.{}.attn_q_norm",
    k_norm: "blk.{}.attn_k_norm",
    gate_proj: "blk.{}.ffn_gate",
    up_proj: "blk.{}.ffn_up",
    down_proj: "blk.{}.ffn_down",
  },
};
const LAYOUTS = [HUGGING_FACE, LLADA, GGUF];

/** Tensors that published files carry and nobody needs: rotary tables, recomputed from the configuration. */
const HARMLESS = /(^|\.)rotary_emb\.|\.attn_rot_embd$|\.rotary_emb$/;
const BIAS_ROLES: readonly BiasRole[] = ["q_proj", "k_proj", "v_proj"];

/** Expected shape of a role's weight, outermost first. A linear layer is `[outFeatures, inFeatures]`. */
export function roleShape(role: Role, config: ModelConfig): readonly number[] {
  const { hiddenSize: D, intermediateSize: F, vocabSize: V, headDim: E } = config;
  const queries = config.numAttentionHeads * E;
  const keys = config.numKeyValueHeads * E;
  switch (role) {
    case "embed_tokens":
    case "lm_head":
      return [V, D];
    case "rope_freqs":
      return [E / 2];
    case "norm":
    case "input_layernorm":
    case "post_attention_layernorm":
      return [D];
    case "q_norm":
    case "k_norm":
      return [E];
    case "q_proj":
      return [queries, D];
    case "k_proj":
    case "v_proj":
      return [keys, D];
    case "o_proj":
      return [D, queries];
    case "gate_proj":
    case "up_proj":
      return [F, D];
    case "down_proj":
      return [D, F];
  }
}

/**
 * Finds every weight that `config` asks for. Each tensor of the file is used exactly once.
 * Throws `missing-tensor` (the role and the names tried), `bad-tensor` (the name, both shapes),
 * `unsupported-dtype` (the type and the supported ones), `bad-file` (tensors that belong to nothing).
 */
export function locateWeights(checkpoint: Checkpoint | OpenedCheckpoint, config: ModelConfig): LocatedWeights {
  const finder = new Finder(checkpoint, config);
  const global = new Map<GlobalRole, StoredTensor>();
  global.set("embed_tokens", finder.weight("embed_tokens"));
  global.set("norm", finder.weight("norm"));
  if (!config.tieWordEmbeddings) global.set("lm_head", finder.weight("lm_head"));
  const frequencies = finder.optionalWeight("rope_freqs");
  if (frequencies) global.set("rope_freqs", frequencies);
  const roles: LayerRole[] = ["input_layernorm", "q_proj", "k_proj", "v_proj", "o_proj"];
  if (config.qkNorm) roles.push("q_norm", "k_norm");
  roles.push("post_attention_layernorm", "gate_proj", "up_proj", "down_proj");
  const layers: Map<LayerRole, StoredTensor>[] = [];
  const biases: Map<BiasRole, StoredTensor>[] = [];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    layers.push(new Map(roles.map((role) => [role, finder.weight(role, layer)])));
    biases.push(new Map(config.qkvBias ? BIAS_ROLES.map((role) => [role, finder.bias(role, layer)]) : []));
  }
  // A tied model that was saved with its head: the embedding is used.
  if (config.tieWordEmbeddings) finder.optionalWeight("lm_head");
  finder.refuseLeftovers();
  return { global, layers, biases };
}

class Finder {
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  readonly #unsupported: ReadonlyMap<string, string>;
  readonly #config: ModelConfig;
  readonly #layout: Layout;
  readonly #used = new Set<string>();

  constructor(checkpoint: Checkpoint | OpenedCheckpoint, config: ModelConfig) {
    this.#tensors = checkpoint.tensors;
    this.#unsupported = "unsupported" in checkpoint ? checkpoint.unsupported : new Map();
    this.#config = config;
    const tried = LAYOUTS.map(({ names }) => `${names.embed_tokens}.weight`);
    const layout = LAYOUTS.find((_, i) => this.#tensors.has(tried[i]!) || this.#unsupported.has(tried[i]!));
    if (!layout)
      throw new RidgepointError("missing-tensor", `embed_tokens: none of the names tried is there: ${tried.join(", ")}`);
    this.#layout = layout;
  }

  weight(role: Role, layer?: number): StoredTensor {
    return this.#need(role, ".weight", layer, roleShape(role, this.#config));
  }

  bias(role: BiasRole, layer: number): StoredTensor {
    return this.#need(role, ".bias", layer, roleShape(role, this.#config).slice(0, 1));
  }

  optionalWeight(role: GlobalRole): StoredTensor | null {
    const name = this.#name(role, ".weight", undefined);
    return name !== null && (this.#tensors.has(name) || this.#unsupported.has(name)) ? this.weight(role) : null;
  }

  #name(role: Role, suffix: string, layer: number | undefined): string | null {
    const stem = this.#layout.names[role];
    return stem === null ? null : stem.replace("{}", String(layer)) + suffix;
  }

  #need(role: Role, suffix: string, layer: number | undefined, expected: readonly number[]): StoredTensor {
    const name = this.#name(role, suffix, layer);
    const what = layer === undefined ? role : `${role} of layer ${layer}`;
    const tensor = name === null ? undefined : this.#tensors.get(name);
    if (name === null || !tensor) {
      const dtype = name === null ? undefined : this.#unsupported.get(name);
      if (dtype !== undefined) {
        const supported = `supported: ${SUPPORTED_DTYPES.join(", ")}`;
        throw new RidgepointError("unsupported-dtype", `tensor ${name}: element type ${dtype}; ${supported}`);
      }
      const tried = name === null ? `the ${this.#layout.label} layout has no name for it` : `tried ${name}`;
      throw new RidgepointError("missing-tensor", `${what}${suffix === ".bias" ? " (bias)" : ""}: not in the file; ${tried}`);
    }
    const same = tensor.shape.length === expected.length && tensor.shape.every((size, i) => size === expected[i]);
    ensure(same, "bad-tensor", () => `tensor ${name}: expected [${expected.join(", ")}], came [${tensor.shape.join(", ")}]`);
    this.#used.add(name);
    return tensor;
  }

  refuseLeftovers(): void {
    const all = [...this.#tensors.keys(), ...this.#unsupported.keys()];
    const left = all.filter((name) => !this.#used.has(name) && !HARMLESS.test(name));
    const shown = left.slice(0, 8).join(", ") + (left.length > 8 ? `, … (${left.length} in all)` : "");
    const model = `${this.#config.architecture} of ${this.#config.numHiddenLayers} layers`;
    ensure(left.length === 0, "bad-file", `tensors that belong to no weight of a ${model}: ${shown}`);
  }
}
