/**
 * A checkpoint's tokenizer: text to ids and back. From `tokenizer.json`, else from GGUF metadata.
 * It knows nothing of the model: a row of logits beyond the vocabulary simply has no piece.
 */

import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { ensure, RidgepointError } from "../errors";
import type { Checkpoint } from "../formats/tensor";
import { readablePiece } from "./byte-level";
import { metadataTokenId, tokenizerFromMetadata } from "./gguf-tokenizer";

/** Text to token ids and back. */
export interface Tokenizer {
  /**
   * Token ids of `text`. Special tokens written out in the text are recognised.
   * @param options.addSpecialTokens add what the tokenizer puts round a text, e.g. BOS (default true; false for a rendered chat)
   */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /**
   * Text of `ids`. Ids without a piece (padding rows of the embedding) give no text; bytes that are no UTF-8 give U+FFFD.
   * @param options.skipSpecialTokens leave out special tokens (default false)
   */
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string;
  /** The vocabulary piece as readable text: a split character as `<0xE6>`, an id without a piece as `<768>`. */
  piece(id: number): string;
  /** The vocabulary as it is stored, for automata over tokens. */
  vocabulary(): Vocabulary;
  /** Number of ids that have a piece, the highest one + 1; the model's `vocabSize` may be larger. */
  readonly vocabSize: number;
  /** Ids of control tokens such as BOS, EOS, mask and the chat markers. */
  readonly specialIds: ReadonlySet<number>;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly padTokenId: number | null;
  readonly maskTokenId: number | null;
  /** Jinja source that turns messages into a prompt, or null. */
  readonly chatTemplate: string | null;
}

/** Pieces by id, and how they spell bytes: in GPT-2's alphabet, as SentencePiece does (`▁`, `<0x0A>`), or as they stand. */
export interface Vocabulary {
  /** Empty for special tokens, which spell nothing, and for ids without a piece. */
  readonly pieces: readonly string[];
  readonly encoding: "byte_level" | "byte_fallback" | "raw";
}

type Json = Readonly<Record<string, unknown>>;
type SpecialRole = "bos" | "eos" | "pad" | "mask";

function parseSidecar(checkpoint: Checkpoint, name: string): Json | null {
  const text = checkpoint.sidecars.get(name);
  if (text === undefined) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RidgepointError("bad-tokenizer", `${name}: not JSON: ${(cause as Error).message}`, { cause });
  }
  ensure(typeof value === "object" && value !== null && !Array.isArray(value), "bad-tokenizer", `${name}: expected an object`);
  return value as Json;
}

function contentOf(token: unknown): string | null {
  const content = typeof token === "object" && token !== null ? (token as Json).content : token;
  return typeof content === "string" ? content : null;
}

function templateOf(checkpoint: Checkpoint, config: Json): string | null {
  const file = checkpoint.sidecars.get("chat_template.jinja");
  if (file !== undefined) return file;
  const named = config.chat_template;
  if (typeof named === "string") return named;
  if (Array.isArray(named)) {
    const entry = (named as Json[]).find((item) => item?.name === "default");
    if (typeof entry?.template === "string") return entry.template;
  }
  const metadata = checkpoint.metadata.get("tokenizer.chat_template");
  return typeof metadata === "string" ? metadata : null;
}

/** Whether a part of a tokenizer.json, or one of the parts of a Sequence, is byte-level. */
function isByteLevel(part: unknown): boolean {
  if (typeof part !== "object" || part === null) return false;
  const { type, decoders, pretokenizers } = part as Json;
  const parts = decoders ?? pretokenizers;
  return type === "ByteLevel" || (Array.isArray(parts) && parts.some(isByteLevel));
}

class CheckpointTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly specialIds: ReadonlySet<number>;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  readonly padTokenId: number | null;
  readonly maskTokenId: number | null;
  readonly chatTemplate: string | null;
  private readonly inner: HuggingFaceTokenizer;
  private readonly byteLevel: boolean;
  private readonly addedIds: ReadonlySet<number>;

  constructor(checkpoint: Checkpoint, json: Json, config: Json) {
    const defaults = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
    this.inner = new HuggingFaceTokenizer({ ...defaults, ...json }, config);
    this.byteLevel = isByteLevel(json.decoder) || isByteLevel(json.pre_tokenizer);
    const added = [...this.inner.get_added_tokens_decoder().values()];
    this.addedIds = new Set(added.map((token) => token.id));
    this.specialIds = new Set(added.filter((token) => token.special).map((token) => token.id));
    let highestId = -1;
    for (const id of this.inner.get_vocab().values()) highestId = Math.max(highestId, id);
    this.vocabSize = highestId + 1;
    ensure(this.vocabSize > 0, "bad-tokenizer", "tokenizer: the vocabulary is empty");
    const special = (role: SpecialRole) => this.specialId(checkpoint, config, role);
    this.bosTokenId = special("bos");
    this.eosTokenId = special("eos");
    this.padTokenId = special("pad");
    this.maskTokenId = special("mask");
    this.chatTemplate = templateOf(checkpoint, config);
  }

  private specialId(checkpoint: Checkpoint, config: Json, role: SpecialRole): number | null {
    const content = contentOf(config[`${role}_token`]);
    const id = content === null ? undefined : this.inner.token_to_id(content);
    const key = role === "pad" ? "padding_token_id" : `${role}_token_id`;
    return id ?? metadataTokenId(checkpoint.metadata, key);
  }

  encode(text: string, options: { addSpecialTokens?: boolean } = {}): number[] {
    const { ids } = this.inner.encode(text, { add_special_tokens: options.addSpecialTokens ?? true });
    ensure(
      ids.every(Number.isInteger),
      "bad-tokenizer",
      "tokenizer: a piece of the text is not in the vocabulary, and there is no unknown token",
    );
    return ids;
  }

  decode(ids: readonly number[], options: { skipSpecialTokens?: boolean } = {}): string {
    const kept = ids.filter(
      (id) => this.inner.id_to_token(id) !== undefined && !(options.skipSpecialTokens && this.specialIds.has(id)),
    );
    // The library's clean-up joins " ." to "." after the fact, which a stream could not take back.
    return kept.length === 0 ? "" : this.inner.decode(kept, { clean_up_tokenization_spaces: false });
  }

  vocabulary(): Vocabulary {
    const pieceOf = (id: number): string => (this.specialIds.has(id) ? "" : (this.inner.id_to_token(id) ?? ""));
    const pieces = Array.from({ length: this.vocabSize }, (_, id) => pieceOf(id));
    if (this.byteLevel) return { pieces, encoding: "byte_level" };
    const spelled = pieces.some((piece) => piece.startsWith("▁") || /^<0x[0-9A-F]{2}>$/.test(piece));
    return { pieces, encoding: spelled ? "byte_fallback" : "raw" };
  }

  piece(id: number): string {
    const piece = this.inner.id_to_token(id);
    if (piece === undefined) return `<${id}>`;
    if (this.addedIds.has(id)) return piece;
    return this.byteLevel ? readablePiece(piece) : piece.replaceAll("▁", " ");
  }
}

/**
 * The tokenizer of a checkpoint: its `tokenizer.json` if it has one, else the `tokenizer.ggml.*` metadata of a GGUF.
 * The chat template is `chat_template.jinja`, else `tokenizer_config.json`'s, else the GGUF's.
 * Throws `no-tokenizer` when there is neither, `bad-tokenizer` when it is not understood.
 */
export function createTokenizer(checkpoint: Checkpoint): Tokenizer {
  const config = parseSidecar(checkpoint, "tokenizer_config.json") ?? {};
  const json = parseSidecar(checkpoint, "tokenizer.json");
  if (!json && !checkpoint.metadata.has("tokenizer.ggml.model")) {
    throw new RidgepointError(
      "no-tokenizer",
      "tokenizer: the checkpoint has no tokenizer.json and no tokenizer.ggml metadata; add the file, or give the prompt as token ids ({ ids }, --prompt-ids)",
    );
  }
  const source = json ? "tokenizer.json" : "tokenizer.ggml";
  try {
    return new CheckpointTokenizer(checkpoint, json ?? tokenizerFromMetadata(checkpoint.metadata), config);
  } catch (cause) {
    if (cause instanceof RidgepointError) throw cause;
    throw new RidgepointError("bad-tokenizer", `${source}: ${(cause as Error).message}`, { cause });
  }
}
