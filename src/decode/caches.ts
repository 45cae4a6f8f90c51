/**
 * Caches of models that attend to the whole canvas, as choices of rows: what a pass does not recompute keeps the keys and values of the last pass that
 * did. All but `none` approximate, because tokens revealed since would have changed them.
 */
import { uniform } from "./random";
import type { ForwardKind } from "./step";

export type MaskedCache = "none" | "prefix" | "dual" | "vicinity" | "delayed" | "frozen";

export interface CacheSettings {
  /** Every so many passes of a block are full again; 0 is never. */
  readonly refresh: number;
  /** vicinity: places recomputed on either side of the block (dInfer: 16). */
  readonly window: number;
  /** vicinity, delayed: full passes at the start of a run (dInfer: 4, dKV-Cache: 2). */
  readonly warmup: number;
}

/** Where a run is. */
export interface CacheView {
  /** Passes of this block, and of the run, before. */
  readonly step: number;
  readonly pass: number;
  /** Places that the block's rows see, ascending: their rank is their slot. */
  readonly seen: readonly number[];
  /** The block is [from, stop); with shift `from` is the row before, which answers its first place. */
  readonly from: number;
  readonly stop: number;
  /** The block before began here. */
  readonly last: number;
  readonly isMasked: (place: number) => boolean;
  /** Places whose row gives an answer that is wanted. */
  readonly answering: ReadonlySet<number>;
}

/** What a pass computes. */
export interface Recomputed {
  readonly kind: ForwardKind;
  readonly places: readonly number[];
}

/** Decides every pass of a run, in order. */
export type CachePolicy = (view: CacheView) => Recomputed;

const full = ({ seen }: CacheView): Recomputed => ({ kind: "full", places: seen });
const due = (refresh: number, pass: number): boolean => refresh > 0 && pass % refresh === 0;

/** Fast-dLLM v1 (arXiv 2505.22618): a full pass a block, then block and suffix, or the block alone. */
const fastCache =
  (kind: "suffix" | "block") =>
  ({ refresh }: CacheSettings): CachePolicy =>
  (view) => {
    if (view.step === 0 || due(refresh, view.step)) return full(view);
    const places = view.seen.filter((place) => place >= view.from && (kind === "suffix" || place < view.stop));
    return { kind, places };
  };

/** dInfer (arXiv 2510.08666): the block and its neighbourhood; the first passes of a run are full. */
const vicinity =
  ({ refresh, window, warmup }: CacheSettings): CachePolicy =>
  (view) => {
    if (view.step === 0 || view.pass < warmup || due(refresh, view.step)) return full(view);
    const places = view.seen.filter((place) => place >= view.from - window && place < view.stop + window);
    return { kind: "block", places };
  };

/**
 * dKV-Cache (arXiv 2505.15781): a token's keys and values are kept from the second pass after it was revealed on, for those of the first are not
 * settled; masked places are always recomputed. Blocks do not matter: full again every `refresh` passes of the run.
 */
const delayed = ({ refresh, warmup }: CacheSettings): CachePolicy => {
  let masked = new Set<number>();
  return (view) => {
    const before = masked;
    masked = new Set(view.seen.filter(view.isMasked));
    if (view.pass < Math.max(1, warmup) || due(refresh, view.pass)) return full(view);
    const places = view.seen.filter((place) => masked.has(place) || before.has(place) || view.answering.has(place));
    return { kind: "block", places };
  };
};

/**
 * FreeCache (FlashDLM, arXiv 2505.21467): what lies before the active block is frozen, the prompt after the first pass, a block after the pass that saw
 * it clean; block and suffix are recomputed. Prefix cache without full passes.
 */
const frozen =
  ({ refresh }: CacheSettings): CachePolicy =>
  (view) => {
    if (view.pass === 0 || due(refresh, view.pass)) return full(view);
    const from = view.step === 0 ? Math.min(view.last, view.from) : view.from;
    return { kind: "suffix", places: view.seen.filter((place) => place >= from) };
  };

const POLICIES: Readonly<Record<MaskedCache, (settings: CacheSettings) => CachePolicy>> = {
  none: () => full,
  prefix: fastCache("suffix"),
  dual: fastCache("block"),
  vicinity,
  delayed,
  frozen,
};

/** The policy of a cache, for one run. */
export const cachePolicy = (cache: MaskedCache, settings: CacheSettings): CachePolicy => POLICIES[cache](settings);

/** Masks after the block that its rows see: DPad (arXiv 2508.14148). The others are no rows at all, so neither computed nor attended to. */
export interface SuffixDropout {
  /** Nearest places, all kept. */
  readonly window: number;
  /** Chance of a place to be kept just behind the window; it falls off as a Gaussian whose width is the window. */
  readonly density: number;
  readonly seed: number;
}

/** Places that a block's rows see, ascending: what comes before its end, and what is kept of the masks after it. */
export function seenPlaces(end: number, stop: number, suffix: SuffixDropout | null): number[] {
  const all = Array.from({ length: end }, (_, place) => place);
  if (!suffix) return all;
  const { window, density, seed } = suffix;
  return all.filter((place) => {
    const beyond = place - stop - window;
    if (place < stop || beyond < 0) return true;
    return uniform(seed, stop, place) < density * Math.exp(-0.5 * (beyond / Math.max(1, window)) ** 2);
  });
}
