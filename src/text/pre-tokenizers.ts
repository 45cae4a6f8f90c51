/**
 * `tokenizer.ggml.pre` → the regular expressions that split text before byte-pair merges, as llama.cpp's `llama-vocab.cpp` has them.
 * Each expression splits the pieces that the one before it left; what no expression matches stays a piece.
 */

import { RidgepointError } from "../errors";

/** How a named pre-tokenizer splits, and the defaults that come with the name. */
export interface PreTokenizer {
  readonly patterns: readonly string[];
  /** A whole word that is in the vocabulary is taken without looking at the merges. */
  readonly ignoreMerges: boolean;
  /** Whether text starts with BOS where the file does not say. */
  readonly addBos: boolean;
}

const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const CONTRACTION = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const WORD = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const REST = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/** Also that of bailingmoe, whose `\s*[\r\n]` takes the same newlines. */
const QWEN2 = `${CONTRACTION}|${WORD}|\\p{N}|${REST}`;
const LLAMA3 = `${CONTRACTION}|${WORD}|\\p{N}{1,3}|${REST}`;

const FAMILIES: readonly [readonly string[], PreTokenizer][] = [
  [
    ["gpt-2", "mpt", "olmo", "jais", "phi-2", "gigachat", "a.x-4.0", "mellum", "exaone4"],
    { patterns: [GPT2], ignoreMerges: false, addBos: false },
  ],
  [
    ["default"],
    {
      patterns: ["[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"],
      ignoreMerges: false,
      addBos: false,
    },
  ],
  [
    ["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
    { patterns: ["\\p{N}", GPT2], ignoreMerges: false, addBos: false },
  ],
  [
    ["qwen2", "dream", "llada", "llada-moe", "bailingmoe", "bailingmoe2", "deepseek-r1-qwen", "kormo", "megrez", "stablelm2"],
    { patterns: [QWEN2], ignoreMerges: false, addBos: false },
  ],
  [
    ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
    { patterns: [LLAMA3], ignoreMerges: true, addBos: true },
  ],
  [["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"], { patterns: [LLAMA3], ignoreMerges: false, addBos: false }],
];

const BY_NAME = new Map(FAMILIES.flatMap(([names, pre]) => names.map((name) => [name, pre] as const)));

/** The pre-tokenizer of that name. Throws `bad-tokenizer` with the known names for any other. */
export function preTokenizer(name: string): PreTokenizer {
  const pre = BY_NAME.get(name);
  if (!pre) {
    throw new RidgepointError(
      "bad-tokenizer",
      `tokenizer.ggml.pre: "${name}" is not supported; known are ${[...BY_NAME.keys()].join(", ")}; put the model's tokenizer.json beside the GGUF`,
    );
  }
  return pre;
}
