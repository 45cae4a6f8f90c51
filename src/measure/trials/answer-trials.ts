/** Trials of the kernels between the head and the canvas: what changes logits, statistics and answers, and the reveal. */

import type { DeviceProfile } from "../../gpu/profile";
import {
  ANSWER_BYTES,
  bias,
  guide,
  MOST_TOPS,
  PARTIAL_BYTES,
  penalize,
  REPORT_BYTES,
  reveal,
  revealCapacity,
  rowAnswer,
  rowStats,
  sampleCutoff,
  statsGeometry,
  suppress,
  topTokens,
} from "../../kernels/answer";
import type { Kernel } from "../../kernels/dispatch";
import { lanesOf } from "../../kernels/lanes";
import { readAnswers, readTop } from "../../model/pass";
import { type DistributionStats, distributionStats, penalised, topIds } from "./distributions";
import { normals } from "./numbers";
import {
  type Checked,
  compare,
  EPSILON,
  exactly,
  type PlanOptions,
  plainRows,
  planOf,
  type Trial,
  untouched,
  type Words,
} from "./trial";

/** Kinds of rows of logits: prime, as the periods of other operands. */
const KINDS = 5;
const SUPPRESSED = Math.fround(-1e30);

export interface AnswerSize {
  readonly profile: DeviceProfile;
  readonly vocabSize: number;
  readonly rows: number;
}

interface Logits {
  readonly kinds: readonly Float32Array[];
  /** [T, V], row t of kind t mod {@link KINDS}, and a margin. */
  readonly array: Float32Array<ArrayBuffer>;
}

function logitsOf(vocabSize: number, rows: number): Logits {
  const kinds = Array.from({ length: Math.min(KINDS, rows) }, (_, kind) => normals(vocabSize, kind + 1, 3));
  const array = untouched(rows * vocabSize);
  for (let t = 0; t < rows; t++) array.set(kinds[t % KINDS] as Float32Array, t * vocabSize);
  return { kinds, array };
}

/** A kernel that changes logits in place: what each row of each kind becomes. */
function editTrial(
  size: AnswerSize,
  kernel: Kernel,
  {
    list,
    plan = {},
    edit,
    off,
  }: {
    readonly list: Words;
    readonly plan?: PlanOptions & { readonly rows?: readonly Parameters<typeof planOf>[0][number][] };
    readonly edit: (logits: Float32Array) => ArrayLike<number>;
    readonly off: number;
  },
): Trial {
  const { vocabSize, rows } = size;
  const { kinds, array } = logitsOf(vocabSize, rows);
  const want = kinds.map(edit);
  const { rows: given = plainRows(rows), ...options } = plan;
  return {
    role: kernel.name,
    ...planOf(given, options),
    arrays: { list, logits: array },
    rotated: [],
    outputs: ["logits"],
    ways: [{ id: kernel.variant, steps: [{ kernel, bound: ["list", "logits"] }] }],
    check: ({ logits = [] }) =>
      compare(logits, rows * vocabSize, {
        want: (i) => want[Math.floor(i / vocabSize) % KINDS]?.[i % vocabSize] as number,
        tolerance: (i) => off * Math.abs(want[Math.floor(i / vocabSize) % KINDS]?.[i % vocabSize] as number),
      }),
  };
}

/** Two ids out of the distribution, as the mask and the end of a padded vocabulary are. */
export function suppressTrial(size: AnswerSize): Trial {
  const ids = [0, size.vocabSize - 1];
  return editTrial(size, suppress(size.vocabSize, ids.length), {
    list: Uint32Array.from(ids),
    plan: { sampling: { suppress: ids } },
    edit: (logits) => Float32Array.from(logits, (value, id) => (ids.includes(id) ? SUPPRESSED : value)),
    off: 0,
  });
}

export function biasTrial(size: AnswerSize): Trial {
  const biases = Array.from({ length: Math.min(16, size.vocabSize) }, (_, i): [number, number] => [
    Math.floor((i * (size.vocabSize - 1)) / 16),
    (i - 7.5) / 4,
  ]);
  const distinct = [...new Map(biases)];
  const list = new Uint32Array(2 * distinct.length);
  const floats = new Float32Array(list.buffer);
  distinct.forEach(([id, value], i) => {
    list[2 * i] = id;
    floats[2 * i + 1] = value;
  });
  return editTrial(size, bias(size.vocabSize, distinct.length), {
    list,
    plan: { sampling: { bias: distinct } },
    edit: (logits) => {
      const sums = Float64Array.from(logits);
      for (const [id, value] of distinct) sums[id] = (sums[id] as number) + value;
      return sums;
    },
    off: 4 * EPSILON,
  });
}

/** Penalties on 64 tokens, half of them the answer's, some of them twice. */
export function penalizeTrial(size: AnswerSize): Trial {
  const canvas = Uint32Array.from({ length: 64 }, (_, i) => ((i % 48) * 7919) % size.vocabSize);
  const penalties = { repetition: 1.25, presence: 0.5, frequency: 0.25 };
  const past = { start: 0, answer: 32, limit: canvas.length };
  return editTrial(size, penalize(size.profile, size.vocabSize), {
    list: canvas,
    plan: { sampling: { penalties }, rows: Array.from({ length: size.rows }, () => ({ past })) },
    edit: (logits) => penalised(logits, canvas, { ...penalties, answer: past.answer }),
    off: 16 * EPSILON,
  });
}

/** Guidance between a row and its twin, which is of the next kind or of the same. */
export function guideTrial({ vocabSize, rows }: AnswerSize): Trial {
  const { kinds, array } = logitsOf(vocabSize, 2 * rows);
  const scale = 1.5;
  const kernel = guide(vocabSize);
  const want = (i: number): number => {
    const [t, v] = [Math.floor(i / vocabSize), i % vocabSize];
    const own = kinds[t % KINDS]?.[v] as number;
    if (t >= rows) return own;
    const free = kinds[(t + rows) % KINDS]?.[v] as number;
    return free + (1 + scale) * (own - free);
  };
  const { plan } = planOf(plainRows(2 * rows), { guidance: { scale, twin: rows } });
  return {
    role: kernel.name,
    plan,
    extent: { rows, visible: 0, span: 0 },
    arrays: { logits: array },
    rotated: [],
    outputs: ["logits"],
    ways: [{ id: kernel.variant, steps: [{ kernel, bound: ["logits"] }] }],
    // Logits are normal with σ = 3: sums of a few of them stay below 64.
    check: ({ logits = [] }) =>
      compare(logits, 2 * rows * vocabSize, { want, tolerance: (i) => (i < rows * vocabSize ? 64 * 4 * EPSILON : 0) }),
  };
}

/** How far statistics of a row may be off, as a share: exp(x) to 3 + 2|x| units, sums of V terms. */
const statsError = (vocabSize: number): number => EPSILON * (16 + 4 * 40 + 4 * Math.sqrt(vocabSize));

function compareAnswers(
  words: Words,
  rows: number,
  { stats, vocabSize }: { stats: readonly DistributionStats[]; vocabSize: number },
): Checked {
  const answers = readAnswers(words.buffer, 0, rows);
  const off = statsError(vocabSize);
  let maxError = 0;
  for (const [t, { id, logit, doubt, entropy, margin }] of answers.entries()) {
    const want = stats[t % KINDS] as DistributionStats;
    const faults = [
      id !== want.winner && `winner ${id}, expected ${want.winner}`,
      logit !== want.peak && `logit ${logit}, expected ${want.peak}`,
      !(Math.abs(doubt - want.rest) <= off * want.rest) && `doubt ${doubt}, expected ${want.rest}`,
      !(Math.abs(entropy - want.entropy) <= off * (1 + want.entropy)) && `entropy ${entropy}, expected ${want.entropy}`,
      !(Math.abs(margin - want.margin) <= off) && `margin ${margin}, expected ${want.margin}`,
    ].filter(Boolean);
    maxError = Math.max(maxError, Math.abs(entropy - want.entropy), Math.abs(margin - want.margin));
    if (faults.length > 0) return { fault: `answer ${t}: ${faults[0]}`, maxError };
  }
  return { fault: null, maxError };
}

/** Statistics of every row (`row_stats`), or the answers made of them (`row_answer`): both are checked by the answers. */
export function statsTrial({ profile, vocabSize, rows }: AnswerSize, role: "row_stats" | "row_answer"): Trial {
  const { kinds, array } = logitsOf(vocabSize, rows);
  const geometry = statsGeometry(profile, vocabSize);
  const stats = kinds.map((logits) => distributionStats(logits));
  const counted = { kernel: rowStats(geometry, vocabSize, false), bound: ["logits", "cutoff", "partials"] };
  const answered = { kernel: rowAnswer(geometry, vocabSize), bound: ["partials", "logits", "answers"] };
  const way =
    role === "row_stats"
      ? { id: counted.kernel.variant, steps: [counted], after: [answered] }
      : { id: answered.kernel.variant, before: [counted], steps: [answered] };
  return {
    role,
    ...planOf(plainRows(rows)),
    arrays: {
      logits: array,
      cutoff: new Float32Array(rows),
      partials: rows * geometry.partials * PARTIAL_BYTES,
      answers: rows * ANSWER_BYTES,
    },
    rotated: [],
    outputs: ["answers"],
    ways: [way],
    check: ({ answers }) => compareAnswers(answers as Words, rows, { stats, vocabSize }),
  };
}

/** Top-k of 50 and a mass of 0.9: the cutoff is where the reference says, within what its sums may be off. */
export function cutoffTrial({ profile, vocabSize, rows }: AnswerSize): Trial {
  const { kinds, array } = logitsOf(vocabSize, rows);
  const sampling = { temperature: 0.8, topK: Math.min(50, Math.max(1, vocabSize >> 1)), topP: 0.9 };
  const kernel = sampleCutoff(lanesOf(profile), vocabSize);
  const filtered = kinds.map((logits) => {
    const order = Float64Array.from(logits).sort().reverse().slice(0, sampling.topK);
    const powers = order.map((logit) => Math.exp((logit - (order[0] as number)) / sampling.temperature));
    const all = powers.reduce((sum, power) => sum + power, 0);
    return { order, powers, all };
  });
  return {
    role: kernel.name,
    ...planOf(plainRows(rows), { sampling }),
    arrays: { logits: array, cutoff: untouched(rows) },
    rotated: [],
    outputs: ["cutoff"],
    ways: [{ id: kernel.variant, steps: [{ kernel, bound: ["logits", "cutoff"] }] }],
    check: ({ cutoff = [] }) => {
      for (let t = 0; t < rows; t++) {
        const { order, powers, all } = filtered[t % KINDS] as (typeof filtered)[number];
        const least = cutoff[t] as number;
        const mass = (counts: (logit: number) => boolean) =>
          powers.reduce((sum, power, i) => sum + (counts(order[i] as number) ? power : 0), 0);
        const [goal, slack] = [sampling.topP * all, 1e-4 * all];
        const right = order.includes(least) && mass((l) => l >= least) >= goal - slack && mass((l) => l > least) < goal + slack;
        const kept = mass((l) => l >= least);
        if (!right) return exactly(`cutoff ${t}: ${least} keeps ${kept} of ${all}, expected the least part from ${goal} on`);
      }
      return exactly(null);
    },
  };
}

/** The five most probable tokens. */
export function topTrial({ profile, vocabSize, rows }: AnswerSize): Trial {
  const tops = Math.min(5, MOST_TOPS, vocabSize);
  const { kinds, array } = logitsOf(vocabSize, rows);
  const want = kinds.map((logits) => ({ ids: topIds(logits, tops), logits, stats: distributionStats(logits) }));
  const answers = new Uint32Array((rows * ANSWER_BYTES) / 4);
  const floats = new Float32Array(answers.buffer);
  for (let t = 0; t < rows; t++) {
    const { peak, rest } = (want[t % KINDS] as (typeof want)[number]).stats;
    floats[(t * ANSWER_BYTES) / 4 + 2] = peak;
    floats[(t * ANSWER_BYTES) / 4 + 8] = -Math.log1p(rest);
  }
  const kernel = topTokens(profile, vocabSize);
  return {
    role: kernel.name,
    ...planOf(plainRows(rows), { sampling: { tops } }),
    arrays: { logits: array, answers, tops: rows * MOST_TOPS * 8 },
    rotated: [],
    outputs: ["tops"],
    ways: [{ id: kernel.variant, steps: [{ kernel, bound: ["logits", "answers", "tops"] }] }],
    check: ({ tops: words }) => {
      for (let t = 0; t < rows; t++) {
        const { ids, logits, stats } = want[t % KINDS] as (typeof want)[number];
        const got = readTop((words as Words).buffer, t, tops);
        for (const [rank, id] of ids.entries()) {
          const expected = (logits[id] as number) - stats.peak - Math.log1p(stats.rest);
          const one = got[rank];
          const right = one?.id === id && Math.abs(one.logProbability - expected) <= EPSILON * (64 + 4 * Math.abs(expected));
          if (!right)
            return exactly(`token ${rank} of row ${t}: expected ${id} (${expected}), came ${one?.id} (${one?.logProbability})`);
        }
      }
      return exactly(null);
    },
  };
}

/** Canvas id that stands for the mask; the answers propose it too, so that a reveal leaves the canvas as it was and can be repeated. */
const MASK = 7;

/** A reveal of the best quarter of the answers. */
export function revealTrial({ profile, rows }: Omit<AnswerSize, "vocabSize">): Trial {
  const count = Math.max(1, rows >> 2);
  const kernel = reveal(profile, revealCapacity(rows));
  const scores = normals(rows, 3);
  const best = [...scores.keys()].sort((a, b) => (scores[b] as number) - (scores[a] as number)).slice(0, count);
  const words = ANSWER_BYTES / 4;
  const answers = new Uint32Array(rows * words);
  const floats = new Float32Array(answers.buffer);
  for (let t = 0; t < rows; t++) {
    answers.set([t, MASK], t * words);
    floats[t * words + 6] = scores[t] as number;
  }
  return {
    role: kernel.name,
    ...planOf(plainRows(rows), {
      reveal: { rule: "count", count, metric: "confidence" },
      header: { maskId: MASK, report: 0 },
    }),
    arrays: {
      answers,
      canvas: new Uint32Array(rows).fill(MASK),
      reports: rows * REPORT_BYTES,
      taken: new Uint32Array(4),
    },
    rotated: [],
    outputs: ["answers", "reports", "taken"],
    ways: [{ id: kernel.variant, steps: [{ kernel, bound: ["answers", "canvas", "reports", "taken"] }] }],
    check: ({ answers: after, reports, taken }) => {
      if (taken?.[0] !== count) return exactly(`revealed ${taken?.[0]}, expected ${count}`);
      const goals = best.map((_, i) => new Uint32Array((reports as Words).buffer)[(i * REPORT_BYTES) / 4]);
      if (goals.some((goal, i) => goal !== best[i]))
        return exactly(`revealed ${goals.slice(0, 8)}…, expected ${best.slice(0, 8)}…`);
      const flags = new Uint32Array((after as Words).buffer);
      const wrong = scores.findIndex((_, t) => flags[t * words + 7] !== (best.includes(t) ? 1 : 0));
      return exactly(wrong < 0 ? null : `answer ${wrong}: marked ${flags[wrong * words + 7]}`);
    },
  };
}
