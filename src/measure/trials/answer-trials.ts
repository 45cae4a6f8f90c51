/** Trials of the kernels that make answers of logits, and reveal them: cutoffs, statistics, answers, most probable tokens. */
import {
  ANSWER_BYTES,
  MOST_TOPS,
  PARTIAL_BYTES,
  REPORT_BYTES,
  reveal,
  revealCapacity,
  rowAnswer,
  rowStats,
  sampleCutoff,
  statsGeometry,
  topTokens,
} from "../../kernels/answer";
import { lanesOf } from "../../kernels/lanes";
import { readAnswers, readTop } from "../../model/pass";
import { type DistributionStats, distributionStats, topIds } from "./distributions";
import { type AnswerSize, KINDS, logitsOf } from "./logit-trials";
import { normals } from "./numbers";
import { type Checked, EPSILON, exactly, plainRows, planOf, type Trial, untouched, type Words } from "./trial";

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
