/** Which answers a rule takes, against a float64 reference: random answers, literal vectors, ties, limits. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import type { DeviceProfile } from "../../src/gpu/profile";
import { ANSWER_BYTES, REPORT_BYTES, reveal } from "../../src/kernels/answer";
import { type Reveal, readAnswers, readReports } from "../../src/model/pass";
import { testGpu } from "../support/goldens";
import { gpuProfile, type Job, MARGIN, plainRows, runJobs } from "../support/kernel";
import * as reference from "../support/reference";

const MASK = 99;
const KNOWN = 7;
const UNTOUCHED = 0xabcdef;

interface Case {
  readonly answers: readonly reference.Candidate[];
  /** MASK or a known token at every place. */
  readonly canvas: readonly number[];
  readonly rule: Reveal;
}

let profiles: DeviceProfile[];
beforeAll(async () => {
  const { profile } = await testGpu();
  profiles = [{ ...profile, software: true }, gpuProfile(profile)];
});

/** Answers before those of the pass, which belong to another. */
const FIRST = 2;
const WORDS = ANSWER_BYTES / 4;

function jobOf(profile: DeviceProfile, { answers, canvas, rule }: Case): Job {
  const words = new Uint32Array((FIRST + answers.length) * WORDS + MARGIN).fill(UNTOUCHED);
  const floats = new Float32Array(words.buffer);
  answers.forEach(({ goal, id, doubt, entropy, score }, i) => {
    const at = (FIRST + i) * WORDS;
    words.set([goal, id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], at);
    floats.set([doubt, entropy, 0, score], at + 3);
  });
  const kernel = reveal(profile, 512);
  const reports = new Uint32Array(16 * (REPORT_BYTES / 4)).fill(UNTOUCHED);
  const taken = new Uint32Array(8).fill(UNTOUCHED);
  const bound = [words, Uint32Array.from([...canvas, ...new Array(MARGIN).fill(MASK)]), reports, taken];
  return { kernel, bound, rows: plainRows(answers.length), reveal: rule, header: { first: FIRST, maskId: MASK } };
}

/** Runs cases on every geometry; gives the indices that each took, and throws where anything else changed. */
async function takenBy(cases: readonly Case[]): Promise<number[][]> {
  const [own, gpu] = await Promise.all(
    profiles.map(async (profile) => {
      const results = await runJobs(cases.map((c) => jobOf(profile, c)));
      return results.map(([words, canvas], i) => {
        const { answers, canvas: before } = cases[i]!;
        const taken = answers.flatMap((_, a) => (words![(FIRST + a) * WORDS + 7] === 1 ? [a] : []));
        const want = [...before];
        for (const a of taken) want[answers[a]!.goal] = answers[a]!.id;
        expect([...canvas!]).toEqual([...want, ...new Array(MARGIN).fill(MASK)]);
        expect(taken.every((a) => before[answers[a]!.goal] === MASK)).toBe(true);
        const outside = [...words!.subarray(0, FIRST * WORDS), ...words!.subarray((FIRST + answers.length) * WORDS)];
        expect(outside.every((word) => word === UNTOUCHED)).toBe(true);
        return taken;
      });
    }),
  );
  expect(gpu).toEqual(own);
  return own!;
}

const expected = ({ answers, canvas, rule }: Case): reference.Revealed =>
  reference.reveal(answers, (place) => canvas[place] === MASK, rule);

const f32 = Math.fround;

/** Coarse values, so that ties are common. */
const candidate = fc.record({
  confidence: fc.oneof(
    fc.integer({ min: 1, max: 64 }).map((n) => n / 64),
    fc.constantFrom(1e-9, 1e-20),
  ),
  entropy: fc.integer({ min: 0, max: 64 }).map((n) => n / 32),
  other: fc.integer({ min: -8, max: 8 }).map((n) => n / 8),
});
const metric = fc.constantFrom("confidence" as const, "entropy" as const, "margin" as const);
const bound = fc.double({ min: -0.1, max: 1.1, noNaN: true });
const count = fc.integer({ min: 1, max: 50 });
const rules: fc.Arbitrary<Reveal> = fc.oneof(
  fc.constantFrom<Reveal>({ rule: "none" }, { rule: "all" }),
  fc.record({ rule: fc.constantFrom("count" as const, "sequential" as const), count, metric }),
  fc.record({ rule: fc.constant("threshold" as const), bound, strict: fc.boolean(), metric }),
  fc.record({ rule: fc.constantFrom("factor" as const, "entropy-bound" as const), bound: bound.map((b) => 2 * b), metric }),
  fc.record({ rule: fc.constant("dynamic" as const), bound, strict: fc.boolean(), count, metric }),
);

/** Moves a bound off the values compared with it: on a bound, f32 and float64 may rightly differ. */
function offBound(given: Case): Case {
  let { rule } = given;
  for (let i = 0; i < 100 && "bound" in rule && expected({ ...given, rule }).slack < 1e-4; i++) {
    rule = { ...rule, bound: rule.bound + 3e-4 };
  }
  return { ...given, rule };
}

const cases: fc.Arbitrary<Case> = fc
  .tuple(fc.array(candidate, { minLength: 1, maxLength: 70 }), rules, fc.infiniteStream(fc.nat(1000)))
  .map(([candidates, rule, stream]) => {
    const dice = () => stream.next().value as number;
    const places = candidates.length + 5;
    const canvas = Array.from({ length: places }, () => (dice() % 4 === 0 ? KNOWN : MASK));
    const free = Array.from({ length: places }, (_, i) => i);
    const byConfidence = dice() % 2 === 0;
    const answers = candidates.map(({ confidence, entropy, other }, i) => {
      const doubt = confidence < 1e-6 ? confidence : f32(1 / confidence - 1);
      const goal = free.splice(dice() % free.length, 1)[0]!;
      return { goal, id: 1000 + i, doubt, entropy, score: byConfidence ? -doubt : other };
    });
    return offBound({ answers, canvas, rule });
  });

test("random answers under every rule", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(cases, { minLength: 40, maxLength: 40 }), async (batch) => {
      const taken = await takenBy(batch);
      batch.forEach((c, i) => {
        const want = [...expected(c).taken].sort((a, b) => a - b);
        expect(taken[i], `${JSON.stringify(c.rule)} of ${c.answers.length}`).toEqual(want);
        const open = c.answers.filter(({ goal }) => c.canvas[goal] === MASK).length;
        if (c.rule.rule !== "none" && open > 0) expect(taken[i]!.length).toBeGreaterThan(0);
      });
    }),
    { numRuns: 12, seed: 20, endOnFailure: true },
  );
});

/** Answers at places 0, 1, 2… with these confidences (and entropies), ranked by confidence. */
const sure = (confidences: readonly number[], entropies: readonly number[] = []): reference.Candidate[] =>
  confidences.map((c, i) => ({
    goal: i,
    id: 100 + i,
    doubt: f32(1 / c - 1),
    entropy: entropies[i] ?? 0,
    score: -f32(1 / c - 1),
  }));
const masks = (n: number): number[] => new Array(n).fill(MASK);
const confidence = "confidence" as const;
const threshold = (bound: number, strict = false): Reveal => ({ rule: "threshold", bound, strict, metric: confidence });
const factor = (bound: number): Reveal => ({ rule: "factor", bound, metric: confidence });
const entropyBound = (bound: number): Reveal => ({ rule: "entropy-bound", bound, metric: "entropy" });
const dynamic = (bound: number, count: number): Reveal => ({ rule: "dynamic", bound, strict: true, count, metric: confidence });
const best = (count: number): Reveal => ({ rule: "count", count, metric: confidence });
const leftmost = (count: number): Reveal => ({ rule: "sequential", count, metric: confidence });
/** Ranked by entropy, the lowest first. */
const calm = (entropies: readonly number[]) =>
  sure(
    entropies.map(() => 0.5),
    entropies,
  ).map((a) => ({ ...a, score: -a.entropy }));

/** [what, answers, canvas, rule, indices taken] */
const LITERAL: readonly (readonly [string, reference.Candidate[], number[], Reveal, number[]])[] = [
  ["threshold .9", sure([0.95, 0.901, 0.4, 0.85]), masks(4), threshold(0.9), [0, 1]],
  ["threshold .9, none reaches it: the best", sure([0.5, 0.4, 0.3, 0.2]), masks(4), threshold(0.9), [0]],
  ["threshold .9, place 0 known", sure([0.99, 0.95, 0.97, 0.2]), [KNOWN, MASK, MASK, MASK], threshold(0.9), [1, 2]],
  ["threshold on the bound is taken", sure([0.75, 0.5, 0.25]), masks(3), threshold(0.5), [0, 1]],
  ["strict threshold on the bound is not", sure([0.75, 0.5, 0.25]), masks(3), threshold(0.5, true), [0]],
  ["threshold above 1: one", sure([1, 1, 1]), masks(3), threshold(1.01), [0]],
  ["threshold 1, strict: one", sure([1, 1, 1]), masks(3), threshold(1, true), [0]],
  ["threshold 0: all", sure([0.1, 0.2]), masks(2), threshold(0), [0, 1]],
  ["factor 1: three sure ones", sure([0.99, 0.98, 0.97]), masks(3), factor(1), [0, 1, 2]],
  ["factor 1: the last fails", sure([0.99, 0.98, 0.1]), masks(3), factor(1), [0, 1]],
  ["factor 1: the second fails", sure([0.99, 0.1, 0.05]), masks(3), factor(1), [0]],
  ["factor 1: two, the second fails", sure([0.99, 0.6]), masks(2), factor(1), [0]],
  ["factor: rank 1 always passes", sure([0.01]), masks(1), factor(0.001), [0]],
  ["entropy bound .05", calm([0, 0.02, 0.05, 0.5]), masks(4), entropyBound(0.05), [0, 1, 2]],
  ["entropy bound .1: the largest is not counted", calm([0, 0.02, 0.05, 0.5]), masks(4), entropyBound(0.1), [0, 1, 2, 3]],
  ["entropy bound 0: the sure ones and one more", calm([0, 0, 0.05, 0.5]), masks(4), entropyBound(0), [0, 1, 2]],
  ["entropy bound without end: all", calm([3, 9, 2]), masks(3), entropyBound(1e30), [0, 1, 2]],
  ["entropy: the lowest first", calm([2, 0.1]), masks(2), { rule: "count", count: 1, metric: "entropy" }, [1]],
  ["dynamic: enough above the bound", sure([0.9, 0.8, 0.7, 0.95]), masks(4), dynamic(0.85, 1), [0, 3]],
  ["dynamic: too few above it", sure([0.9, 0.8, 0.7, 0.95]), masks(4), dynamic(0.85, 3), [0, 1, 3]],
  ["dynamic: the count passes the masks", sure([0.9, 0.8]), [MASK, KNOWN], dynamic(0.85, 4), [0]],
  ["count: known places are not counted", sure([0.9, 0.8, 0.7]), [KNOWN, MASK, MASK], best(1), [1]],
  ["count beyond the masks: all", sure([0.9, 0.8, 0.7]), [KNOWN, MASK, MASK], best(9), [1, 2]],
  ["sequential: the leftmost, however unsure", sure([0.1, 0.9, 0.2, 0.8]), masks(4), leftmost(2), [0, 1]],
  ["ties: the lowest places", sure([0.5, 0.5, 0.5, 0.5]), masks(4), best(2), [0, 1]],
  ["all", sure([0.1, 0.9]), [MASK, KNOWN], { rule: "all" }, [0]],
  ["none", sure([0.9, 0.9]), masks(2), { rule: "none" }, []],
  ["nothing masked", sure([0.9, 0.9]), [KNOWN, KNOWN], threshold(0.1), []],
];

test("literal vectors", async () => {
  const taken = await takenBy(LITERAL.map(([, answers, canvas, rule]) => ({ answers, canvas, rule })));
  LITERAL.forEach(([what, answers, canvas, rule, want], i) => {
    expect(taken[i], what).toEqual(want);
    expect(expected({ answers, canvas, rule }).taken.sort(), `reference: ${what}`).toEqual(want);
  });
});

describe("limits", () => {
  /** Confidences over many magnitudes, places backwards. */
  const many = (n: number): reference.Candidate[] =>
    Array.from({ length: n }, (_, i) => {
      const doubt = f32(10 ** -((i * 7919) % 31));
      return { goal: n - 1 - i, id: 5000 + i, doubt, entropy: 0, score: -doubt };
    });

  test.each([1, 3, 4, 5, 63, 64, 65, 511, 512])("%i answers", async (n) => {
    const list: Case[] = [best(Math.ceil(n / 2)), threshold(0.999), { rule: "all" } as const, leftmost(n - 1 || 1)].map(
      (rule) => ({
        answers: many(n),
        canvas: masks(n),
        rule,
      }),
    );
    const taken = await takenBy(list);
    list.forEach((c, i) => {
      expect(taken[i], c.rule.rule).toEqual(expected(c).taken.sort((a, b) => a - b));
    });
  });

  test("where confidence rounds to 1, doubt still ranks", async () => {
    const doubts = [1e-20, 1e-10, 1e-30, 1e-15];
    const answers = doubts.map((doubt, i) => ({ goal: i, id: i, doubt, entropy: 0, score: -doubt }));
    const rules = [1, 2, 3].map(best);
    expect(await takenBy(rules.map((rule) => ({ answers, canvas: masks(4), rule })))).toEqual([[2], [0, 2], [0, 2, 3]]);
  });

  test("with a twin canvas, tokens are written to both", async () => {
    const canvas = [...masks(4), KNOWN, ...masks(3)];
    const job = {
      ...jobOf(profiles[0]!, { answers: sure([0.9, 0.2, 0.8]), canvas, rule: best(2) }),
      guidance: { scale: 1, twin: 4 },
    };
    const [, written] = (await runJobs([job]))[0]!;
    expect([...written!.subarray(0, 8)]).toEqual([100, MASK, 102, MASK, 100, MASK, 102, MASK]);
  });

  test.each([0, 1, 3])("what is revealed is reported best first, behind what %i reveals before took", async (report) => {
    const c: Case = { answers: sure([0.9, 0.2, 0.8, 0.95, 0.1]), canvas: [MASK, MASK, MASK, MASK, KNOWN], rule: best(3) };
    const job = jobOf(profiles[0]!, c);
    const before = [2, 0, 5].slice(0, report);
    const taken = Uint32Array.from([...before, ...new Array<number>(8 - report).fill(UNTOUCHED)]);
    const bound = [...job.bound.slice(0, 3), taken];
    const [answers, , reports, counts] = (await runJobs([{ ...job, bound, header: { ...job.header, report } }]))[0]!;
    const order = [3, 0, 2];
    const behind = before.reduce((a, b) => a + b, 0);
    const words = REPORT_BYTES / 4;
    const got = readReports(reports!.buffer as ArrayBuffer, behind * REPORT_BYTES, order.length);
    expect(got.map(({ id, revealed }) => [id, revealed])).toEqual(order.map((i) => [100 + i, true]));
    expect(got).toEqual(order.map((i) => readAnswers(answers!.buffer as ArrayBuffer, (FIRST + i) * ANSWER_BYTES, 1)[0]));
    const outside = [...reports!.subarray(0, behind * words), ...reports!.subarray((behind + order.length) * words)];
    expect(outside.every((word) => word === UNTOUCHED)).toBe(true);
    expect([...counts!]).toEqual([...before, 3, ...new Array<number>(7 - report).fill(UNTOUCHED)]);
  });

  test("where nothing is open, none is told; without a report nothing is written", async () => {
    const job = jobOf(profiles[0]!, { answers: sure([0.9, 0.2]), canvas: [KNOWN, KNOWN], rule: best(1) });
    const [told, silent] = await runJobs([{ ...job, header: { ...job.header, report: 0 } }, job]);
    expect(told![3]![0]).toBe(0);
    for (const array of [told![2]!, silent![2]!, silent![3]!]) expect([...array].every((word) => word === UNTOUCHED)).toBe(true);
  });

  test.each([
    ["a mask within it", [3, 6], true],
    ["masks beside it", [4, 6], false],
    ["an empty one", [3, 3], false],
  ] as const)("a guard with %s", async (_, guard, holds) => {
    const canvas = [MASK, MASK, KNOWN, MASK, KNOWN, KNOWN, MASK];
    for (const profile of profiles) {
      const job = jobOf(profile, { answers: sure([0.9, 0.8]), canvas, rule: { rule: "all" } });
      const [answers, written, , taken] = (await runJobs([{ ...job, header: { ...job.header, guard, report: 0 } }]))[0]!;
      expect([...written!.subarray(0, 2)]).toEqual(holds ? [MASK, MASK] : [100, 101]);
      expect(taken![0]).toBe(holds ? 0 : 2);
      const read = readAnswers(answers!.buffer as ArrayBuffer, FIRST * ANSWER_BYTES, 2);
      expect(read.map(({ revealed }) => revealed)).toEqual([!holds, !holds]);
    }
  });

  test("the order of the answers does not matter", async () => {
    const c: Case = { answers: many(40), canvas: masks(40), rule: best(11) };
    const [straight, backwards] = await takenBy([c, { ...c, answers: [...c.answers].reverse() }]);
    expect(backwards!.map((i) => 39 - i).sort((a, b) => a - b)).toEqual(straight);
  });
});
