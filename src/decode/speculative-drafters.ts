/**
 * Drafts by another model, which keeps a canvas and a cache of its own: token by token by an autoregressive one, several at once by a diffusion model
 * (speculative diffusion decoding, arXiv 2408.05636). Whatever they say is only a proposal: an approximate cache or an unusual canvas costs acceptance,
 * never the answer. All drafts are greedy.
 */
import type { Reveal, Row } from "../model/pass";
import { causal } from "./autoregressive";
import { blockEnd } from "./block-diffusion";
import type { Canvas } from "./canvas";
import { goalsOf, type PlannedPass, rowsOf, type Write } from "./decoder";
import { lladaSchedule } from "./schedule";
import type { Drafter, SpeculationTally } from "./speculative";

/** The two canvases of a speculation: the answer's, and the assistant's own. */
export interface DraftContext {
  readonly canvas: Canvas;
  readonly draftCanvas: Canvas;
  /** Most rows of one pass of the assistant. */
  readonly maxRows: number;
  readonly tally: SpeculationTally;
}

const drafting = (rows: readonly Row[], reveal: Reveal, write: readonly Write[] = []): PlannedPass => ({
  kind: "draft",
  on: "assistant",
  rows,
  reveal,
  write,
});

/** What makes the assistant's canvas agree with the answer's: known tokens, then `masks` unknown places. */
function catchUp({ canvas, draftCanvas }: DraftContext, masks: number): Write[] {
  const writes: Write[] = [];
  for (let place = draftCanvas.promptLength; place < canvas.length + masks; place++) {
    const id = canvas.tokens[place] ?? draftCanvas.maskId;
    if (draftCanvas.tokens[place] !== id) writes.push({ place, id });
  }
  return writes;
}

/** All drafts of a turn in one submit: each token feeds the next on the device. Rows go on from the last one whose token still stands. */
export function autoregressiveDrafter(context: DraftContext): Drafter {
  const { canvas, draftCanvas, maxRows, tally } = context;
  const nothing = (): null => null;
  /** Tokens whose keys and values the cache holds, from place 0. */
  let cached: number[] = [];
  return function* (count) {
    const known = canvas.length;
    const standing = cached.findIndex((id, place) => id !== canvas.tokens[place]);
    // The last known token is computed even if it stands: its row makes the first draft.
    let from = Math.min(standing < 0 ? cached.length : standing, known - 1);
    let write = catchUp(context, count);
    for (; known - from > maxRows; from += maxRows) {
      yield [drafting(rowsOf(from, from + maxRows, causal, nothing), { rule: "none" }, write)];
      write = [];
      tally.draftForwards++;
    }
    yield Array.from({ length: count }, (_, i) => {
      const to = known + i;
      const rows = rowsOf(i === 0 ? from : to - 1, to, causal, (place) => (place === to - 1 ? to : null));
      return drafting(rows, { rule: "all" }, i === 0 ? write : []);
    });
    tally.draftForwards += count;
    cached = draftCanvas.tokens.slice(0, known + count - 1);
    return draftCanvas.tokens.slice(known, known + count);
  };
}

export interface DiffusionDrafterOptions {
  /** Forwards that fill the drafts of one turn. */
  readonly forwards: number;
  /** Row i − 1 answers place i. */
  readonly shift: boolean;
  /** Length of a block-causal model's blocks, whose clean keys and values are kept; null: every row sees the whole canvas and is computed anew. */
  readonly blockLength: number | null;
  /** Places of a bidirectional model's canvas: its masks reach to this end. */
  readonly end: number;
}

/** Each of a turn's forwards reveals the most confident of the drafts that are left. */
export function diffusionDrafter(context: DraftContext, options: DiffusionDrafterOptions): Drafter {
  const { canvas, draftCanvas, maxRows, tally } = context;
  const { forwards, shift, blockLength, end } = options;
  const nothing = (): null => null;
  const endOf = (place: number): number => (blockLength === null ? end : blockEnd(place, blockLength, 0));
  /** Places before it have the keys and values of clean blocks. */
  let clean = 0;
  return function* (count) {
    const known = canvas.length;
    const stop = endOf(known);
    const start = blockLength === null ? 0 : stop - blockLength;
    const drafts = Math.min(count, stop - known);
    let write = catchUp(context, stop - known);
    const pass = (rows: readonly Row[], reveal: Reveal): PlannedPass[] => {
      const planned = [drafting(rows, reveal, write)];
      write = [];
      tally.draftForwards++;
      return planned;
    };
    // Clean blocks that would not fit beside the drafted one are kept in passes of their own, cut at block ends.
    while (stop - clean > maxRows && clean < start) {
      const to = Math.min(start, blockEnd(clean + maxRows, blockLength as number, 0) - (blockLength as number));
      yield pass(rowsOf(clean, to, endOf, nothing), { rule: "none" });
      clean = to;
    }
    const places = Array.from({ length: drafts }, (_, i) => known + i);
    const rows = rowsOf(shift ? Math.min(clean, known - 1) : clean, stop, endOf, goalsOf(places, shift));
    for (const share of lladaSchedule(drafts, forwards)) yield pass(rows, { rule: "count", count: share, metric: "confidence" });
    clean = start;
    return draftCanvas.tokens.slice(known, known + drafts);
  };
}
