"""Packs a LLaMA-shaped Hugging Face checkpoint (safetensors) into the folder that the loader serves.

    python training/pack.py CHECKPOINT_DIR models/ar --name ridgepoint-tiny-ar
    python training/pack.py CHECKPOINT_DIR weights/q4_0/ar --name ridgepoint-tiny-ar --type q4_0

Reads config.json, tokenizer.json, tokenizer_config.json and model.safetensors; writes model.gguf (matrices in --type, norms
in f32), copies the three JSON files and writes files.json. The embedding, which is the head too, stays Q8_0 where matrices
have 4 bits, as llama.cpp keeps it longer than the rest. The same input gives the same bytes. Then reads the GGUF back and
compares every tensor with the checkpoint.

It knows nothing of training, and of no architecture but LLaMA with a tied head and a byte-level BPE tokenizer.
"""

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from safetensors import safe_open

SIDECARS = ["config.json", "tokenizer.json", "tokenizer_config.json"]
BLOCK = 32  # weights that share one f16 scale, and in q4_1 one f16 minimum
EMBEDDING = "token_embd.weight"


@dataclass(frozen=True)
class Type:
    stored: gguf.GGMLQuantizationType
    embedding: gguf.GGMLQuantizationType
    file: gguf.LlamaFileType

    def of(self, tensor: str, values: np.ndarray) -> gguf.GGMLQuantizationType:
        if values.ndim != 2:
            return gguf.GGMLQuantizationType.F32
        return self.embedding if tensor == EMBEDDING else self.stored


F32, Q8_0, Q4_0, Q4_1 = (gguf.GGMLQuantizationType[name] for name in ("F32", "Q8_0", "Q4_0", "Q4_1"))
TYPES = {
    "q8_0": Type(Q8_0, Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "q4_0": Type(Q4_0, Q8_0, gguf.LlamaFileType.MOSTLY_Q4_0),
    "q4_1": Type(Q4_1, Q8_0, gguf.LlamaFileType.MOSTLY_Q4_1),
    "f32": Type(F32, F32, gguf.LlamaFileType.ALL_F32),
}


def step_of(stored: gguf.GGMLQuantizationType, blocks: np.ndarray) -> np.ndarray:
    """Distance of two neighbouring stored values, by block of weights [n, 32]."""
    span = {
        Q8_0: lambda: np.abs(blocks).max(1) / 127,
        Q4_0: lambda: np.abs(blocks).max(1) / 8,
        Q4_1: lambda: (blocks.max(1) - blocks.min(1)) / 15,
    }[stored]()
    return np.maximum(span, 1e-12)[:, None]


# Largest error in steps: half a step of rounding and the f16 rounding (2^-11) of the scale times the largest multiple of it.
# Q4_0 holds -8..7: the value opposite to the largest is off by a whole step. Q4_1 rounds its minimum to f16 too, which is
# at most 15 steps where a block has both signs, and more where all its weights lie far from zero: 32 is generous.
LARGEST_ERROR = {Q8_0: 0.5 + 127 * 2**-11, Q4_0: 1 + 8 * 2**-11, Q4_1: 0.5 + (15 + 32) * 2**-11}


def gguf_names(layers: int) -> dict[str, str]:
    """Hugging Face tensor name -> GGUF tensor name, in the order of the file."""
    names = {"model.embed_tokens.weight": "token_embd.weight"}
    roles = {
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for n in range(layers):
        for hf, role in roles.items():
            names[f"model.layers.{n}.{hf}.weight"] = f"blk.{n}.{role}.weight"
    names["model.norm.weight"] = "output_norm.weight"
    return names


def interleave(w: np.ndarray, heads: int) -> np.ndarray:
    """Rows of q or k from half-split to interleaved rotary order, as llama.cpp stores the llama architecture."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Every tensor as f32 (bf16 widened exactly; numpy has no bf16, so the bits are taken from the file)."""
    header_bytes = int.from_bytes(path.open("rb").read(8), "little")
    header = json.loads(path.open("rb").read(8 + header_bytes)[8:])
    data = np.memmap(path, np.uint8, "r", 8 + header_bytes)
    out = {}
    with safe_open(path, "numpy") as f:
        for name in f.keys():
            meta = header[name]
            if meta["dtype"] == "BF16":
                start, end = meta["data_offsets"]
                bits = data[start:end].view("<u2").astype(np.uint32) << 16
                out[name] = bits.view(np.float32).reshape(meta["shape"])
            else:
                out[name] = f.get_tensor(name).astype(np.float32)
    return out


def tensors_of(checkpoint: dict[str, np.ndarray], config: dict) -> dict[str, np.ndarray]:
    """GGUF name -> f32 values in GGUF's row order. Every tensor of the checkpoint must be used."""
    names = gguf_names(config["num_hidden_layers"])
    unknown = set(checkpoint) - set(names)
    if unknown or not config["tie_word_embeddings"]:
        raise SystemExit(f"pack: not a LLaMA checkpoint with a tied head; unknown tensors: {sorted(unknown)}")
    out = {}
    for hf, name in names.items():
        w = checkpoint[hf]
        if ".q_proj." in hf:
            w = interleave(w, config["num_attention_heads"])
        if ".k_proj." in hf:
            w = interleave(w, config["num_key_value_heads"])
        out[name] = np.ascontiguousarray(w)
    return out


def write_tokenizer(w: gguf.GGUFWriter, tokenizer: dict, tokenizer_config: dict, config: dict) -> None:
    """The tokenizer.ggml.* keys. Of the splits GGUF can name, qwen2's gives this vocabulary the same ids as tokenizer.json
    except after an apostrophe and an upper-case letter ('The): tokenizer.json is the authority."""
    vocab = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    if [i for _, i in vocab] != list(range(config["vocab_size"])):
        raise SystemExit("pack: token ids must be 0..vocab_size-1 without holes")
    control = {t["id"] for t in tokenizer["added_tokens"] if t["special"]}
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list([t for t, _ in vocab])
    w.add_token_types([gguf.TokenType.CONTROL if i in control else gguf.TokenType.NORMAL for _, i in vocab])
    w.add_token_merges(merges)
    w.add_bos_token_id(config["bos_token_id"])
    w.add_eos_token_id(config["eos_token_id"])
    w.add_pad_token_id(config["pad_token_id"])
    w.add_mask_token_id(dict(tokenizer["model"]["vocab"])[tokenizer_config["mask_token"]])
    w.add_add_bos_token(False)
    w.add_chat_template(tokenizer_config["chat_template"])


def write_gguf(path: Path, name: str, folder: Path, config: dict, tensors: dict[str, np.ndarray], type: Type) -> None:
    w = gguf.GGUFWriter(path, "llama")
    w.add_name(name)
    w.add_license("apache-2.0")
    w.add_file_type(type.file)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_vocab_size(config["vocab_size"])
    w.add_context_length(config["max_position_embeddings"])
    w.add_embedding_length(config["hidden_size"])
    w.add_block_count(config["num_hidden_layers"])
    w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(config["num_attention_heads"])
    w.add_head_count_kv(config["num_key_value_heads"])
    w.add_key_length(config["head_dim"])
    w.add_value_length(config["head_dim"])
    w.add_rope_dimension_count(config["head_dim"])
    w.add_rope_freq_base(config["rope_theta"])
    w.add_layer_norm_rms_eps(config["rms_norm_eps"])
    generation = config.get("generation", {})
    if "logit_shift" in generation:
        w.add_causal_attention(False)  # block-causal has no key in GGUF: config.json is the authority
        w.add_diffusion_shift_logits(generation["logit_shift"])
    write_tokenizer(
        w,
        json.loads((folder / "tokenizer.json").read_text("utf-8")),
        json.loads((folder / "tokenizer_config.json").read_text("utf-8")),
        config,
    )
    for tensor, values in tensors.items():
        stored = type.of(tensor, values)
        w.add_tensor(tensor, gguf.quantize(values, stored), raw_dtype=stored)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def verify(path: Path, tensors: dict[str, np.ndarray], type: Type) -> float:
    """Reads the file back; returns the largest error in units of the block's step. Tensors in f32 must be equal."""
    largest = 0.0
    read = {t.name: t for t in gguf.GGUFReader(path).tensors}
    if list(read) != list(tensors):
        raise SystemExit(f"pack: {path} holds other tensors than were written")
    for name, values in tensors.items():
        t, stored = read[name], type.of(name, values)
        if t.tensor_type != stored:
            raise SystemExit(f"pack: {path}: {name} is {t.tensor_type.name}, expected {stored.name}")
        got = gguf.dequantize(t.data, t.tensor_type).reshape(values.shape)
        if stored == F32:
            np.testing.assert_array_equal(got, values, name)
            continue
        blocks = values.reshape(-1, BLOCK)
        error = float((np.abs(got.reshape(-1, BLOCK) - blocks) / step_of(stored, blocks)).max())
        if error > LARGEST_ERROR[stored]:
            raise SystemExit(f"pack: {path}: {name} differs from the checkpoint by {error:.3f} steps of {stored.name}")
        largest = max(largest, error)
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--name", required=True, help="general.name of the GGUF")
    parser.add_argument("--type", choices=TYPES, default="q8_0", help="of the matrices")
    args = parser.parse_args()
    type = TYPES[args.type]
    config = json.loads((args.checkpoint / "config.json").read_text("utf-8"))
    tensors = tensors_of(read_safetensors(args.checkpoint / "model.safetensors"), config)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in SIDECARS:
        shutil.copyfile(args.checkpoint / name, args.out / name)
    model = args.out / "model.gguf"
    write_gguf(model, args.name, args.checkpoint, config, tensors, type)
    (args.out / "files.json").write_text(json.dumps([*SIDECARS, model.name]) + "\n")
    largest = verify(model, tensors, type)
    parameters = sum(t.size for t in tensors.values())
    print(f"{model}: {parameters} parameters, {model.stat().st_size} bytes, largest error {largest:.3f} steps of its block")


if __name__ == "__main__":
    main()
