/** Prompts of an exact length: real text, tokenised and repeated, so that models of different vocabularies read the same words. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTokenizer, describeCheckpoint, type ModelConfig, openCheckpoint, RidgepointError } from "../src/index";
import { MODELS, type ModelSpec, openModel } from "./models";

/** What of a model can be known without a browser. */
export interface KnownModel {
  readonly config: ModelConfig;
  /** Token ids of running text, never a mask or an end of text. */
  readonly textIds: readonly number[];
}

async function text(): Promise<string> {
  const content = await readFile(join(MODELS, "prompts.jsonl"), "utf8");
  const lines = content.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => String((JSON.parse(line) as { prompt: unknown }).prompt)).join(" ");
}

/** Reads a model's configuration and tokenises the text; a model without a tokenizer gets ids in order. */
export async function knowModel(spec: ModelSpec): Promise<KnownModel> {
  const { config } = await describeCheckpoint(await openModel(spec));
  const special = new Set([...config.eosTokenIds, config.maskTokenId, config.bosTokenId]);
  const plain = (ids: readonly number[]): number[] => ids.filter((id) => !special.has(id));
  try {
    const ids = plain(createTokenizer(await openCheckpoint(await openModel(spec))).encode(await text()));
    if (ids.length > 0) return { config, textIds: ids };
  } catch (cause) {
    if (!(cause instanceof RidgepointError) || !["no-tokenizer", "bad-tokenizer"].includes(cause.code)) throw cause;
  }
  return { config, textIds: plain(Array.from({ length: Math.min(config.vocabSize, 1024) }, (_, id) => id)) };
}

/** A prompt of so many tokens; prompts of one batch begin at different places of the text. */
export function promptIds({ textIds }: KnownModel, length: number, sequence = 0): number[] {
  const from = sequence * 17;
  return Array.from({ length }, (_, i) => textIds[(from + i) % textIds.length] as number);
}
