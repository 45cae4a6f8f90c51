/**
 * Samples into robust numbers: median, spread, quantiles and 95 % intervals. It does not know what was measured.
 */
import { ensure } from "../errors";
import type { Spread } from "./types";

/** A two-sided interval in the unit of the samples. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 % quantile of the standard normal distribution. */
export const Z_95 = 1.959964;

/**
 * Quantile by linear interpolation between order statistics (type 7 of Hyndman & Fan, NumPy's and R's default).
 * @param p in [0, 1]
 * @throws RidgepointError `bad-option` without samples, on a sample that is not finite, or on `p` outside [0, 1].
 */
export function quantile(samples: readonly number[], p: number): number {
  ensure(p >= 0 && p <= 1, "bad-option", () => `quantile: p = ${p} must be within [0, 1]`);
  const sorted = sortedFinite(samples);
  const at = (sorted.length - 1) * p;
  const below = Math.floor(at);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (at - below);
}

/** Middle sample, or the mean of the two in the middle. Throws as {@link quantile}. */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** Median absolute deviation from the median, unscaled (× 1.4826 estimates σ of a normal). Throws as {@link quantile}. */
export function mad(samples: readonly number[]): number {
  const middle = median(samples);
  return median(samples.map((sample) => Math.abs(sample - middle)));
}

/** Median and MAD of the samples. Throws as {@link quantile}. */
export function spread(samples: readonly number[]): Spread {
  return { median: median(samples), mad: mad(samples) };
}

/** Arithmetic mean. Throws as {@link quantile}. */
export function mean(samples: readonly number[]): number {
  const sorted = sortedFinite(samples);
  return sorted.reduce((sum, sample) => sum + sample, 0) / sorted.length;
}

/** Normal 95 % interval of the mean: mean ± 1.96 s/√n, s with n − 1 degrees of freedom; a single sample has no width to give. */
export function meanInterval95(samples: readonly number[]): Interval {
  const centre = mean(samples);
  const n = samples.length;
  if (n < 2) return { low: centre, high: centre };
  const variance = samples.reduce((sum, sample) => sum + (sample - centre) ** 2, 0) / (n - 1);
  const half = Z_95 * Math.sqrt(variance / n);
  return { low: centre - half, high: centre + half };
}

export interface BootstrapOptions {
  /** Default {@link median}. */
  readonly statistic?: (samples: readonly number[]) => number;
  /** Default 1000. */
  readonly resamples?: number;
  /** Unsigned 32-bit; the same samples and seed give the same interval. Default 1. */
  readonly seed?: number;
}

/** Percentile bootstrap 95 % interval of a statistic (Efron 1979), with a seeded generator. */
export function bootstrapInterval95(samples: readonly number[], options: BootstrapOptions = {}): Interval {
  const { statistic = median, resamples = 1000, seed = 1 } = options;
  ensure(samples.length > 0, "bad-option", "bootstrapInterval95: needs at least one sample, got none");
  const random = mulberry32(seed);
  const statistics = Array.from({ length: resamples }, () =>
    statistic(Array.from({ length: samples.length }, () => samples[Math.floor(random() * samples.length)]!)),
  );
  return { low: quantile(statistics, 0.025), high: quantile(statistics, 0.975) };
}

/** Wilson score 95 % interval of a share of successes: sensible at 0, at n and for small n. */
export function shareInterval95(successes: number, n: number): Interval {
  ensure(n > 0 && successes >= 0 && successes <= n, "bad-option", () => `shareInterval95: ${successes} of ${n} is no share`);
  const share = successes / n;
  const z2 = Z_95 * Z_95;
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z_95 / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

function sortedFinite(samples: readonly number[]): number[] {
  ensure(samples.length > 0, "bad-option", "statistics: needs at least one sample, got none");
  ensure(samples.every(Number.isFinite), "bad-option", () => `statistics: samples must be finite, got ${samples.join(", ")}`);
  return [...samples].sort((a, b) => a - b);
}

/** Small seeded generator in [0, 1) (Tommy Ettinger's mulberry32, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
