/**
 * The rule by which a variant takes the default's place: right on this device, and at least 5 % faster in both of two rounds. It runs nothing itself: how
 * a variant is checked and timed, and what time it is, are given to it.
 */
import { ensure } from "../../errors";
import { median } from "../statistics";

export interface Contest {
  /** The variant that runs unless another one wins. */
  readonly incumbent: string;
  readonly challengers: readonly string[];
  /** What is wrong with a variant's result on this device, in words; null where it is right. */
  readonly verify: (id: string) => Promise<string | null>;
  /** ns of one call; null where the clock saw nothing. */
  readonly sample: (id: string) => Promise<number | null>;
  /** ms, never going back. */
  readonly now: () => number;
  /** On the scale of `now`: what is not decided by then stays undecided. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
}

/** Median ns of each variant that was timed in a round. */
export type Round = Readonly<Record<string, number>>;

export interface Rejected {
  readonly id: string;
  readonly fault: string;
}

export interface Verdict {
  /** null: undecided, because time ran out or no variant is right. */
  readonly winner: string | null;
  readonly reason: "kept" | "faster" | "only-right" | "out-of-time" | "none-right";
  /** Time of the incumbent over that of the winner, in the round where it was the least; 1 where the incumbent stays. */
  readonly speedup: number;
  readonly rounds: readonly Round[];
  /** Variants whose result was wrong. */
  readonly rejected: readonly Rejected[];
  /** Variants that there was no time to check: another contest may decide otherwise. */
  readonly untried: readonly string[];
}

/** How much faster than the incumbent a variant must be, in every round. */
export const MARGIN = 1.05;
export const ROUNDS = 2;
/** Samples of a variant in a round, taken in turns. */
export const SAMPLES = 5;
/** Of the time that is left, this share goes to checks at most, so that what was checked can still be timed. */
const CHECKING = 0.5;
/** A variant whose first sample is so many times the incumbent's is timed no further. */
const HOPELESS = 2;

class OutOfTime extends Error {}

/**
 * Holds a contest.
 * @throws RidgepointError `abort`, and whatever `verify` and `sample` throw
 */
export async function holdContest(contest: Contest): Promise<Verdict> {
  const { incumbent, challengers, verify, now, deadline, signal } = contest;
  const rejected: Rejected[] = [];
  const rounds: Round[] = [];
  const untried: string[] = [];
  const checksEnd = now() + CHECKING * (deadline - now());
  const inTime = (): void => {
    ensure(!signal?.aborted, "abort", "tune: aborted");
    if (now() >= deadline) throw new OutOfTime();
  };
  const undecided = (reason: Verdict["reason"]): Verdict => ({
    ...{ winner: null, reason, speedup: 1, rounds },
    ...{ rejected, untried },
  });
  try {
    const right: string[] = [];
    for (const id of [incumbent, ...challengers]) {
      inTime();
      if (id !== incumbent && right.length > 0 && now() >= checksEnd) {
        untried.push(id);
        continue;
      }
      const fault = await verify(id);
      if (fault === null) right.push(id);
      else rejected.push({ id, fault });
    }
    const [first, ...others] = right;
    if (first === undefined) return undecided("none-right");
    if (others.length === 0 && untried.length > 0) return undecided("out-of-time");
    const standsIn = first !== incumbent;
    let left = others;
    for (let round = 0; round < ROUNDS && left.length > 0; round++) {
      const { medians, running } = await timeRound(contest, [first, ...left], { inTime, screening: round === 0 });
      rounds.push(medians);
      left = running.filter((id) => id !== first && isFaster(medians, id, first));
    }
    const decided = { rounds, rejected, untried };
    const best = left.reduce<string | null>(
      (held, id) => (held === null || total(rounds, id) < total(rounds, held) ? id : held),
      null,
    );
    if (best !== null) {
      const speedup = Math.min(...rounds.map((round) => (round[first] as number) / (round[best] as number)));
      return { winner: best, reason: standsIn ? "only-right" : "faster", speedup, ...decided };
    }
    return { winner: first, reason: standsIn ? "only-right" : "kept", speedup: 1, ...decided };
  } catch (cause) {
    if (cause instanceof OutOfTime) return undecided("out-of-time");
    throw cause;
  }
}

const isFaster = (round: Round, id: string, than: string): boolean => {
  const [own, other] = [round[id], round[than]];
  return own !== undefined && other !== undefined && own * MARGIN <= other;
};

const total = (rounds: readonly Round[], id: string): number => rounds.reduce((sum, round) => sum + (round[id] as number), 0);

/** Samples of all variants in turns; with `screening`, those that the first turn shows to be hopeless drop out. */
async function timeRound(
  { sample }: Contest,
  ids: readonly string[],
  { inTime, screening }: { readonly inTime: () => void; readonly screening: boolean },
): Promise<{ medians: Round; running: readonly string[] }> {
  const samples = new Map<string, number[]>(ids.map((id) => [id, []]));
  const first = ids[0] as string;
  let running = ids;
  for (let turn = 0; turn < SAMPLES; turn++) {
    for (const id of running) {
      inTime();
      const ns = await sample(id);
      if (ns !== null) samples.get(id)?.push(ns);
    }
    if (screening && turn === 0) {
      const reference = samples.get(first)?.[0];
      const hopeless = (id: string) => reference !== undefined && (samples.get(id)?.[0] ?? 0) > HOPELESS * reference;
      running = running.filter((id) => id === first || !hopeless(id));
    }
  }
  // A median of fewer than half the samples says more of the clock than of the variant.
  const seen = [...samples].filter(([, own]) => own.length > SAMPLES / 2);
  return { medians: Object.fromEntries(seen.map(([id, own]) => [id, median(own)])), running };
}
