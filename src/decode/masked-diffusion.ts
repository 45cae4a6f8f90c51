/**
 * Masked diffusion over blocks of one canvas, attention over all of it (LLaDA; Fast-dLLM v1's prefix and dual caches; dllm's MDLM; Dream with one
 * block and shift). Which rows a pass computes is the cache's choice, which answers are revealed the selection's.
 */
import type { Row } from "../model/pass";
import { type CacheSettings, cachePolicy, type MaskedCache, type SuffixDropout, seenPlaces } from "./caches";
import type { Decoder, DecoderContext } from "./decoder";
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

export function* maskedDiffusion(
  { canvas, stopIds, passesPerSubmit = 1 }: DecoderContext,
  options: MaskedDiffusionOptions,
): Decoder {
  const { blockLength, shift, guidance, refresh = 0, window = 0, warmup = 0, suffix = null } = options;
  const end = canvas.length;
  const recomputed = cachePolicy(options.cache, { refresh, window, warmup });
  let pass = 0;
  let last = 0;
  for (let start = canvas.promptLength; start < end; start += blockLength) {
    const stop = Math.min(start + blockLength, end);
    // With shift, the row before the block answers its first place: it is recomputed with the block.
    const from = Math.max(0, start - (shift ? 1 : 0));
    const seen = seenPlaces(end, stop, suffix);
    const slots = new Map(seen.map((place, slot) => [place, slot]));
    const denoiser = new Denoiser(canvas, options, start, stop);
    for (; !denoiser.done; pass++) {
      const answering = new Set(denoiser.wanted.map((place) => Math.max(0, place - (shift ? 1 : 0))));
      const { kind, places } = recomputed({
        step: denoiser.step,
        pass,
        seen,
        from,
        stop,
        last,
        isMasked: (place) => canvas.isMasked(place),
        answering,
      });
      const rows = places.map((place) => {
        const slot = slots.get(place) as number;
        return { place, position: place, slot, start: 0, limit: seen.length, goal: null };
      });
      const asked = denoiser.asked(rows, shift);
      const halves = guidance > 0 ? { rows: [...asked, ...twinsOf(rows, end)], guidance: { scale: guidance, twin: end } } : null;
      // Which rows the delayed cache computes follows the masks, and what is full at the start of a run follows the passes that counted.
      const ahead = options.cache !== "delayed" && pass >= warmup;
      yield* denoiser.pass({ kind, rows: asked, ...halves, throughStop: true }, ahead ? passesPerSubmit : 1);
    }
    if (options.earlyStop && canvas.stopIndex(stopIds) >= 0) return;
    last = from;
  }
}
