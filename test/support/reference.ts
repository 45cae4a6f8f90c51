/** Plain float64 loops of the kernels' names: what each shader computes, with none of how. Rows are dense: no padding, packs or planes. */
import type { Reveal } from "../../src/model/pass";

type Numbers = ArrayLike<number>;
/** Value of output feature `n` at input feature `k`. */
export type WeightAt = (n: number, k: number) => number;

/** [T, D] */
export function embed(tokens: readonly number[], size: number, weight: WeightAt): Float64Array {
  const output = new Float64Array(tokens.length * size);
  tokens.forEach((token, t) => {
    for (let k = 0; k < size; k++) output[t * size + k] = weight(token, k);
  });
  return output;
}

/** [rows of sources, D]; row t normalises input row sources[t]. */
export function rmsnorm(
  input: Numbers,
  gain: Numbers,
  { size, eps, sources }: { size: number; eps: number; sources: readonly number[] },
): Float64Array {
  const output = new Float64Array(sources.length * size);
  sources.forEach((source, t) => {
    let squares = 0;
    for (let k = 0; k < size; k++) squares += input[source * size + k]! ** 2;
    const scale = 1 / Math.sqrt(squares / size + eps);
    for (let k = 0; k < size; k++) output[t * size + k] = input[source * size + k]! * scale * gain[k]!;
  });
  return output;
}

/** [T, N] */
export function linear(
  input: Numbers,
  weight: WeightAt,
  { rows, inFeatures, outFeatures, bias }: { rows: number; inFeatures: number; outFeatures: number; bias?: Numbers | undefined },
): Float64Array {
  const output = new Float64Array(rows * outFeatures);
  for (let t = 0; t < rows; t++) {
    for (let n = 0; n < outFeatures; n++) {
      let sum = bias ? bias[n]! : 0;
      for (let k = 0; k < inFeatures; k++) sum += input[t * inFeatures + k]! * weight(n, k);
      output[t * outFeatures + n] = sum;
    }
  }
  return output;
}

/** One head: optional RMS norm, then pairs (i, i + E/2) turn by position · theta^(-2i/E). */
export function rope_cache(
  head: Numbers,
  { position, theta, norm }: { position: number; theta: number; norm: { gain: Numbers; eps: number } | null },
): Float64Array {
  const size = head.length;
  const x = norm ? rmsnorm(head, norm.gain, { size, eps: norm.eps, sources: [0] }) : Float64Array.from(head);
  const half = size / 2;
  const output = new Float64Array(size);
  for (let i = 0; i < half; i++) {
    const angle = position * theta ** ((-2 * i) / size);
    output[i] = x[i]! * Math.cos(angle) - x[i + half]! * Math.sin(angle);
    output[i + half] = x[i + half]! * Math.cos(angle) + x[i]! * Math.sin(angle);
  }
  return output;
}

export interface AttentionInput {
  /** [T, H, E] */
  readonly query: Numbers;
  /** [S, K, E] */
  readonly keys: Numbers;
  readonly values: Numbers;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Visible cache rows of each query row. */
  readonly intervals: readonly {
    readonly start: number;
    readonly limit: number;
    /** Cache rows [from, to) that are left out. */
    readonly hole?: readonly [number, number] | undefined;
  }[];
}

/** [T, H, E]; 0 where nothing is visible. */
export function attention({ query, keys, values, heads, kvHeads, headDim: E, intervals }: AttentionInput): Float64Array {
  const output = new Float64Array(intervals.length * heads * E);
  intervals.forEach(({ start, limit, hole = [0, 0] }, t) => {
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor(h / (heads / kvHeads));
      const at = (t * heads + h) * E;
      const scores: number[] = [];
      const slots: number[] = [];
      for (let s = start; s < limit; s++) {
        if (s >= hole[0] && s < hole[1]) continue;
        slots.push(s);
        let dot = 0;
        for (let i = 0; i < E; i++) dot += query[at + i]! * keys[(s * kvHeads + kv) * E + i]!;
        scores.push(dot / Math.sqrt(E));
      }
      softmax(scores).forEach((p, j) => {
        for (let i = 0; i < E; i++) output[at + i]! += p * values[(slots[j]! * kvHeads + kv) * E + i]!;
      });
    }
  });
  return output;
}

export function softmax(logits: readonly number[]): number[] {
  const peak = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = logits.map((l) => Math.exp(l - peak));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/** [T, F] from gate and up, [T, F] each. */
export function swiglu(gate: Numbers, up: Numbers): Float64Array {
  return Float64Array.from(gate, (g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
}

/** [T, V] from the conditional rows and then the unconditional ones, [2·T, V]. */
export function guide(logits: Numbers, scale: number): Float64Array {
  const half = logits.length / 2;
  return Float64Array.from({ length: half }, (_, i) => logits[half + i]! + (1 + scale) * (logits[i]! - logits[half + i]!));
}

/** What suppression writes. */
export const SUPPRESSED = Math.fround(-1e30);

export function suppress(logits: Numbers, vocabSize: number, ids: readonly number[]): Float64Array {
  return Float64Array.from(logits, (l, i) => (ids.includes(i % vocabSize) ? SUPPRESSED : l));
}

/** One row's logits after penalties: `past` are its sequence's tokens, the answer's from index `answer` on, `mask` among them being no token. */
export function penalize(
  logits: Numbers,
  past: readonly number[],
  {
    answer,
    mask,
    repetition,
    presence,
    frequency,
  }: { answer: number; mask: number; repetition: number; presence: number; frequency: number },
): Float64Array {
  const known = past.map((id, place) => ({ id, place })).filter(({ id }) => id !== mask);
  return Float64Array.from(logits, (l, id) => {
    if (!known.some((token) => token.id === id)) return l;
    const count = known.filter((token) => token.id === id && token.place >= answer).length;
    return (l > 0 ? l / repetition : l * repetition) - (count > 0 ? presence + count * frequency : 0);
  });
}

/** The `count` most probable ids of a row, the lower id first if equal; suppressed ones are none. */
export function top_tokens(logits: readonly number[], count: number): { id: number; logProbability: number }[] {
  return logits
    .map((l, id) => ({ l, id }))
    .filter(({ l }) => l > SUPPRESSED)
    .sort((a, b) => b.l - a.l || a.id - b.id)
    .slice(0, count)
    .map(({ id }) => ({ id, logProbability: log_probability(logits, id) }));
}

/** Ids that top-k, then top-p, then min-p keep of one row; equal logits stand or fall together. Suppressed ids have no probability. */
export function sample_cutoff(
  logits: readonly number[],
  { temperature, topK, topP, minP }: { temperature: number; topK: number; topP: number; minP: number },
): number[] {
  const peak = Math.max(...logits);
  const power = (l: number): number => Math.exp((l - peak) / temperature);
  let order = logits.filter((l) => l > SUPPRESSED).sort((a, b) => b - a);
  if (topK > 0 && topK < order.length) {
    const least = order[topK - 1]!;
    order = order.filter((l) => l >= least);
  }
  if (topP < 1) {
    const goal = topP * order.reduce((sum, l) => sum + power(l), 0);
    let sum = 0;
    const least = order.find((l) => {
      sum += power(l);
      return sum >= goal;
    })!;
    order = order.filter((l) => l >= least);
  }
  const least = order.at(-1)!;
  return logits.flatMap((l, id) => (l >= least && power(l) >= minP ? [id] : []));
}

export interface RowStats {
  readonly winner: number;
  readonly peak: number;
  readonly second: number;
  /** Σ exp(l − peak) without the winner. */
  readonly rest: number;
  /** Nats. */
  readonly entropy: number;
  readonly margin: number;
}

/** Of one row. */
export function row_stats(logits: readonly number[]): RowStats {
  const peak = Math.max(...logits);
  const winner = logits.indexOf(peak);
  let second = SUPPRESSED;
  let rest = 0;
  let moment = 0;
  logits.forEach((l, id) => {
    if (id === winner || l <= SUPPRESSED) return;
    second = Math.max(second, l);
    rest += Math.exp(l - peak);
    moment += Math.exp(l - peak) * (l - peak);
  });
  const sum = 1 + rest;
  return { winner, peak, second, rest, entropy: Math.log1p(rest) - moment / sum, margin: (1 - Math.exp(second - peak)) / sum };
}

/** Log-probability of an id in the distribution over what is not suppressed, nats. */
export function log_probability(logits: readonly number[], id: number): number {
  if (logits[id]! <= SUPPRESSED) return Number.NEGATIVE_INFINITY;
  const peak = Math.max(...logits);
  const sum = logits.reduce((total, l) => (l <= SUPPRESSED ? total : total + Math.exp(l - peak)), 0);
  return logits[id]! - peak - Math.log(sum);
}

/** KL in nats of the distribution of one row of logits from that of another, over what neither suppresses. */
export function divergence(logits: Numbers, before: Numbers): number {
  const [now, was] = [Array.from(logits), Array.from(before)];
  return now.reduce((sum, logit, id) => {
    if (logit <= SUPPRESSED) return sum;
    const p = log_probability(now, id);
    return sum + Math.exp(p) * (p - log_probability(was, id));
  }, 0);
}

/** 1 / confidence − 1 of a chosen id: under the raw distribution, or under the tempered one over the ids `kept`. */
export function row_answer(
  logits: readonly number[],
  id: number,
  tempered: { temperature: number; kept: readonly number[] } | null,
): number {
  const scale = tempered?.temperature ?? 1;
  const kept = tempered?.kept ?? logits.flatMap((l, i) => (l > SUPPRESSED ? [i] : []));
  return kept.reduce((sum, other) => (other === id ? sum : sum + Math.exp((logits[other]! - logits[id]!) / scale)), 0);
}

/** An answer as the reveal rules see it. */
export interface Candidate {
  readonly goal: number;
  readonly id: number;
  readonly doubt: number;
  readonly entropy: number;
  readonly score: number;
}

export interface Revealed {
  /** Indices into the answers. */
  readonly taken: number[];
  /** How near a compared quantity came to its bound: cases with too little of it prove nothing about f32. */
  readonly slack: number;
}

/** Which answers are written into the canvas. `open` are the places that still hold the mask. */
export function reveal(answers: readonly Candidate[], open: (place: number) => boolean, rule: Reveal): Revealed {
  const sequential = rule.rule === "sequential";
  const candidates = answers
    .map((answer, index) => ({ ...answer, index, confidence: 1 / (1 + answer.doubt) }))
    .filter(({ goal }) => open(goal))
    .sort((a, b) => (sequential || a.score === b.score ? a.goal - b.goal : b.score - a.score));
  let slack = Number.POSITIVE_INFINITY;
  const note = (value: number, bound: number): void => {
    if (value !== bound) slack = Math.min(slack, Math.abs(value - bound));
  };
  const confidentPrefix = (bound: number, strict: boolean): number => {
    const first = candidates.findIndex(({ confidence }) => {
      note(confidence, bound);
      return strict ? confidence <= bound : confidence < bound;
    });
    return first < 0 ? candidates.length : first;
  };
  const length = ((): number => {
    switch (rule.rule) {
      case "none":
        return 0;
      case "all":
        return candidates.length;
      case "count":
      case "sequential":
        return rule.count;
      case "threshold":
        return Math.max(1, confidentPrefix(rule.bound, rule.strict));
      case "dynamic": {
        const sure = confidentPrefix(rule.bound, rule.strict);
        return Math.max(1, sure, rule.count);
      }
      case "factor": {
        let n = 1;
        while (n < candidates.length) {
          const value = (n + 2) * (1 - candidates[n]!.confidence);
          note(value, rule.bound);
          if (value >= rule.bound) break;
          n++;
        }
        return n;
      }
      case "entropy-bound": {
        let n = 0;
        let sum = 0;
        let most = 0;
        for (const { entropy } of candidates) {
          sum += entropy;
          most = Math.max(most, entropy);
          note(sum - most, rule.bound);
          if (sum - most > rule.bound) break;
          n++;
        }
        return Math.max(1, n);
      }
    }
  })();
  return { taken: candidates.slice(0, length).map(({ index }) => index), slack };
}
