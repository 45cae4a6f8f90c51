"""Reads trained models, and writes them as Hugging Face checkpoints: model.safetensors (f32, LLaMA names), config.json, tokenizer.json,
tokenizer_config.json.

    python training/export.py training/runs/1/mdlm training/runs/1/mdlm-hf
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from model import LM, Config
from objectives import BLOCK
from tokenizer import EOS, MASK
from train import RECIPES

TEMPLATE = (
    "{% for m in messages %}{% if m['role']=='user' %}<|user|>{{ m['content'] }}"
    "{% elif m['role']=='assistant' %}<|assistant|>{{ m['content'] }}<|endoftext|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
KINDS = {"mdlm": "masked_diffusion", "block": "block_diffusion"}
ATTENTION = {"mdlm": "bidirectional", "block": "block_causal_absolute"}


def to_hf(m: LM) -> dict[str, Tensor]:
    c = m.c
    out = {"model.embed_tokens.weight": m.embedding.weight, "model.norm.weight": m.norm.weight}
    for i, layer in enumerate(m.layers):
        q, k, v = layer.qkv.weight.split([c.heads * c.head, c.kv_heads * c.head, c.kv_heads * c.head])
        gate, up = layer.gate_up.weight.chunk(2)
        named = {"self_attn.q_proj": q, "self_attn.k_proj": k, "self_attn.v_proj": v, "self_attn.o_proj": layer.out.weight}
        named |= {"mlp.gate_proj": gate, "mlp.up_proj": up, "mlp.down_proj": layer.down.weight}
        named |= {"input_layernorm": layer.attention_norm.weight, "post_attention_layernorm": layer.ffn_norm.weight}
        out |= {f"model.layers.{i}.{name}.weight": w for name, w in named.items()}
    return {name: w.detach().clone().contiguous() for name, w in out.items()}


def from_hf(tensors: dict[str, Tensor], config: dict) -> LM:
    """The model of an exported checkpoint; every tensor must be used."""
    c = Config(
        vocabulary=config["vocab_size"],
        hidden=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        ffn=config["intermediate_size"],
        rope_base=config["rope_theta"],
        longest=config["max_position_embeddings"],
    )
    left = {name: w.float() for name, w in tensors.items()}
    state = {"embedding.weight": left.pop("model.embed_tokens.weight"), "norm.weight": left.pop("model.norm.weight")}
    for i in range(c.layers):
        take = lambda name: left.pop(f"model.layers.{i}.{name}.weight")  # noqa: E731
        state[f"layers.{i}.qkv.weight"] = torch.cat([take("self_attn.q_proj"), take("self_attn.k_proj"), take("self_attn.v_proj")])
        state[f"layers.{i}.gate_up.weight"] = torch.cat([take("mlp.gate_proj"), take("mlp.up_proj")])
        state[f"layers.{i}.out.weight"], state[f"layers.{i}.down.weight"] = take("self_attn.o_proj"), take("mlp.down_proj")
        state[f"layers.{i}.attention_norm.weight"] = take("input_layernorm")
        state[f"layers.{i}.ffn_norm.weight"] = take("post_attention_layernorm")
    if left:
        raise SystemExit(f"export: tensors that the architecture does not have: {sorted(left)}")
    m = LM(c)
    m.load_state_dict(state)
    return m


def config_of(c: Config, kind: str) -> dict:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": c.hidden,
        "intermediate_size": c.ffn,
        "num_hidden_layers": c.layers,
        "num_attention_heads": c.heads,
        "num_key_value_heads": c.kv_heads,
        "head_dim": c.head,
        "vocab_size": c.vocabulary,
        "rms_norm_eps": 1e-5,
        "rope_theta": c.rope_base,
        "hidden_act": "silu",
        "max_position_embeddings": c.longest,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": EOS,
        "eos_token_id": EOS,
        "pad_token_id": EOS,
        "torch_dtype": "float32",
    }
    if kind == "ar":
        return config | {"generation": {"kind": "autoregressive", "prompt": "chat"}}
    generation = {"kind": KINDS[kind], "block_length": BLOCK, "gen_length": 64, "logit_shift": True}
    return config | {"mask_token_id": MASK, "generation": generation | {"attention": ATTENTION[kind], "prompt": "chat"}}


def load(folder: Path) -> tuple[LM, str, Tokenizer]:
    """A model, its kind and its tokenizer, from a training run or from an exported checkpoint."""
    if (folder / "checkpoint.pt").exists():
        t = Tokenizer.from_file(str(folder.parent.parent / "tokenizer.json"))
        m = LM(Config(vocabulary=t.get_vocab_size()))
        m.load_state_dict(torch.load(folder / "checkpoint.pt")["weights"])
        return m.eval(), RECIPES[folder.name].objective, t
    config = json.loads((folder / "config.json").read_text())
    kinds = {name: kind for kind, name in KINDS.items()}
    m = from_hf(load_file(folder / "model.safetensors"), config)
    return m.eval(), kinds.get(config.get("generation", {}).get("kind"), "ar"), Tokenizer.from_file(str(folder / "tokenizer.json"))


def export(run: Path, out: Path) -> None:
    m, kind, _ = load(run)
    out.mkdir(parents=True, exist_ok=True)
    save_file(to_hf(m), out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(config_of(m.c, kind), indent=1) + "\n")
    shutil.copyfile(run.parent.parent / "tokenizer.json", out / "tokenizer.json")
    words = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "mask_token": "<|mask|>", "chat_template": TEMPLATE}
    words |= {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    (out / "tokenizer_config.json").write_text(json.dumps(words, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    export(args.run, args.out)
