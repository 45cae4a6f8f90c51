/**
 * guide, suppress, row_stats and row_answer against float64 loops, for every size around a chunk and every geometry.
 * Error of Σ exp(l − peak): exp(x) to 3 + 2|x| units, a rescaling at each new maximum.
 */
import { describe, expect, test } from "vitest";
import { guide, type StatsGeometry, statsGeometry, suppress } from "../../src/kernels/answer";
import { lanesOf } from "../../src/kernels/lanes";
import { answersOf, type Question } from "../support/answers";
import { testGpu } from "../support/goldens";
import { EPSILON, firstFault, firstTouched, gpuProfile, normals, plainRows, runKernel, untouched } from "../support/kernel";
import * as reference from "../support/reference";

const SIZES = [1, 2, 3, 5, 1023, 1024, 1025, 5000];
const NEVER = reference.SUPPRESSED;

/** Rows of one vocabulary size, each awkward in its own way. */
function rowsOf(V: number): Record<string, Float32Array<ArrayBuffer>> {
  const random = normals(V, V, 3);
  const only = (id: number, value: number) => Float32Array.from({ length: V }, (_, i) => (i === id ? value : NEVER));
  return {
    random,
    tied: Float32Array.from(random, (value) => Math.round(value)),
    equal: new Float32Array(V).fill(-3.25),
    "one left, first": only(0, 5),
    "one left, last": only(V - 1, -5),
    "half suppressed": Float32Array.from(random, (value, i) => (i % 2 && V > 1 ? NEVER : value)),
    "huge ±": Float32Array.from(random, (value) => value * 1e4),
    "huge and near": Float32Array.from(random, (value) => 1e4 + Math.round(value)),
    "far below": Float32Array.from(random, (value) => value - 1e4),
    rising: Float32Array.from({ length: V }, (_, i) => i * 0.01),
    falling: Float32Array.from({ length: V }, (_, i) => -i * 0.01),
  };
}

async function geometries(V: number): Promise<StatsGeometry[]> {
  const { profile } = await testGpu();
  const small = { chunk: 64, width: 4, partials: Math.ceil(V / 64) * 4 };
  return [statsGeometry({ ...profile, software: true }, V), statsGeometry(gpuProfile(profile), V), small];
}

describe("row_stats and row_answer", () => {
  test.each(SIZES)("V = %i", async (V) => {
    const named = rowsOf(V);
    const names = Object.keys(named);
    const logits = new Float32Array(names.length * V);
    names.forEach((name, i) => {
      logits.set(named[name]!, i * V);
    });
    const lanes = lanesOf((await testGpu()).profile);
    const questions: Question[] = (await geometries(V)).map((geometry) => ({ logits, vocabSize: V, geometry, lanes }));
    const results = await answersOf(questions);
    results.forEach((answers, g) => {
      answers.forEach((answer, i) => {
        const row = [...named[names[i]!]!];
        const want = reference.row_stats(row);
        const what = `${names[i]}, chunks of ${questions[g]!.geometry.chunk}`;
        expect([answer.goal, answer.id, answer.logit, answer.revealed], what).toEqual([i, want.winner, want.peak, false]);
        const seen = row.filter((l) => l > NEVER && want.peak - l < 88);
        const gap = want.peak - Math.min(...seen);
        const relative = EPSILON * (16 + 4 * gap + 4 * Math.sqrt(V));
        expect(Math.abs(answer.doubt - want.rest), `doubt, ${what}`).toBeLessThanOrEqual(relative * want.rest + 1e-37);
        expect(Math.abs(answer.entropy - want.entropy), `entropy, ${what}`).toBeLessThanOrEqual(relative * (1 + want.entropy));
        expect(Math.abs(answer.margin - want.margin), `margin, ${what}`).toBeLessThanOrEqual(relative);
        expect(answer.score + answer.doubt, what).toBe(0);
      });
    });
  });

  test.each([1, 5, 1025])("the log-probability of the winner and of a probe, V = %i", async (V) => {
    const named = rowsOf(V);
    const rows = Object.values(named);
    const logits = Float32Array.from(rows.flatMap((row) => [...row]));
    const lanes = lanesOf((await testGpu()).profile);
    const probes = rows.map((_, i) => (i === 0 ? undefined : (7919 * i) % V));
    for (const geometry of await geometries(V)) {
      const [answers] = await answersOf([{ logits, vocabSize: V, geometry, lanes, probes }]);
      answers!.forEach((answer, i) => {
        const row = [...rows[i]!];
        const near = (got: number, id: number) => {
          const want = reference.log_probability(row, id);
          if (want === Number.NEGATIVE_INFINITY) expect(got).toBe(want);
          else expect(Math.abs(got - want)).toBeLessThanOrEqual(EPSILON * (16 + 4 * Math.sqrt(V) + 2 * Math.abs(want)));
        };
        near(answer.logProbability, answer.id);
        expect(answer.probe === undefined).toBe(i === 0);
        if (answer.probe !== undefined) near(answer.probe, probes[i]!);
      });
    }
  });

  test("with a temperature, the raw log-probability of what was drawn", async () => {
    const V = 40;
    const logits = normals(30 * V, 5, 2);
    const base = { logits, vocabSize: V, geometry: (await geometries(V))[0]!, lanes: lanesOf((await testGpu()).profile) };
    for (const tempered of [false, true]) {
      const [answers] = await answersOf([{ ...base, sampling: { temperature: 2, topK: 7, tempered } }]);
      answers!.forEach(({ id, logProbability }, i) => {
        expect(logProbability).toBeCloseTo(reference.log_probability([...logits.subarray(i * V, (i + 1) * V)], id), 4);
      });
      expect(new Set(answers!.map(({ id }) => id)).size).toBeGreaterThan(5);
    }
  });

  test("doubt stays resolved where confidence rounds to 1, and orders strictly", async () => {
    const V = 8;
    const doubts = [1e-5, 1e-7, 3e-8, 1e-8, 1e-9, 1e-12, 1e-20, 1.1e-30, 1e-30];
    const logits = new Float32Array(doubts.length * V);
    doubts.forEach((doubt, i) => {
      for (let v = 0; v < V; v++) logits[i * V + v] = v === 3 ? 20 : Math.log(doubt / (V - 1)) + 20;
    });
    const lanes = lanesOf((await testGpu()).profile);
    for (const geometry of await geometries(V)) {
      const [answers] = await answersOf([{ logits, vocabSize: V, geometry, lanes }]);
      expect(answers!.filter(({ doubt }) => Math.fround(1 / (1 + doubt)) === 1).length).toBeGreaterThanOrEqual(6);
      answers!.forEach((answer, i) => {
        expect(Math.abs(answer.doubt / doubts[i]! - 1), `doubt ${doubts[i]}`).toBeLessThan(1e-4);
        if (i > 0) expect(answer.score).toBeGreaterThan(answers![i - 1]!.score);
      });
    }
  });

  test("each metric scores the surer row higher, the random one by goal, seed and draw alone", async () => {
    const V = 40;
    const sure = Float32Array.from({ length: V }, (_, i) => (i === 7 ? 6 : 0));
    const unsure = Float32Array.from({ length: V }, (_, i) => (i === 7 ? 1 : 0));
    const logits = Float32Array.from([...unsure, ...sure, ...sure]);
    const base = { logits, vocabSize: V, geometry: (await geometries(V))[0]!, lanes: lanesOf((await testGpu()).profile) };
    const metrics = ["confidence", "entropy", "margin"] as const;
    const results = await answersOf(metrics.map((metric) => ({ ...base, metric })));
    results.forEach((answers, i) => {
      const want = (row: Float32Array) => {
        const { rest, entropy, margin } = reference.row_stats([...row]);
        return { confidence: -rest, entropy: -entropy, margin }[metrics[i]!];
      };
      expect(answers[1]!.score, metrics[i]!).toBeGreaterThan(answers[0]!.score);
      expect(answers[1]!.score).toBe(answers[2]!.score);
      expect(answers[0]!.score).toBeCloseTo(want(unsure), 4);
      expect(answers[1]!.score).toBeCloseTo(want(sure), 4);
    });
    const random = { ...base, metric: "random" as const };
    const [first, again, moved, reseeded, later] = await answersOf([
      random,
      random,
      { ...random, goals: [2, 0, 1] },
      { ...random, sampling: { seed: 1 } },
      { ...random, draw: 1 },
    ]).then((all) => all.map((answers) => answers.map(({ score }) => score)));
    expect(again).toEqual(first);
    expect(moved).toEqual([first![2], first![0], first![1]]);
    expect(new Set([...first!, ...reseeded!, ...later!]).size).toBe(9);
    expect([...first!, ...reseeded!, ...later!].every((score) => score >= 0 && score <= 1)).toBe(true);
  });
});

describe("suppress", () => {
  test.each([1, 3, 15, 16, 17, 40])("%i ids", async (count) => {
    const [V, rows] = [50, 3];
    const ids = Array.from({ length: count }, (_, i) => (i * 7 + 49) % V);
    const logits = untouched(rows * V);
    logits.set(normals(rows * V, count));
    // The list is longer than what counts of it.
    const list = Uint32Array.from([...ids, 2, 4, 6]);
    const [, output] = await runKernel({
      kernel: suppress(V, count),
      bound: [list, logits],
      rows: plainRows(rows),
      sampling: { suppress: ids },
    });
    expect(firstFault(output!, reference.suppress(logits.subarray(0, rows * V), V, ids), 0)).toBeNull();
    expect(firstTouched(output!, rows * V)).toBeNull();
  });
});

describe("guide", () => {
  test.each([
    [1, 1, 1],
    [3, 17, 2.5],
    [5, 1024, 0],
  ])("%i rows, V = %i, scale %d", async (rows, V, scale) => {
    const logits = untouched(2 * rows * V);
    logits.set(normals(2 * rows * V, V, 4));
    const job = { kernel: guide(V), bound: [logits], rows: plainRows(2 * rows), guidance: { scale, twin: 0 } };
    const [output] = await runKernel({ ...job, extent: { rows, visible: 0, span: 0 } });
    const want = reference.guide(logits.subarray(0, 2 * rows * V), scale);
    // A difference of values up to ~20, times 1 + scale.
    expect(firstFault(output!, want, EPSILON * 40 * (2 + scale))).toBeNull();
    expect(output!.subarray(rows * V, 2 * rows * V)).toEqual(logits.subarray(rows * V, 2 * rows * V));
    expect(firstTouched(output!, 2 * rows * V)).toBeNull();
    if (scale === 0) expect(firstFault(output!, logits.subarray(0, rows * V), EPSILON * 20)).toBeNull();
  });

  test("equal halves change nothing", async () => {
    const half = normals(3 * 20, 1);
    const job = {
      kernel: guide(20),
      bound: [Float32Array.from([...half, ...half])],
      rows: plainRows(6),
      guidance: { scale: 7, twin: 0 },
    };
    const [output] = await runKernel({ ...job, extent: { rows: 3, visible: 0, span: 0 } });
    expect(output!.subarray(0, 60)).toEqual(half);
  });
});
