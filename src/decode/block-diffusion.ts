/**
 * Block diffusion without shift (SDAR; dllm's BD3LM with a grid offset): transient passes over the active block, then a commit pass that keeps the keys
 * and values of the clean block. The cache is exact. Blocks lie on the grid ⌊(place + gridOffset) / blockLength⌋.
 */
import type { Row } from "../model/pass";
import { type Decoder, type DecoderContext, rowsOf } from "./decoder";
import { Denoiser, type Denoising } from "./denoise";

export interface BlockDiffusionOptions extends Denoising {
  readonly blockLength: number;
  readonly gridOffset: number;
  /** Whether the last block gets its commit pass too, as the references do. */
  readonly commitLast: boolean;
  readonly earlyStop: boolean;
  /**
   * The clean rows of a block are computed in the next block's first pass instead of one of their own: the same tokens in one forward less a block,
   * because no row of the block sees the next.
   */
  readonly fusedCommit?: boolean;
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

/** Rows of a block that wants no answers. */
const plainRows = (start: number, stop: number): Row[] =>
  rowsOf(
    start,
    stop,
    () => stop,
    () => null,
  );

export function* blockDiffusion(
  { canvas, stopIds, maxRows, passesPerSubmit = 1 }: DecoderContext,
  options: BlockDiffusionOptions,
): Decoder {
  const { blockLength, gridOffset, fusedCommit = false } = options;
  const prefilled = Math.max(0, blockEnd(canvas.promptLength, blockLength, gridOffset) - blockLength);
  yield* prefillBlocks(prefilled, maxRows, options, null);
  const end = blockEnd(canvas.length - 1, blockLength, gridOffset);
  canvas.extend(end);
  // Clean rows that no pass has kept yet: with a fused commit they go along with the next block's first pass.
  let pending: Row[] = [];
  for (let start = prefilled; start < end; ) {
    const stop = blockEnd(start, blockLength, gridOffset);
    const denoiser = new Denoiser(canvas, options, start, stop);
    const rows = plainRows(start, stop);
    const kept = options.commitLast || stop < end;
    const commit = { kind: "commit", rows, reveal: { rule: "none" } } as const;
    // Where the block turns out to be unfinished, its next pass writes over what the commit kept.
    const tail = [{ ...commit, guard: [Math.max(start, canvas.promptLength), stop] as const, throughStop: !options.earlyStop }];
    const ahead = { most: passesPerSubmit, maxRows, ...(kept && !fusedCommit ? { tail: () => tail } : {}) };
    while (!denoiser.done) {
      const asked = denoiser.asked(rows, false);
      yield* denoiser.pass({ kind: "block", rows: [...pending, ...asked], throughStop: true }, ahead);
      pending = [];
    }
    const ended = options.earlyStop && canvas.stopIndex(stopIds) >= 0;
    if (!ended && kept && !denoiser.followed) {
      pending = [...pending, ...plainRows(start, stop)];
      if (!fusedCommit || stop === end || pending.length + blockLength > maxRows) {
        yield [{ ...commit, rows: pending }];
        pending = [];
      }
    }
    if (ended) return;
    start = stop;
  }
}
