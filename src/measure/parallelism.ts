/** Accuracy under parallelism: one number for a trade-off between right answers and tokens a forward (d3LLM, arXiv 2601.07568). */

export interface ParallelismPoint {
  readonly tokensPerForward: number;
  /** Share of right answers, 0 to 1. */
  readonly accuracy: number;
}

export interface ParallelismOptions {
  /** Best share that any compared decoding reaches. Default: the best of the points. */
  readonly best?: number;
  /** How steeply less than the best is punished. Default 3, as published. */
  readonly alpha?: number;
}

/** Points more than this many percent below the least parallel one do not count. */
const TOLERATED_PERCENT = 5;

/**
 * The area under accuracy (in percent) over tokens a forward, accuracies weighted by e^(−α(1 − y/best)): ρ₁y₁, the least parallel point, and trapezia from
 * point to point. Of points with equal parallelism the more accurate one counts. 0 without points.
 */
export function accuracyUnderParallelism(points: readonly ParallelismPoint[], options: ParallelismOptions = {}): number {
  const sorted = [...points].sort((a, b) => a.tokensPerForward - b.tokensPerForward || b.accuracy - a.accuracy);
  const distinct = sorted.filter((point, i) => point.tokensPerForward !== sorted[i - 1]?.tokensPerForward);
  const [first] = distinct;
  if (!first) return 0;
  const kept = distinct.filter(({ accuracy }) => 100 * accuracy >= 100 * first.accuracy - TOLERATED_PERCENT);
  const { best = Math.max(...kept.map(({ accuracy }) => accuracy)), alpha = 3 } = options;
  const weighted = (accuracy: number): number =>
    best > 0 ? 100 * accuracy * Math.min(1, Math.exp(-alpha * (1 - accuracy / best))) : 0;
  let area = first.tokensPerForward * 100 * first.accuracy;
  for (let i = 1; i < kept.length; i++) {
    const [before, after] = [kept[i - 1] as ParallelismPoint, kept[i] as ParallelismPoint];
    const width = after.tokensPerForward - before.tokensPerForward;
    area += (width * (weighted(after.accuracy) + weighted(before.accuracy))) / 2;
  }
  return area;
}
