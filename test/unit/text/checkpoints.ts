/** Checkpoints with nothing but a tokenizer. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Checkpoint } from "../../../src/formats/tensor";

const here = new URL(".", import.meta.url);

export function checkpoint(parts: Partial<Checkpoint>): Checkpoint {
  return { format: "gguf", tensors: new Map(), config: null, metadata: new Map(), sidecars: new Map(), ...parts };
}

/** One of the shipped models, by its sidecar files. */
export function shipped(model: "ar" | "mdlm" | "block"): Checkpoint {
  const names = ["tokenizer.json", "tokenizer_config.json"];
  const read = (name: string) => readFileSync(new URL(`../../../models/${model}/${name}`, here), "utf8");
  return checkpoint({ sidecars: new Map(names.map((name) => [name, read(name)])) });
}

/** `tokenizer.*` of SmolLM2-135M-Instruct's GGUF. */
export function smollm2Metadata(): Map<string, unknown> {
  const json = gunzipSync(readFileSync(new URL("smollm2-tokenizer.json.gz", here))).toString("utf8");
  return new Map(Object.entries(JSON.parse(json)));
}

/** The shipped tokenizer.json as the GGUF metadata that `training/pack.py` writes. */
export function tinyMetadata(): Map<string, unknown> {
  const json = JSON.parse(shipped("ar").sidecars.get("tokenizer.json")!);
  const vocab = Object.entries<number>(json.model.vocab).sort((a, b) => a[1] - b[1]);
  const special = new Set<number>(json.added_tokens.map((token: { id: number }) => token.id));
  return new Map<string, unknown>([
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", "qwen2"],
    ["tokenizer.ggml.tokens", vocab.map(([token]) => token)],
    ["tokenizer.ggml.token_type", vocab.map(([, id]) => (special.has(id) ? 3 : 1))],
    ["tokenizer.ggml.merges", json.model.merges.map((pair: string[]) => pair.join(" "))],
    ["tokenizer.ggml.eos_token_id", 0],
    ["tokenizer.ggml.mask_token_id", 1],
  ]);
}

/** Text in many scripts, with emoji of several code points. */
export const MULTILINGUAL = [
  "Hugo reads 21+17=38 pages.",
  "naïve café, Übergröße, résumé",
  "日本語のテキスト、中文字符测试",
  "한국어 문장 русский текст",
  "👩‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 🇩🇪🇯🇵, 👍🏽 thumbs",
  "مرحبا بالعالم  שלום",
  "नमस्ते दुनिया ไทย",
  '\tif (x) {\r\n    return "$x";\n}\n\n',
];
