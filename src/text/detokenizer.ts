/**
 * Token ids to text while they arrive, never showing half a character.
 * It knows nothing of why an id was chosen, nor of stop strings.
 */

import type { Tokenizer } from "./tokenizer";

const REPLACEMENT = "\uFFFD";

/**
 * Turns ids into text deltas. The deltas, with what `finish` returns, are together exactly `tokenizer.decode` of all ids.
 *
 * Decoders depend on context (a leading space is dropped, bytes join to characters), so a window of the last ids is decoded
 * again and compared with what of it was already given out. A U+FFFD at the end may be the start of a character: it is held
 * back until the next id decides.
 */
export class StreamDetokenizer {
  private window: number[] = [];
  /** Length of the window's text that was given out. */
  private emitted = 0;
  private readonly skip: boolean;

  /**
   * @param tokenizer decodes the ids
   * @param options.skipSpecialTokens leave out special tokens (default true)
   */
  constructor(
    private readonly tokenizer: Tokenizer,
    options: { skipSpecialTokens?: boolean } = {},
  ) {
    this.skip = options.skipSpecialTokens ?? true;
  }

  /** Takes the next ids; returns the text that is now certain, possibly none. */
  push(ids: readonly number[]): string {
    let delta = "";
    // One at a time, so that the window stays short however many ids come at once.
    for (const id of ids) delta += this.next(id);
    return delta;
  }

  /** Returns what was held back, e.g. U+FFFD for bytes that never became a character, and starts anew. */
  finish(): string {
    const rest = this.decode(this.window).slice(this.emitted);
    this.window = [];
    this.emitted = 0;
    return rest;
  }

  private next(id: number): string {
    if (this.skip && this.tokenizer.specialIds.has(id)) return "";
    this.window.push(id);
    const text = this.decode(this.window);
    const certain = text.endsWith(REPLACEMENT) ? text.length - 1 : text.length;
    if (certain <= this.emitted) return "";
    const delta = text.slice(this.emitted, certain);
    this.emitted = certain;
    if (certain === text.length) this.shorten(id, delta);
    return delta;
  }

  /** Keeps only the last id as context, once it has shown that it decodes to the same text alone as it did in the window. */
  private shorten(id: number, delta: string): void {
    const alone = this.decode([id]);
    // A decoder that drops leading spaces drops them here too; any other difference means that the context is still needed.
    if (alone === "" || !(alone === delta || alone === delta.trimStart())) return;
    this.window = [id];
    this.emitted = alone.length;
  }

  private decode(ids: readonly number[]): string {
    return this.tokenizer.decode(ids, { skipSpecialTokens: this.skip });
  }
}

/**
 * The text of a diffusion canvas up to its first masked position, without an unfinished character at the end.
 * @param ids the generated part of the canvas
 * @param maskTokenId the id that stands for "not yet known"
 */
export function textOfCanvas(tokenizer: Tokenizer, ids: readonly number[], maskTokenId: number): string {
  const end = ids.indexOf(maskTokenId);
  const text = tokenizer.decode(end < 0 ? ids : ids.slice(0, end), { skipSpecialTokens: true });
  return end >= 0 && text.endsWith(REPLACEMENT) ? text.slice(0, -1) : text;
}
