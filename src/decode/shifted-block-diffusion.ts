/**
 * Block diffusion with shift (Fast-dLLM v2): the commit pass of a block is at once the autoregressive step that makes the next block's first token, so
 * the first place of an active block is never masked. Sub-blocks are decoded left to right; with the sub-block cache only their rows are recomputed.
 */
import { prefillBlocks } from "./block-diffusion";
import { type Decoder, type DecoderContext, type PlannedPass, rowsOf } from "./decoder";
import { Denoiser, type Denoising } from "./denoise";

/** Its schedule is that of a sub-block. */
export interface ShiftedBlockDiffusionOptions extends Denoising {
  readonly blockLength: number;
  readonly subBlockLength: number;
  readonly subBlockCache: boolean;
  /** Blocks after the prefill. */
  readonly blocks: number;
}

export function* shiftedBlockDiffusion(
  { canvas, stopIds, maxRows, passesPerSubmit = 1 }: DecoderContext,
  options: ShiftedBlockDiffusionOptions,
): Decoder {
  const { blockLength, subBlockLength } = options;
  const { promptLength } = canvas;
  const prefilled = Math.floor(promptLength / blockLength) * blockLength;
  const grid = { blockLength, gridOffset: 0 };
  yield* prefillBlocks(prefilled, maxRows, grid, promptLength % blockLength === 0 ? promptLength : null);
  const ended = (): boolean => canvas.stopIndex(stopIds) >= 0;
  for (let block = 0; block < options.blocks && !ended(); block++) {
    const start = prefilled + block * blockLength;
    const stop = start + blockLength;
    canvas.extend(stop);
    const goalOf = (place: number): number | null => (place === stop - 1 ? stop : null);
    const commit: PlannedPass = {
      kind: "commit",
      rows: rowsOf(start, stop, () => stop, goalOf),
      reveal: { rule: "all" },
      report: "revealed",
      guard: [Math.max(start, promptLength), stop],
      draw: 0,
    };
    let cached = false;
    let committed = false;
    for (let sub = start; sub < stop; sub += subBlockLength) {
      const subStop = sub + subBlockLength;
      const denoiser = new Denoiser(canvas, options, sub, subStop);
      while (!denoiser.done && !ended()) {
        const whole = !options.subBlockCache || !cached || canvas.isMasked(sub);
        const rows = rowsOf(
          whole ? start : sub,
          whole ? stop : subStop,
          () => stop,
          () => null,
        );
        // Whether the next pass is whole depends on the sub-block's first place.
        const settled = !options.subBlockCache || !canvas.isMasked(sub);
        // A commit planned for nothing leaves keys and values that the sub-block cache would not compute anew.
        const last = subStop === stop && !options.subBlockCache;
        const ahead = { most: settled ? passesPerSubmit : 1, maxRows, ...(last ? { tail: () => [commit] } : {}) };
        yield* denoiser.pass({ kind: "block", rows: denoiser.asked(rows, true) }, ahead);
        cached = true;
      }
      committed = denoiser.followed;
    }
    if (ended()) return;
    if (!committed) yield [commit];
  }
}
