/**
 * A GGUF's `tokenizer.ggml.*` metadata as the object that a `tokenizer.json` would hold (byte-level BPE only).
 * It knows nothing of how that object tokenizes.
 */

import { ensure, RidgepointError } from "../errors";
import { preTokenizer } from "./pre-tokenizers";

/** Token types of GGUF that matter here. */
const CONTROL = 3;
const USER_DEFINED = 4;

type Metadata = ReadonlyMap<string, unknown>;

function strings(metadata: Metadata, key: string): readonly string[] {
  const value = metadata.get(key);
  ensure(
    Array.isArray(value) && value.every((item) => typeof item === "string"),
    "bad-tokenizer",
    () => `${key}: expected an array of strings, got ${Array.isArray(value) ? "other elements" : typeof value}`,
  );
  return value as readonly string[];
}

/** A token id of the metadata, or null when the key is absent. Throws `bad-tokenizer` when it is not an id of the vocabulary. */
export function metadataTokenId(metadata: Metadata, key: string): number | null {
  const id = metadata.get(`tokenizer.ggml.${key}`);
  if (id === undefined) return null;
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const size = Array.isArray(tokens) ? tokens.length : 0;
  ensure(
    typeof id === "number" && Number.isInteger(id) && id >= 0 && id < size,
    "bad-tokenizer",
    () => `tokenizer.ggml.${key}: ${String(id)} is not an id of the ${size} tokens`,
  );
  return id;
}

function vocabulary(tokens: readonly string[]): Record<string, number> {
  // Without a prototype, so that a token named "__proto__" is an entry like any other.
  const vocab: Record<string, number> = Object.create(null);
  tokens.forEach((token, id) => {
    vocab[token] ??= id;
  });
  return vocab;
}

function merges(lines: readonly string[]): [string, string][] {
  return lines.map((line, rank) => {
    // Neither half is empty, and a half may itself begin with a space in old files.
    const space = line.indexOf(" ", 1);
    ensure(
      space > 0 && space < line.length - 1,
      "bad-tokenizer",
      () => `tokenizer.ggml.merges[${rank}]: "${line}" is not a pair`,
    );
    return [line.slice(0, space), line.slice(space + 1)];
  });
}

function tokenTypes(metadata: Metadata, size: number): readonly number[] {
  const types = metadata.get("tokenizer.ggml.token_type");
  if (types === undefined) return [];
  ensure(
    Array.isArray(types) && types.length === size,
    "bad-tokenizer",
    `tokenizer.ggml.token_type: expected ${size} numbers, one for each token`,
  );
  return types as readonly number[];
}

/**
 * A `tokenizer.json`-shaped object from GGUF metadata. Control and user-defined tokens become added tokens; BOS is put before
 * text where `add_bos_token` (or the pre-tokenizer's name) says so.
 * Throws `bad-tokenizer` for another model than byte-level BPE, an unknown pre-tokenizer, or inconsistent arrays.
 */
export function tokenizerFromMetadata(metadata: Metadata): Record<string, unknown> {
  const model = metadata.get("tokenizer.ggml.model");
  if (model !== "gpt2") {
    throw new RidgepointError(
      "bad-tokenizer",
      `tokenizer.ggml.model: "${String(model)}" is not supported, only "gpt2" (byte-level BPE); put the model's tokenizer.json beside the GGUF`,
    );
  }
  const pre = preTokenizer(String(metadata.get("tokenizer.ggml.pre") ?? "default"));
  const tokens = strings(metadata, "tokenizer.ggml.tokens");
  const types = tokenTypes(metadata, tokens.length);
  const addedTokens = tokens.flatMap((content, id) => {
    const type = types[id];
    if ((type !== CONTROL && type !== USER_DEFINED) || content === "") return [];
    return [{ id, content, special: type === CONTROL, normalized: false, single_word: false, lstrip: false, rstrip: false }];
  });
  const addBos = metadata.get("tokenizer.ggml.add_bos_token") ?? pre.addBos;
  const bosTokenId = metadataTokenId(metadata, "bos_token_id");
  const bos = addBos === true && bosTokenId !== null ? tokens[bosTokenId] : undefined;
  return {
    added_tokens: addedTokens,
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        ...pre.patterns.map((Regex) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false })),
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor:
      bos === undefined
        ? null
        : {
            type: "TemplateProcessing",
            single: [{ SpecialToken: { id: bos, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
            pair: [],
            special_tokens: { [bos]: { id: bos, ids: [bosTokenId], tokens: [bos] } },
          },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
    model: {
      type: "BPE",
      unk_token: null,
      ignore_merges: pre.ignoreMerges,
      vocab: vocabulary(tokens),
      merges: merges(strings(metadata, "tokenizer.ggml.merges")),
    },
  };
}
