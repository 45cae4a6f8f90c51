/**
 * Pipelined blocks (discrete diffusion forcing, D2F, arXiv 2508.09192): a block is begun while the blocks before it still have masks. A new one is added once
 * the last is decoded far enough; until its left neighbour is nearly done it reveals only what is above the threshold, then at least one place a pass.
 * A clean block at the left is kept by the next pass that runs anyway.
 *
 * Departure: the visible intervals are the model's own grid of blocks; D2F's models take the prompt as one block.
 */

import { blockEnd, prefillBlocks } from "../block-diffusion";
import type { Decoder, DecoderContext, Write } from "../decoder";
import { goalsOf, rowsOf } from "../decoder";
import { byConfidence, writeOf } from "../host-rule";
import { decoderPolicy, probability } from "./policy";

interface Block {
  readonly start: number;
  readonly stop: number;
}

export const pipelined = decoderPolicy({
  name: "pipelined",
  source: "D2F, arXiv 2508.09192",
  settings: {
    threshold: probability(0.9, "every place above it is revealed"),
    add: probability(0.1, "share of the last block that is known before the next is begun; 1 is one block after the other"),
    activate: probability(0.95, "share of the block before that is known before a block reveals at least one place a pass"),
  },
  family: "block",
  room: () => 0,
  *decoder({ canvas, stopIds, maxRows }: DecoderContext, { threshold, add, activate }, run): Decoder {
    const { blockLength, gridOffset, earlyStop } = run;
    const prefilled = Math.max(0, blockEnd(canvas.promptLength, blockLength, gridOffset) - blockLength);
    yield* prefillBlocks(prefilled, maxRows, run, null);
    const end = blockEnd(canvas.length - 1, blockLength, gridOffset);
    canvas.extend(end);
    const masksOf = ({ start, stop }: Block): number[] => canvas.masks(start, stop);
    const knownShare = (block: Block): number => 1 - masksOf(block).length / (block.stop - block.start);
    let active: Block[] = [];
    for (let next = prefilled; ; ) {
      const last = active.at(-1);
      const fits = next < end && next + blockLength - (active[0]?.start ?? next) <= maxRows;
      if (fits && (!last || knownShare(last) >= add)) {
        const stop = blockEnd(next, blockLength, gridOffset);
        active.push({ start: next, stop });
        next = stop;
      }
      const clean = active.findIndex((block) => masksOf(block).length > 0);
      if (clean < 0 && next >= end) return;
      const rows = active.flatMap((block) => rowsOf(block.start, block.stop, () => block.stop, goalsOf(masksOf(block), false)));
      const results = yield [{ kind: "block", rows, reveal: { rule: "none" } }];
      const answers = results.at(-1)?.answers ?? [];
      const write: Write[] = active.flatMap((block, i) => {
        const left = active[i - 1];
        const least = !left || knownShare(left) >= activate ? 1 : 0;
        const ranked = byConfidence(answers.filter(({ goal }) => goal >= block.start && goal < block.stop));
        return ranked.filter(({ confidence }, rank) => rank < least || confidence > threshold).map((answer) => writeOf(answer));
      });
      if (write.length > 0) yield [{ kind: "block", rows: [], reveal: { rule: "none" }, write }];
      // Blocks that were clean when the pass ran are in the cache as they stay.
      active = active.slice(clean < 0 ? active.length : clean);
      if (earlyStop && canvas.stopIndex(stopIds) >= 0) return;
    }
  },
});
