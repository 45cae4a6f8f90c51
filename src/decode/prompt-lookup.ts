/**
 * Drafts copied from the text itself (prompt-lookup decoding): where the last tokens have stood before, what followed them is likely to follow again.
 * Needs no model.
 */
import type { Canvas } from "./canvas";
import type { Drafter } from "./speculative";

export interface PromptLookupOptions {
  /** Longest run of last tokens that is looked for; shorter ones follow, down to `least`. */
  readonly most: number;
  readonly least: number;
}

/** At most `count` tokens that followed the longest run of last tokens, at the latest place with that many; none where even the shortest is new. */
export function lookup(tokens: readonly number[], count: number, { most, least }: PromptLookupOptions): number[] {
  for (let length = Math.min(most, tokens.length - 1); length >= least; length--) {
    const tail = tokens.length - length;
    let found: number[] = [];
    // A match that overlaps the end has less to copy: the latest one with enough is taken.
    for (let at = tail - 1; at >= 0 && found.length < count; at--) {
      let same = 0;
      while (same < length && tokens[at + same] === tokens[tail + same]) same++;
      if (same === length && tail - at > found.length) found = tokens.slice(at + length, at + length + count);
    }
    if (found.length > 0) return found;
  }
  return [];
}

/** A drafter over prompt and answer. */
export const promptLookup = (canvas: Canvas, options: PromptLookupOptions): Drafter =>
  // biome-ignore lint/correctness/useYield: a drafter may run passes, this one has none to run
  function* (count) {
    return lookup(canvas.tokens, count, options);
  };
