/** Outcomes into ratios: how many times as long as ours a peer takes, round by round. It knows no engine and prints nothing. */
import { median } from "../../src/measure/statistics";
import type { CaseResult, Outcome } from "./protocol";

/** Median of the rounds' ratios, and the smallest and largest of them. */
export interface Ratio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** A case against its best peer. Above 1 the peer takes longer. */
export interface CaseRatio {
  readonly result: CaseResult;
  /** Null where ours failed. */
  readonly ours: Outcome | null;
  /** The peer that takes least time of those that count; where none does, of those with a wrong result; null where there is none. */
  readonly best: Outcome | null;
  /** Whether `best` counts: only then is the case part of its group's mean. */
  readonly fair: boolean;
  /** Null where passes could not be timed. */
  readonly gpu: Ratio | null;
  readonly wall: Ratio | null;
}

/** Cases of a group. */
export interface GroupRatio {
  readonly group: string;
  readonly cases: number;
  readonly gpu: Summary | null;
  readonly wall: Summary | null;
}

export interface Summary {
  /** Geometric mean of the cases' medians. */
  readonly mean: number;
  /** The smallest of them, and its case. */
  readonly worst: number;
  readonly worstCase: string;
  /** Whether ours is faster in every case of the group, those without a ratio counting against it. */
  readonly everywhere: boolean;
}

export type Clock = "gpuNs" | "wallNs";

/** Ratios of rounds that both have; null where either has none. */
export function ratioOf(peer: readonly number[], ours: readonly number[]): Ratio | null {
  const rounds = Math.min(peer.length, ours.length);
  const ratios = Array.from({ length: rounds }, (_, i) => peer[i]! / ours[i]!).filter(Number.isFinite);
  if (ratios.length === 0) return null;
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

/** exp of the mean logarithm. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

const counts = ({ standing }: Outcome): boolean => standing === "counts";

/** GPU time where the outcome has one. */
const timesOf = ({ gpuNs, wallNs }: Outcome): readonly number[] => (gpuNs.length > 0 ? gpuNs : wallNs);

const fastest = (outcomes: readonly Outcome[]): Outcome | null =>
  outcomes.reduce<Outcome | null>(
    (least, each) => (least && median(timesOf(least)) <= median(timesOf(each)) ? least : each),
    null,
  );

/** Ours against the best peer. */
export function caseRatio(result: CaseResult): CaseRatio {
  const first = result.outcomes.find(({ engine }) => engine === "ridgepoint");
  const ours = first && counts(first) ? first : null;
  const peers = result.outcomes.filter(({ engine }) => engine !== "ridgepoint");
  const right = fastest(peers.filter(counts));
  const best = right ?? fastest(peers.filter(({ standing }) => standing === "wrong"));
  const fair = right !== null;
  if (!ours || !best) return { result, ours, best, fair, gpu: null, wall: null };
  return { result, ours, best, fair, gpu: ratioOf(best.gpuNs, ours.gpuNs), wall: ratioOf(best.wallNs, ours.wallNs) };
}

function summary(cases: readonly CaseRatio[], clock: "gpu" | "wall"): Summary | null {
  // A case that no peer can compute is no comparison; one that we cannot is lost.
  const compared = cases.filter(({ ours, fair }) => !ours || fair);
  const known = compared.flatMap((each) => (each[clock] ? [{ ...each[clock], name: each.result.name }] : []));
  if (known.length === 0) return null;
  const worst = known.reduce((least, each) => (each.median < least.median ? each : least));
  return {
    mean: geometricMean(known.map((each) => each.median)),
    worst: worst.median,
    worstCase: worst.name,
    everywhere: known.length === compared.length && worst.median > 1,
  };
}

/** Groups in the order in which they first appear. */
export function groupRatios(cases: readonly CaseRatio[]): GroupRatio[] {
  return [...new Set(cases.map(({ result }) => result.group))].map((group) => {
    const own = cases.filter(({ result }) => result.group === group);
    return { group, cases: own.length, gpu: summary(own, "gpu"), wall: summary(own, "wall") };
  });
}

/** Work of a call over the median time of one: GFLOP/s or GB/s, or tok/s where the work is tokens. */
export function rateOf({ work, unit }: CaseResult, outcome: Outcome, clock: Clock): number | null {
  const times = outcome[clock];
  if (times.length === 0) return null;
  const perNs = work / median(times);
  return unit === "tok/s" ? perNs * 1e9 : perNs;
}
