/** Float64 references of what the answers tell of a distribution. Plain loops over one row of logits. */

export interface DistributionStats {
  readonly winner: number;
  readonly peak: number;
  /** Σ exp(l − peak) without the winner. */
  readonly rest: number;
  /** Nats. */
  readonly entropy: number;
  /** Probability of the winner minus that of the runner-up. */
  readonly margin: number;
}

export function distributionStats(logits: Float32Array): DistributionStats {
  let winner = 0;
  for (let id = 1; id < logits.length; id++) if ((logits[id] as number) > (logits[winner] as number)) winner = id;
  const peak = logits[winner] as number;
  let [rest, moment, second] = [0, 0, Number.NEGATIVE_INFINITY];
  for (let id = 0; id < logits.length; id++) {
    if (id === winner) continue;
    const gap = (logits[id] as number) - peak;
    second = Math.max(second, gap);
    rest += Math.exp(gap);
    moment += Math.exp(gap) * gap;
  }
  const sum = 1 + rest;
  return { winner, peak, rest, entropy: Math.log1p(rest) - moment / sum, margin: (1 - Math.exp(second)) / sum };
}

/** Ids of the `count` greatest logits, best first, the lower id first if equal. */
export const topIds = (logits: Float32Array, count: number): number[] =>
  [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number) || a - b).slice(0, count);

export interface Penalties {
  readonly repetition: number;
  readonly presence: number;
  readonly frequency: number;
  /** First place of the answer. */
  readonly answer: number;
}

/** Logits with penalties on the tokens of a canvas (Keskar et al. 2019; presence and frequency on those of the answer). */
export function penalised(
  logits: Float32Array,
  canvas: ArrayLike<number>,
  { repetition, presence, frequency, answer }: Penalties,
) {
  const output = Float64Array.from(logits);
  const counts = new Map<number, number>();
  for (let place = 0; place < canvas.length; place++) {
    const id = canvas[place] as number;
    counts.set(id, (counts.get(id) ?? 0) + (place >= answer ? 1 : 0));
  }
  for (const [id, count] of counts) {
    const value = output[id] as number;
    output[id] = (value > 0 ? value / repetition : value * repetition) - (count > 0 ? presence + count * frequency : 0);
  }
  return output;
}
