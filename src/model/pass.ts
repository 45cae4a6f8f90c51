/** One model forward as data: rows, how their distributions are sampled, which are revealed. Decoders make passes; nothing here runs them. */
import { ANSWER_BYTES, MOST_TOPS, REPORT_BYTES } from "../kernels/answer";
import type { Extent } from "../kernels/dispatch";

/** One token at one place. */
export interface Row {
  /** Canvas index of the token. */
  readonly place: number;
  /** Rotary position. */
  readonly position: number;
  /** Cache row where its K and V are written. */
  readonly slot: number;
  /** Attends to cache rows [start, limit). */
  readonly start: number;
  readonly limit: number;
  /** Cache rows [from, to) that it does not see although they are in [start, limit). */
  readonly hole?: readonly [from: number, to: number] | undefined;
  /** Canvas index that its distribution answers, null where none is wanted (then the head does not run for it). */
  readonly goal: number | null;
  /** Token whose log-probability in this row's distribution the answer tells. */
  readonly probe?: number | undefined;
  /** Its logits stay in this of so many slots, for the next pass: the answer then tells how far the distribution has moved from what was there. */
  readonly kept?: readonly [slot: number, slots: number] | undefined;
  /** Random draws depend on seed, `draw` and `key` alone. Default: the forward's number in its run, and the goal. */
  readonly draw?: number | undefined;
  readonly key?: number | undefined;
  /** Tokens that penalties count: canvas places [start, limit), those from `answer` on being the answer's. Default none. */
  readonly past?: { readonly start: number; readonly answer: number; readonly limit: number } | undefined;
}

export type Metric = "confidence" | "entropy" | "margin" | "random";

/** What a distribution is and how a token is drawn from it. */
export interface Sampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly seed: number;
  /** Confidence under the tempered, filtered distribution (Dream, SDAR, Fast-dLLM v2) instead of the raw one (LLaDA). */
  readonly tempered: boolean;
  /** Ids that can never be drawn. */
  readonly suppress: readonly number[];
  /** Of known tokens: repetition (1 is off) of all, presence and frequency (0 is off) of the answer's. Before everything else; so is `bias`. */
  readonly penalties?: { readonly repetition: number; readonly presence: number; readonly frequency: number } | undefined;
  /** Added to logits, every id once. */
  readonly bias?: readonly (readonly [id: number, value: number])[] | undefined;
  /** How many of the most probable tokens each answer tells; at most {@link MOST_TOPS}. */
  readonly tops?: number | undefined;
}

export const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0, tempered: false, suppress: [] };

/** Which of the answers are written into the canvas; only places that hold the mask are candidates. */
export type Reveal =
  | { readonly rule: "none" }
  | { readonly rule: "all" }
  | { readonly rule: "count" | "sequential"; readonly count: number; readonly metric: Metric }
  | { readonly rule: "threshold"; readonly bound: number; readonly strict: boolean; readonly metric: Metric }
  | { readonly rule: "factor" | "entropy-bound"; readonly bound: number; readonly metric: Metric }
  | {
      readonly rule: "dynamic";
      readonly bound: number;
      readonly strict: boolean;
      readonly count: number;
      readonly metric: Metric;
    };

/**
 * Classifier-free guidance: the second half of the pass's rows is an unconditional twin of the first, on a canvas of its own `twin` places later.
 * Logits become u + (1 + scale)(c − u), and what is revealed is written to both canvases.
 */
export interface Guidance {
  readonly scale: number;
  readonly twin: number;
}

/** Canvas places [start, limit): while one of them holds the mask, nothing is revealed. */
export type Guard = readonly [start: number, limit: number];

/** A reveal over the next so many of a pass's answers, apart from the others: one sequence of a batch. */
export interface Group {
  /** Answers that it chooses among. */
  readonly answers: number;
  readonly reveal: Reveal;
  /** As a pass's. */
  readonly likely?: number | undefined;
  readonly guard?: Guard | undefined;
}

export interface Pass {
  readonly rows: readonly Row[];
  readonly reveal: Reveal;
  /** Several reveals in place of one, over contiguous ranges of the answers that cover them all. `reveal` is then of rule none. */
  readonly groups?: readonly Group[] | undefined;
  readonly guidance?: Guidance | undefined;
  /** Which answers come back: of every row with a goal (default), or the revealed ones alone, which takes a fraction of the bytes. */
  readonly report?: "all" | "revealed" | undefined;
  /** How many answers a rule without a count is likely to reveal: room for reports; more are fetched in a second readback. Default 4. */
  readonly likely?: number | undefined;
  readonly guard?: Guard | undefined;
  /** Ids that may be drawn, a bit each, 32 a word, the lowest first; all others have no probability. The pass is then a submit of its own. Default: all. */
  readonly allowed?: Uint32Array<ArrayBuffer> | undefined;
  /** Number of the forward in its run, which random draws depend on. Default: the engine's own count. */
  readonly draw?: number | undefined;
}

/** A token and its log-probability in nats. */
export interface TopToken {
  readonly id: number;
  readonly logProbability: number;
}

/** What is known of a row's distribution. */
export interface Answer {
  /** Canvas index it answers. */
  readonly goal: number;
  /** Proposed token. */
  readonly id: number;
  readonly logit: number;
  /** Probability of the proposed token; `doubt` = 1/confidence − 1 stays resolved where the confidence rounds to 1. */
  readonly confidence: number;
  readonly doubt: number;
  /** Nats, of the raw distribution. */
  readonly entropy: number;
  /** Probability of the winner minus that of the runner-up. */
  readonly margin: number;
  readonly score: number;
  /** Of the proposed token in the raw distribution (what is suppressed left out), nats. */
  readonly logProbability: number;
  /** Of the row's probe in the raw distribution, nats; −∞ for a suppressed token. Only where a probe was asked for. */
  readonly probe?: number | undefined;
  /** KL in nats of the distribution from the one that was kept in its slot before, whatever that was. Only where the row keeps its logits. */
  readonly divergence?: number | undefined;
  /** The most probable tokens of the raw distribution, best first, where they were asked for. */
  readonly top?: readonly TopToken[] | undefined;
  readonly revealed: boolean;
}

/** Counts of a pass that decide what its kernels cost. */
export function extentOf(rows: readonly Row[]): Extent {
  let visible = 0;
  // The furthest limit of each start: intervals with one start are one piece of what is seen.
  const pieces = new Map<number, number>();
  const see = (from: number, to: number): void => {
    if (to <= from) return;
    visible += to - from;
    pieces.set(from, Math.max(pieces.get(from) ?? 0, to));
  };
  let sparse = false;
  for (const { start, limit, hole } of rows) {
    const [from, to] = hole ?? [limit, limit];
    see(start, Math.min(limit, from));
    see(Math.max(start, to), limit);
    sparse ||= start !== rows[0]?.start || Math.max(from, start) < Math.min(to, limit);
  }
  let span = 0;
  let end = 0;
  for (const [from, to] of [...pieces].sort(([a], [b]) => a - b)) {
    span += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return { rows: rows.length, visible, span, sparse };
}

const RULES: Readonly<Record<Reveal["rule"], number>> = {
  none: 0,
  all: 1,
  count: 2,
  threshold: 3,
  factor: 4,
  "entropy-bound": 5,
  dynamic: 6,
  sequential: 7,
};
const METRICS: Readonly<Record<Metric, number>> = { confidence: 0, entropy: 1, margin: 2, random: 3 };

/** Words of a plan's header and of one of its rows, as `lib/plan.wgsl` lays them out. */
const HEADER_WORDS = 26;
const ROW_WORDS = 16;
/** No goal: the reveal kernel never sees such rows. */
const NOWHERE = 0xffffffff;
/** As `lib/answer.wgsl` and `reveal.wgsl` lay them out. */
const ANSWER_WORDS = ANSWER_BYTES / 4;
const REPORT_WORDS = REPORT_BYTES / 4;

/** Bytes of a plan of so many rows, at the alignment of dynamic offsets. */
export const planBytes = (rows: number): number => Math.ceil(((HEADER_WORDS + ROW_WORDS * rows) * 4) / 256) * 256;

export interface PlanHeader {
  /** Index of the first row's answer. */
  readonly first: number;
  readonly maskId: number;
  /** Forwards of the run before this pass: what the draws of rows depend on that name none. */
  readonly draw: number;
  /** Number of the reveal among those of its submit that report what they reveal; absent where it does not. */
  readonly report?: number | undefined;
  readonly guard?: Guard | undefined;
}

/** Writes a plan into the arena's words at `byteOffset`. `sources[i]` is the hidden row that row i of the head's plan reads. */
export function writePlan(
  words: Uint32Array,
  byteOffset: number,
  rows: readonly Row[],
  sources: readonly number[] | null,
  {
    reveal,
    sampling,
    header,
    guidance,
  }: { reveal: Reveal; sampling: Sampling; header: PlanHeader; guidance?: Guidance | undefined },
): void {
  const at = byteOffset / 4;
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  words.set([rows.length, header.first, header.maskId, sampling.seed, 0, sampling.topK, 0, 0, sampling.tempered ? 1 : 0], at);
  floats[at + 4] = sampling.temperature;
  floats[at + 6] = sampling.topP;
  floats[at + 7] = sampling.minP;
  words[at + 9] = "metric" in reveal ? METRICS[reveal.metric] : 0;
  words[at + 10] = RULES[reveal.rule];
  words[at + 11] = "count" in reveal ? reveal.count : 0;
  floats[at + 12] = "bound" in reveal ? reveal.bound : 0;
  words[at + 13] = "strict" in reveal && reveal.strict ? 1 : 0;
  words[at + 14] = sampling.suppress.length;
  floats[at + 15] = guidance?.scale ?? 0;
  words[at + 16] = guidance?.twin ?? 0;
  words[at + 17] = header.report ?? 0;
  words[at + 18] = header.report === undefined ? 0 : 1;
  floats[at + 19] = sampling.penalties?.repetition ?? 1;
  floats[at + 20] = sampling.penalties?.presence ?? 0;
  floats[at + 21] = sampling.penalties?.frequency ?? 0;
  words[at + 22] = sampling.bias?.length ?? 0;
  words[at + 23] = sampling.tops ?? 0;
  words[at + 24] = header.guard?.[0] ?? 0;
  words[at + 25] = header.guard?.[1] ?? 0;
  let to = at + HEADER_WORDS;
  rows.forEach(({ place, position, slot, start, limit, hole, goal, probe, draw, key, past, kept }, i) => {
    words[to] = place;
    words[to + 1] = position;
    words[to + 2] = slot;
    words[to + 3] = start;
    words[to + 4] = limit;
    words[to + 5] = sources ? (sources[i] as number) : i;
    words[to + 6] = goal ?? NOWHERE;
    words[to + 7] = probe ?? NOWHERE;
    words[to + 8] = hole?.[0] ?? 0;
    words[to + 9] = hole?.[1] ?? 0;
    words[to + 10] = draw ?? header.draw;
    words[to + 11] = key ?? goal ?? 0;
    words[to + 12] = past?.start ?? 0;
    words[to + 13] = past?.answer ?? 0;
    words[to + 14] = past?.limit ?? 0;
    words[to + 15] = kept?.[0] ?? NOWHERE;
    to += ROW_WORDS;
  });
}

/** What a suppressed logit makes of a log-probability. */
const IMPOSSIBLE = -1e29;

/** Reads `count` answers, the first one at byte `offset`; `probed(i)` and `kept(i)` say whether answer i was asked for its probe, kept its logits. */
export function readAnswers(
  bytes: ArrayBuffer,
  offset: number,
  count: number,
  probed: (i: number) => boolean = () => false,
  kept: (i: number) => boolean = () => false,
): Answer[] {
  const words = new Uint32Array(bytes, offset, count * ANSWER_WORDS);
  const floats = new Float32Array(bytes, offset, count * ANSWER_WORDS);
  return Array.from({ length: count }, (_, i) => {
    const at = i * ANSWER_WORDS;
    const doubt = floats[at + 3] as number;
    const probe = floats[at + 9] as number;
    return {
      goal: words[at] as number,
      id: words[at + 1] as number,
      logit: floats[at + 2] as number,
      confidence: 1 / (1 + doubt),
      doubt,
      entropy: floats[at + 4] as number,
      margin: floats[at + 5] as number,
      score: floats[at + 6] as number,
      logProbability: floats[at + 8] as number,
      ...(probed(i) ? { probe: probe <= IMPOSSIBLE ? Number.NEGATIVE_INFINITY : probe } : {}),
      ...(kept(i) ? { divergence: floats[at + 10] as number } : {}),
      revealed: words[at + 7] === 1,
    };
  });
}

/** Reads `count` reports of revealed answers, the first one at byte `offset`. */
export function readReports(bytes: ArrayBuffer, offset: number, count: number): Answer[] {
  const words = new Uint32Array(bytes, offset, count * REPORT_WORDS);
  const floats = new Float32Array(bytes, offset, count * REPORT_WORDS);
  return Array.from({ length: count }, (_, i) => {
    const at = i * REPORT_WORDS;
    const doubt = floats[at + 3] as number;
    return {
      goal: words[at] as number,
      id: words[at + 1] as number,
      logit: floats[at + 2] as number,
      confidence: 1 / (1 + doubt),
      doubt,
      entropy: floats[at + 4] as number,
      margin: floats[at + 5] as number,
      score: floats[at + 6] as number,
      logProbability: floats[at + 7] as number,
      revealed: true,
    };
  });
}

/** Most probable tokens of the answer at index `at` of the tops' bytes. */
export function readTop(bytes: ArrayBuffer, at: number, count: number): TopToken[] {
  const words = new Uint32Array(bytes, at * MOST_TOPS * 8, 2 * count);
  const floats = new Float32Array(bytes, at * MOST_TOPS * 8, 2 * count);
  const all = Array.from({ length: count }, (_, i) => ({
    id: words[2 * i] as number,
    logProbability: floats[2 * i + 1] as number,
  }));
  return all.filter(({ id }) => id !== NOWHERE);
}
