/**
 * Masked diffusion over blocks of one canvas, attention over all of it (LLaDA; Fast-dLLM v1's prefix and dual caches; dllm's MDLM; Dream with one
 * block and shift). Cached modes approximate: keys and values outside the computed rows are those of the block's last full pass.
 */
import type { Row } from "../model/pass";
import { type Decoder, type DecoderContext, goalsOf, type PlannedPass, rowsOf } from "./decoder";
import { revealOf, type Selection } from "./selection";

export interface MaskedDiffusionOptions {
  readonly blockLength: number;
  /** none: every pass is full; prefix: block and suffix; dual: the block alone, overwriting its cache rows in place. */
  readonly cache: "none" | "prefix" | "dual";
  /** Every so many passes of a block are full again; 0 is never. */
  readonly refresh: number;
  readonly shift: boolean;
  readonly selection: Selection;
  /** Counts of a block's passes from its masks; null for rules without a schedule. */
  readonly schedule: ((masks: number) => readonly number[]) | null;
  /** Scale of classifier-free guidance, 0 is off: a second canvas without the prompt follows the first. Needs cache none. */
  readonly guidance: number;
  /** Stop after a block that completes an answer with a stop id. */
  readonly earlyStop: boolean;
}

/** The same rows on the canvas that lies `twin` places later, with cache rows of its own. */
const twinsOf = (rows: readonly Row[], twin: number): Row[] =>
  rows.map((row) => ({
    ...row,
    place: row.place + twin,
    slot: row.slot + twin,
    start: row.start + twin,
    limit: row.limit + twin,
    goal: null,
  }));

export function* maskedDiffusion({ canvas, stopIds }: DecoderContext, options: MaskedDiffusionOptions): Decoder {
  const { blockLength, cache, refresh, shift, selection, guidance } = options;
  const end = canvas.length;
  for (let start = canvas.promptLength; start < end; start += blockLength) {
    const stop = Math.min(start + blockLength, end);
    // With shift, the row before the block answers its first place: it is recomputed with the block.
    const before = Math.max(0, start - (shift ? 1 : 0));
    const counts = options.schedule?.(canvas.masks(start, stop).length) ?? null;
    for (let step = 0; ; step++) {
      const masks = canvas.masks(start, stop);
      if (masks.length === 0) break;
      const full = cache === "none" || step === 0 || (refresh > 0 && step % refresh === 0);
      const from = full ? 0 : before;
      const to = full || cache === "prefix" ? end : stop;
      const kind: PlannedPass["kind"] = full ? "full" : cache === "prefix" ? "suffix" : "block";
      const rows = rowsOf(from, to, () => end, goalsOf(masks, shift));
      const reveal = revealOf(selection, counts?.[step] ?? 1);
      if (guidance > 0)
        yield [{ kind, rows: [...rows, ...twinsOf(rows, end)], reveal, guidance: { scale: guidance, twin: end } }];
      else yield [{ kind, rows, reveal }];
    }
    if (options.earlyStop && canvas.stopIndex(stopIds) >= 0) return;
  }
}
