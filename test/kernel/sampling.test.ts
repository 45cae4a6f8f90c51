/** Draws against softmax by χ², kept sets of top-k, top-p and min-p against float64, and what a draw may and may not depend on. */
import { beforeAll, describe, expect, test } from "vitest";
import { type StatsGeometry, statsGeometry } from "../../src/kernels/answer";
import { type Lanes, lanesOf } from "../../src/kernels/lanes";
import type { Sampling } from "../../src/model/pass";
import { answersOf, cutoffsOf, type Question } from "../support/answers";
import { testGpu } from "../support/goldens";
import { firstTouched, gpuProfile, laneVariants, normals } from "../support/kernel";
import * as reference from "../support/reference";

let lanes: Lanes;
let variants: Lanes[];
let geometryOf: (V: number) => StatsGeometry;
let gpuGeometryOf: (V: number) => StatsGeometry;
beforeAll(async () => {
  const { profile } = await testGpu();
  lanes = lanesOf(profile);
  variants = laneVariants(profile);
  geometryOf = (V) => statsGeometry({ ...profile, software: true }, V);
  gpuGeometryOf = (V) => statsGeometry(gpuProfile(profile), V);
});

/** One distribution, asked `rows` times for different places. */
function repeated(row: ArrayLike<number>, rows: number, more: Partial<Question> = {}): Question {
  const V = row.length;
  const logits = new Float32Array(rows * V);
  for (let t = 0; t < rows; t++) logits.set(row, t * V);
  return { logits, vocabSize: V, geometry: geometryOf(V), lanes, ...more };
}

/** Ids drawn by all questions. */
const drawn = async (questions: readonly Question[]): Promise<number[]> =>
  (await answersOf(questions)).flat().map(({ id }) => id);

function countsOf(ids: readonly number[], V: number): number[] {
  const counts = new Array<number>(V).fill(0);
  for (const id of ids) counts[id]!++;
  return counts;
}

/** χ² of counts against probabilities, as a standard normal (Wilson & Hilferty); cells below five expected are joined. */
function chiSquareZ(counts: readonly number[], probabilities: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b, 0);
  let [chi, cells, restCount, restExpected] = [0, 0, 0, 0];
  counts.forEach((count, i) => {
    const expected = total * probabilities[i]!;
    if (expected < 5) {
      restCount += count;
      restExpected += expected;
      return;
    }
    chi += (count - expected) ** 2 / expected;
    cells++;
  });
  if (restExpected >= 5) {
    chi += (restCount - restExpected) ** 2 / restExpected;
    cells++;
  }
  const freedom = cells - 1;
  return (Math.cbrt(chi / freedom) - (1 - 2 / (9 * freedom))) / Math.sqrt(2 / (9 * freedom));
}

/** Draws are a fixed function of the seed, so a bound of 5 never flickers: it is passed for good or broken for good. */
const UNLIKELY = 5;

describe("draws follow the tempered distribution", () => {
  test.each([0.5, 1, 2])("χ² at temperature %d", async (temperature) => {
    const row = normals(48, 11, 1.5);
    const ids = await drawn([0, 1, 2].map((draw) => repeated(row, 12_000, { draw, sampling: { temperature, seed: 9 } })));
    const p = reference.softmax([...row].map((l) => l / temperature));
    expect(Math.abs(chiSquareZ(countsOf(ids, 48), p))).toBeLessThan(UNLIKELY);
  });

  test("neighbouring places and successive draws are independent", async () => {
    const row = normals(6, 5);
    const p = reference.softmax([...row]);
    const pairs = p.flatMap((a) => p.map((b) => a * b));
    const [first, second] = await answersOf([0, 1].map((draw) => repeated(row, 20_000, { draw, sampling: { temperature: 1 } })));
    const neighbours = first!.slice(1).map(({ id }, i) => first![i]!.id * 6 + id);
    const successive = second!.map(({ id }, i) => first![i]!.id * 6 + id);
    expect(Math.abs(chiSquareZ(countsOf(neighbours, 36), pairs))).toBeLessThan(UNLIKELY);
    expect(Math.abs(chiSquareZ(countsOf(successive, 36), pairs))).toBeLessThan(UNLIKELY);
  });

  test("rare ids are drawn as often as they should be, down to 1e-6", async () => {
    // 16 ids of 1e-4, 400 of 1e-5 and 600 of 1e-6; all other mass on one id.
    const p = [...new Array(16).fill(1e-4), ...new Array(400).fill(1e-5), ...new Array(600).fill(1e-6)];
    const row = [1 - p.reduce((a, b) => a + b, 0), ...p].map(Math.log);
    const draws = 24_000;
    const questions = Array.from({ length: 12 }, (_, draw) =>
      repeated(row, draws / 12, { draw, sampling: { temperature: 1, seed: 4 } }),
    );
    const counts = countsOf(await drawn(questions), row.length);
    for (const [from, to] of [
      [1, 17],
      [17, 417],
      [417, 1017],
    ] as const) {
      const came = counts.slice(from, to).reduce((a, b) => a + b, 0);
      const expected = draws * p.slice(from - 1, to - 1).reduce((a, b) => a + b, 0);
      expect(Math.abs(came - expected) / Math.sqrt(expected), `ids of ${p[from]}: ${came} for ${expected}`).toBeLessThan(4);
    }
  });

  test("temperature towards 0 is the greatest logit", async () => {
    const row = normals(100, 3, 2);
    row[71] = Math.max(...row) + 0.1;
    for (const temperature of [1e-3, 1e-6]) {
      const ids = await drawn([repeated(row, 500, { sampling: { temperature } })]);
      expect(ids.every((id) => id === 71)).toBe(true);
    }
  });

  test("suppressed ids are never drawn, however hot", async () => {
    const row = Float32Array.from({ length: 64 }, (_, i) => (i % 3 === 0 ? i / 100 : reference.SUPPRESSED));
    const ids = await drawn([repeated(row, 2000, { sampling: { temperature: 100 } })]);
    expect(new Set(ids)).toEqual(new Set(Array.from({ length: 22 }, (_, i) => 3 * i)));
  });
});

describe("a draw is a function of seed, draw, place and id alone", () => {
  const V = 3000;
  const rows = 40;
  const sampling = { temperature: 1.3, seed: 77 };

  test("not of the row it stands in, the chunk or the width", async () => {
    const row = normals(V, 8);
    const base = repeated(row, rows, { sampling });
    const reversed = Array.from({ length: rows }, (_, i) => rows - 1 - i);
    const [ids, again, backwards, gpu, odd] = (
      await answersOf([
        base,
        base,
        { ...base, goals: reversed },
        { ...base, geometry: gpuGeometryOf(V) },
        { ...base, geometry: { chunk: 64, width: 4, partials: Math.ceil(V / 64) * 4 } },
      ])
    ).map((answers) => answers.map(({ id }) => id));
    expect(again).toEqual(ids);
    expect(backwards).toEqual([...ids!].reverse());
    expect(gpu).toEqual(ids);
    expect(odd).toEqual(ids);
  });

  test("but of each of these", async () => {
    const row = new Float32Array(V);
    const base = repeated(row, rows, { sampling });
    const [ids, reseeded, later, moved] = (
      await answersOf([
        base,
        { ...base, sampling: { ...sampling, seed: 78 } },
        { ...base, draw: 1 },
        { ...base, goals: Array.from({ length: rows }, (_, i) => i + rows) },
      ])
    ).map((answers) => answers.map(({ id }) => id));
    const same = (other: readonly number[] | undefined) => ids!.filter((id, i) => id === other![i]).length;
    for (const other of [reseeded, later, moved]) expect(same(other)).toBeLessThanOrEqual(2);
    expect(new Set(ids).size).toBeGreaterThan(rows - 5);
  });
});

interface Filter {
  readonly name: string;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
}
const FILTERS: readonly Filter[] = [
  { name: "top-k 1", topK: 1 },
  { name: "top-k 5", topK: 5 },
  { name: "top-k V − 1", topK: 99 },
  { name: "top-k V", topK: 100 },
  { name: "top-k beyond V", topK: 5000 },
  { name: "top-p .5", topP: 0.5 },
  { name: "top-p .95", topP: 0.95 },
  { name: "top-p .999999", topP: 0.999999 },
  { name: "top-p 1e-9", topP: 1e-9 },
  { name: "top-p too small for f32", topP: 1e-60 },
  { name: "min-p .05", minP: 0.05 },
  { name: "min-p 1", minP: 1 },
  { name: "top-k 20, then top-p .8", topK: 20, topP: 0.8 },
  { name: "all three", topK: 30, topP: 0.9, minP: 0.1 },
];
const ROWS: Readonly<Record<string, ArrayLike<number>>> = {
  random: normals(100, 21, 2),
  tied: normals(100, 22, 2).map(Math.round),
  equal: new Float32Array(100).fill(1.5),
  negative: normals(100, 23, 2).map((l) => l - 500),
  "half suppressed": normals(100, 24, 2).map((l, i) => (i % 2 ? reference.SUPPRESSED : l)),
};

describe("sample_cutoff", () => {
  test.each(FILTERS)("$name", async ({ name: _, ...filter }) => {
    const settings = { temperature: 0.8, topK: 0, topP: 1, minP: 0, ...filter };
    const names = Object.keys(ROWS);
    const logits = Float32Array.from(names.flatMap((name) => Array.from(ROWS[name]!)));
    const base = { logits, vocabSize: 100, geometry: geometryOf(100), sampling: settings };
    const cutoffs = await cutoffsOf(variants.map((variant) => ({ ...base, lanes: variant })));
    cutoffs.forEach((cutoff, v) => {
      expect(firstTouched(cutoff, names.length)).toBeNull();
      names.forEach((name, t) => {
        const row = [...logits.subarray(t * 100, (t + 1) * 100)];
        const kept = row.flatMap((l, id) => (l >= cutoff[t]! && l > reference.SUPPRESSED ? [id] : []));
        // What lies on a bound to f32 rounding may fall either way.
        const hair = 1e-5;
        const bounds = (by: number) =>
          reference.sample_cutoff(row, {
            ...settings,
            topP: settings.topP < 1 ? Math.min(1, settings.topP * (1 + by)) : 1,
            minP: settings.minP * (1 - by),
          });
        const what = `${name}, ${variants[v]!.variant} of ${variants[v]!.count}`;
        expect(kept, what).toEqual(expect.arrayContaining(bounds(-hair)));
        expect(bounds(hair), what).toEqual(expect.arrayContaining(kept));
      });
    });
  });

  test.each([1, 3, 5, 1000, 1757])("V = %i", async (V) => {
    const row = normals(V, V, 2);
    const settings = { temperature: 1, topK: Math.ceil(V / 3), topP: 1, minP: 0 };
    const [cutoff] = await cutoffsOf([repeated(row, 2, { sampling: settings })]);
    const kept = [...row].flatMap((l, id) => (l >= cutoff![0]! ? [id] : []));
    expect(kept).toEqual(reference.sample_cutoff([...row], settings));
    expect(cutoff![1]).toBe(cutoff![0]);
  });
});

describe("filtered draws and their confidence", () => {
  const row = normals(60, 31, 2);
  const asked: readonly Partial<Sampling>[] = [
    { temperature: 0.7, topK: 8 },
    { temperature: 1.5, topP: 0.6 },
    { temperature: 1, minP: 0.1 },
    { temperature: 2 },
    { temperature: 0.05 },
  ];

  test.each(asked)("%o", async (given) => {
    const settings = { temperature: 1, topK: 0, topP: 1, minP: 0, ...given };
    const kept = reference.sample_cutoff([...row], settings);
    const p = reference.softmax(kept.map((id) => row[id]! / settings.temperature));
    const question = repeated(row, 20_000, { sampling: { ...given, seed: 2 } });
    const [raw, tempered] = await answersOf([question, { ...question, sampling: { ...given, seed: 2, tempered: true } }]);
    const counts = countsOf(
      raw!.map(({ id }) => id),
      row.length,
    );
    expect(counts.flatMap((count, id) => (count > 0 && !kept.includes(id) ? [id] : []))).toEqual([]);
    if (kept.length > 2 && settings.temperature > 0.1) {
      expect(
        Math.abs(
          chiSquareZ(
            kept.map((id) => counts[id]!),
            p,
          ),
        ),
      ).toBeLessThan(UNLIKELY);
    }
    const { entropy, margin } = reference.row_stats([...row]);
    raw!.slice(0, 500).forEach((answer, i) => {
      const other = tempered![i]!;
      expect(other.id).toBe(answer.id);
      expect(answer.logit).toBe(row[answer.id]);
      const wants = [
        [answer, reference.row_answer([...row], answer.id, null)],
        [other, reference.row_answer([...row], answer.id, { temperature: settings.temperature, kept })],
      ] as const;
      for (const [{ doubt }, want] of wants) {
        // Under a temperature the exponents are up to range / T long, and 1 + doubt is what is resolved.
        expect(Math.abs(doubt - want) / (1 + want)).toBeLessThan(2e-6 * (4 + 12 / settings.temperature));
      }
      // Entropy and margin are the raw distribution's, whatever was drawn.
      expect(Math.abs(answer.entropy - entropy) + Math.abs(other.margin - margin)).toBeLessThan(2e-5);
    });
  });

  test("a greedy answer has the raw confidence, tempered or not", async () => {
    const [raw, tempered] = await answersOf([
      repeated(row, 1),
      repeated(row, 1, { sampling: { temperature: 0, tempered: true } }),
    ]);
    expect(tempered).toEqual(raw);
  });

  test("equal logits at a bound stand together: the least id does not win alone", async () => {
    const flat = Float32Array.from({ length: 10 }, (_, i) => (i < 6 ? 1 : 0));
    const ids = await drawn([repeated(flat, 3000, { sampling: { temperature: 1, topK: 3, seed: 5 } })]);
    expect(new Set(ids)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
  });
});
