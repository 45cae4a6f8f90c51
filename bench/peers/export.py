"""SmolLM2-135M-Instruct from GGUF to the int4 ONNX graph that onnxruntime_genai makes for WebGPU.

    pip install torch transformers gguf onnx onnx_ir onnxruntime onnxruntime-genai accelerate
    python export.py SmolLM2-135M-Instruct.Q4_1.gguf FOLDER

writes FOLDER/hf (the checkpoint in f32, the weights being those of the GGUF file) and FOLDER/onnx (model.onnx, model.onnx.data: pass it as --onnx).
Activations and cache are f32, because SwiftShader has no shader-f16 and all engines are to compute alike.
"""
import subprocess
import sys
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
import torch


def checkpoint(gguf: Path, folder: Path) -> None:
    """A plain llama checkpoint: the builder knows no GGUF, and the config that comes with one names its quantisation."""
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    loaded = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    left_out = ("quantization_config", "_pre_quantization_dtype", "transformers_version")
    config = {key: value for key, value in loaded.config.to_dict().items() if key not in left_out}
    plain = LlamaForCausalLM(LlamaConfig(**{**config, "tie_word_embeddings": True, "architectures": ["LlamaForCausalLM"]}))
    plain = plain.to(torch.float32)
    missing = plain.load_state_dict(loaded.state_dict(), strict=False)
    if missing.missing_keys or missing.unexpected_keys:
        raise SystemExit(f"{gguf}: expected the tensors of a llama model, came {missing}")
    plain.tie_weights()
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)


def main() -> None:
    gguf, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    checkpoint(gguf, folder / "hf")
    options = ["use_webgpu_fp32=1", "int4_block_size=32", "int4_accuracy_level=4", "shared_embeddings=true", "prune_lm_head=true"]
    builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", folder / "hf", "-o", folder / "onnx"]
    subprocess.run([*builder, "-p", "int4", "-e", "webgpu", "--extra_options", *options], check=True)


if __name__ == "__main__":
    main()
