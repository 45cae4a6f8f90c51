/**
 * Block diffusion without shift (SDAR; dllm's BD3LM with a grid offset): transient passes over the active block, then a commit pass that keeps the keys
 * and values of the clean block. The cache is exact. Blocks lie on the grid ⌊(place + gridOffset) / blockLength⌋.
 */
import { type Decoder, type DecoderContext, goalsOf, rowsOf } from "./decoder";
import { revealOf, type Selection } from "./selection";

export interface BlockDiffusionOptions {
  readonly blockLength: number;
  readonly gridOffset: number;
  readonly selection: Selection;
  /** Counts of a block's passes from its masks; null for rules without a schedule. */
  readonly schedule: ((masks: number) => readonly number[]) | null;
  /** Whether the last block gets its commit pass too, as the references do. */
  readonly commitLast: boolean;
  readonly earlyStop: boolean;
}

/** The end of the block that a place lies in. */
export const blockEnd = (place: number, blockLength: number, gridOffset: number): number =>
  (Math.floor((place + gridOffset) / blockLength) + 1) * blockLength - gridOffset;

/** Prefill passes of clean places [0, to), cut at block ends so that every pass fits and sees all it needs. */
export function* prefillBlocks(
  to: number,
  maxRows: number,
  { blockLength, gridOffset }: { blockLength: number; gridOffset: number },
  lastGoal: number | null,
): Decoder {
  const limitOf = (place: number): number => Math.min(blockEnd(place, blockLength, gridOffset), to);
  for (let from = 0; from < to; ) {
    const fits = from + maxRows >= to ? to : blockEnd(from + maxRows, blockLength, gridOffset) - blockLength;
    const goalOf = (place: number): number | null => (place === to - 1 ? lastGoal : null);
    yield [{ kind: "prefill", rows: rowsOf(from, fits, limitOf, goalOf), reveal: { rule: lastGoal === null ? "none" : "all" } }];
    from = fits;
  }
}

export function* blockDiffusion({ canvas, stopIds, maxRows }: DecoderContext, options: BlockDiffusionOptions): Decoder {
  const { blockLength, gridOffset, selection } = options;
  const prefilled = Math.max(0, blockEnd(canvas.promptLength, blockLength, gridOffset) - blockLength);
  yield* prefillBlocks(prefilled, maxRows, options, null);
  const end = blockEnd(canvas.length - 1, blockLength, gridOffset);
  canvas.extend(end);
  for (let start = prefilled; start < end; ) {
    const stop = blockEnd(start, blockLength, gridOffset);
    const counts = options.schedule?.(canvas.masks(start, stop).length) ?? null;
    for (let step = 0; ; step++) {
      const masks = canvas.masks(start, stop);
      if (masks.length === 0) break;
      const rows = rowsOf(start, stop, () => stop, goalsOf(masks, false));
      yield [{ kind: "block", rows, reveal: revealOf(selection, counts?.[step] ?? 1) }];
    }
    const ended = options.earlyStop && canvas.stopIndex(stopIds) >= 0;
    if (!ended && (options.commitLast || stop < end)) {
      yield [
        {
          kind: "commit",
          rows: rowsOf(
            start,
            stop,
            () => stop,
            () => null,
          ),
          reveal: { rule: "none" },
        },
      ];
    }
    if (ended) return;
    start = stop;
  }
}
