/**
 * Masked diffusion over blocks of one canvas, attention over all of it (LLaDA; Fast-dLLM v1's prefix and dual caches; dllm's MDLM; Dream with one
 * block and shift). Which rows a pass computes is the cache's choice, which answers are revealed the selection's.
 */
import type { Row } from "../model/pass";
import { type CacheSettings, cachePolicy, type MaskedCache, type SuffixDropout, seenPlaces } from "./caches";
import type { Decoder, DecoderContext, PlannedPass } from "./decoder";
import { Denoiser, type Denoising } from "./denoise";

export interface MaskedDiffusionOptions extends Denoising, Partial<CacheSettings> {
  readonly blockLength: number;
  readonly cache: MaskedCache;
  /** Which masks after the block are there at all; null is all. */
  readonly suffix?: SuffixDropout | null;
  readonly shift: boolean;
  /** Scale of classifier-free guidance, 0 is off: a second canvas without the prompt follows the first. Needs cache none. */
  readonly guidance: number;
  /** Stop after a block that completes an answer with a stop id. */
  readonly earlyStop: boolean;
}

/** The same rows on the canvas that lies `twin` places later, with cache rows of its own. */
const twinsOf = (rows: readonly Row[], twin: number): Row[] =>
  rows.map(({ place, position, slot, start, limit }) => ({
    place: place + twin,
    position,
    slot: slot + twin,
    start: start + twin,
    limit: limit + twin,
    goal: null,
  }));

/** A block and what its rows see. */
interface Block {
  readonly start: number;
  readonly stop: number;
  /** With shift, the row before the block answers its first place: it is recomputed with the block. */
  readonly from: number;
  readonly seen: readonly number[];
  readonly denoiser: Denoiser;
}

/** Rows of places that see all of `seen`: the rank there is the cache row, from `base` on. */
function rowsOf(places: readonly number[], { seen }: Block, base: number): Row[] {
  const ranks = new Map(seen.map((place, rank) => [place, rank]));
  return places.map((place) => {
    const slot = base + (ranks.get(place) as number);
    return { place, position: place, slot, start: base, limit: base + seen.length, goal: null };
  });
}

export function* maskedDiffusion(
  { canvas, stopIds, maxRows, slots = 0, passesPerSubmit = 1 }: DecoderContext,
  options: MaskedDiffusionOptions,
): Decoder {
  const { blockLength, cache, shift, guidance, refresh = 0, window = 0, warmup = 0, suffix = null } = options;
  const end = canvas.length;
  const recomputed = cachePolicy(cache, { refresh, window, warmup });
  const blockAt = (start: number): Block => {
    const stop = Math.min(start + blockLength, end);
    const denoiser = new Denoiser(canvas, options, start, stop);
    return { start, stop, from: Math.max(0, start - (shift ? 1 : 0)), seen: seenPlaces(end, stop, suffix), denoiser };
  };
  let block = blockAt(canvas.promptLength);
  let base = 0;
  let pass = 0;
  let last = 0;
  for (;;) {
    const { start, stop, from, seen, denoiser } = block;
    const next = stop < end ? blockAt(stop) : null;
    // The next block's full pass may go behind the last of this one. Should this one need more, they find their keys and values where they were.
    const other = cache === "none" ? base : end - base;
    const begins = guidance === 0 && OPENING.has(cache) && (other === base || 2 * end <= slots);
    const tail = (): PlannedPass[] => {
      if (!next || !begins || !next.denoiser.plannable || next.denoiser.done || denoiser.paired) return [];
      const rows = next.denoiser.asked(rowsOf(next.seen, next, other), shift);
      const first = next.denoiser.first({ kind: "full", rows });
      return [{ ...first, guard: [start, stop], throughStop: !options.earlyStop }];
    };
    for (; !denoiser.done; pass++) {
      const answering = new Set(denoiser.wanted.map((place) => Math.max(0, place - (shift ? 1 : 0))));
      const isMasked = (place: number): boolean => canvas.isMasked(place);
      const { kind, places } = recomputed({ step: denoiser.step, pass, seen, from, stop, last, isMasked, answering });
      const rows = rowsOf(places, block, base);
      const asked = denoiser.asked(rows, shift);
      const halves = guidance > 0 ? { rows: [...asked, ...twinsOf(rows, end)], guidance: { scale: guidance, twin: end } } : null;
      // Which rows the delayed cache computes follows the masks, and what is full by the passes of the run follows those that counted.
      const byRun = cache === "delayed" || (cache === "frozen" && refresh > 0) || pass < warmup;
      const ahead = byRun ? { most: 1, maxRows } : { most: passesPerSubmit, maxRows, tail };
      yield* denoiser.pass({ kind, rows: asked, ...halves, throughStop: true }, ahead);
    }
    if (!next || (options.earlyStop && canvas.stopIndex(stopIds) >= 0)) return;
    if (denoiser.followed) {
      next.denoiser.begin();
      base = other;
      pass++;
    }
    last = from;
    block = next;
  }
}

/** Caches whose blocks begin with a full pass that needs nothing of the passes before. */
const OPENING: ReadonlySet<MaskedCache> = new Set<MaskedCache>(["none", "prefix", "dual", "vicinity"]);
