/**
 * Block diffusion with shift (Fast-dLLM v2): the commit pass of a block is at once the autoregressive step that makes the next block's first token, so
 * the first place of an active block is never masked. Sub-blocks are decoded left to right; with the sub-block cache only their rows are recomputed.
 */
import { prefillBlocks } from "./block-diffusion";
import { type Decoder, type DecoderContext, goalsOf, rowsOf } from "./decoder";
import { revealOf, type Selection } from "./selection";

export interface ShiftedBlockDiffusionOptions {
  readonly blockLength: number;
  readonly subBlockLength: number;
  readonly subBlockCache: boolean;
  /** Blocks after the prefill. */
  readonly blocks: number;
  readonly selection: Selection;
  /** Counts of a sub-block's passes from its masks; null for rules without a schedule. */
  readonly schedule: ((masks: number) => readonly number[]) | null;
}

export function* shiftedBlockDiffusion(
  { canvas, stopIds, maxRows }: DecoderContext,
  options: ShiftedBlockDiffusionOptions,
): Decoder {
  const { blockLength, subBlockLength, selection } = options;
  const { promptLength } = canvas;
  const prefilled = Math.floor(promptLength / blockLength) * blockLength;
  const grid = { blockLength, gridOffset: 0 };
  yield* prefillBlocks(prefilled, maxRows, grid, promptLength % blockLength === 0 ? promptLength : null);
  const ended = (): boolean => canvas.stopIndex(stopIds) >= 0;
  for (let block = 0; block < options.blocks && !ended(); block++) {
    const start = prefilled + block * blockLength;
    const stop = start + blockLength;
    canvas.extend(stop);
    let cached = false;
    for (let sub = start; sub < stop; sub += subBlockLength) {
      const subStop = sub + subBlockLength;
      const counts = options.schedule?.(canvas.masks(sub, subStop).length) ?? null;
      for (let step = 0; !ended(); step++) {
        const masks = canvas.masks(sub, subStop);
        if (masks.length === 0) break;
        const whole = !options.subBlockCache || !cached || canvas.isMasked(sub);
        const rows = rowsOf(whole ? start : sub, whole ? stop : subStop, () => stop, goalsOf(masks, true));
        yield [{ kind: "block", rows, reveal: revealOf(selection, counts?.[step] ?? 1) }];
        cached = true;
      }
    }
    if (ended()) return;
    const goalOf = (place: number): number | null => (place === stop - 1 ? stop : null);
    yield [{ kind: "commit", rows: rowsOf(start, stop, () => stop, goalOf), reveal: { rule: "all" } }];
  }
}
