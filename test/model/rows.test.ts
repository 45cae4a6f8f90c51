/** What rows can ask beside a token: a probe, a hole, an answer at a known place; groups of answers that are revealed apart; reports of what was revealed. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/model/engine";
import { GREEDY, type Pass, type Reveal, type Row, type Sampling } from "../../src/model/pass";
import { loadRandom } from "../support/random-model";
import * as reference from "../support/reference";

const V = 64;
const MASK = 63;
const SAMPLING: Sampling = { ...GREEDY, suppress: [MASK] };
let engine: Engine;
beforeAll(async () => {
  ({ engine } = await loadRandom({
    vocabSize: V,
    maskTokenId: MASK,
    generation: { kind: "masked_diffusion", logit_shift: false },
  }));
}, 120_000);
afterAll(() => engine.dispose());

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const tokens = (length: number, seed = 0): number[] => range(0, length).map((i) => (13 * i + 7 * seed + 3) % MASK);
const rowAt = (place: number, limit: number, more: Partial<Row> = {}): Row => ({
  place,
  position: place,
  slot: place,
  start: 0,
  limit,
  goal: place,
  ...more,
});
const rowsOf = (length: number): Row[] => range(0, length).map((place) => rowAt(place, length));
const best = (count: number): Reveal => ({ rule: "count", count, metric: "confidence" });
const run = async (pass: Pass) => (await engine.run([pass], SAMPLING, MASK))[0]!;

test("a probe tells the log-probability of its token, the mask's is none", async () => {
  const n = 9;
  engine.writeCanvas(0, tokens(n));
  const rows = rowsOf(n).map((row, i) => ({ ...row, probe: [5, 17, MASK, undefined][i % 4] }));
  const logits = await engine.logits(rows);
  const { answers } = await run({ rows, reveal: { rule: "none" } });
  answers.forEach(({ probe, logProbability, id }, i) => {
    const row = [...logits.subarray(i * V, (i + 1) * V)];
    row[MASK] = reference.SUPPRESSED;
    const asked = rows[i]!.probe;
    if (asked === undefined) expect(probe).toBeUndefined();
    else if (asked === MASK) expect(probe).toBe(Number.NEGATIVE_INFINITY);
    else expect(probe).toBeCloseTo(reference.log_probability(row, asked), 3);
    expect(logProbability).toBeCloseTo(reference.log_probability(row, id), 3);
  });
});

test("rows that answer known places are answered, and never overwrite them", async () => {
  const n = 8;
  const canvas = tokens(n).map((id, i) => (i === 5 ? MASK : id));
  engine.writeCanvas(0, canvas);
  const { answers } = await run({ rows: rowsOf(n), reveal: { rule: "all" } });
  expect(answers.map(({ goal }) => goal)).toEqual(range(0, n));
  expect(answers.filter(({ revealed }) => revealed).map(({ goal }) => goal)).toEqual([5]);
  // The device's canvas is what a pass reads: a second one gives the answers of the canvas with that place alone filled.
  const second = await run({ rows: rowsOf(n), reveal: { rule: "none" } });
  engine.writeCanvas(
    0,
    canvas.map((id, i) => (i === 5 ? answers[5]!.id : id)),
  );
  expect(second.answers).toEqual((await run({ rows: rowsOf(n), reveal: { rule: "none" } })).answers);
});

test("shadow rows: those who do not see them are as without them, a shadow does not see its own place", async () => {
  const n = 10;
  const shadows = 3;
  engine.writeCanvas(0, [...tokens(n), ...new Array<number>(shadows).fill(MASK)]);
  const real = rowsOf(n);
  // Shadow j stands behind the canvas, at the position of place 4 + j, and sees all but that place and the other shadows.
  const shadow = (j: number): Row => rowAt(n + j, n, { position: 4 + j, hole: [4 + j, 5 + j] });
  const both = [...real, ...range(0, shadows).map(shadow)];
  const alone = await engine.logits(real);
  const logits = await engine.logits(both);
  expect(logits.subarray(0, n * V)).toEqual(alone);
  engine.writeCanvas(4, [(tokens(n)[4]! + 1) % MASK]);
  const changed = await engine.logits(both);
  const rowOf = (all: Float32Array, row: number) => [...all.subarray(row * V, (row + 1) * V)];
  const gap = (row: number) => Math.max(...rowOf(logits, row).map((l, v) => Math.abs(l - rowOf(changed, row)[v]!)));
  // Other places read place 4, and shadow 0 reads them in the second layer: in a model of one layer it would not move at all.
  expect(gap(4)).toBeGreaterThan(1e-2);
  expect(gap(n + 1)).toBeGreaterThan(1e-4);
  const { engine: shallow } = await loadRandom({ layers: 1, vocabSize: V, maskTokenId: MASK });
  shallow.writeCanvas(0, [...tokens(n), ...new Array<number>(shadows).fill(MASK)]);
  const before = await shallow.logits(both);
  shallow.writeCanvas(4, [(tokens(n)[4]! + 1) % MASK]);
  const after = await shallow.logits(both);
  expect(rowOf(after, n)).toEqual(rowOf(before, n));
  expect(rowOf(after, n + 1)).not.toEqual(rowOf(before, n + 1));
  shallow.dispose();
});

describe("groups", () => {
  const A = 7;
  const B = 12;
  const shift = (row: Row, by: number): Row => ({
    ...row,
    place: row.place + by,
    slot: row.slot + by,
    start: by,
    limit: row.limit + by,
    goal: row.goal! + by,
  });
  const first = tokens(A, 1).map((id, i) => (i > 2 ? MASK : id));
  const second = tokens(B, 2).map((id, i) => (i > 4 ? MASK : id));

  test("choose apart: two canvases in one pass are each as alone", async () => {
    const alone = async (canvas: number[], reveal: Reveal) => {
      engine.writeCanvas(0, canvas);
      return (await run({ rows: rowsOf(canvas.length), reveal })).answers;
    };
    const threshold: Reveal = { rule: "threshold", bound: 0.05, strict: false, metric: "confidence" };
    const [x, y] = [await alone(first, best(2)), await alone(second, threshold)];
    engine.writeCanvas(0, [...first, ...second]);
    const rows = [...rowsOf(A), ...rowsOf(B).map((row) => shift(row, A))];
    const groups = [
      { answers: A, reveal: best(2) },
      { answers: B, reveal: threshold },
    ];
    for (const report of ["all", "revealed"] as const) {
      engine.writeCanvas(0, [...first, ...second]);
      const { answers } = await run({ rows, reveal: { rule: "none" }, groups, report });
      const revealed = answers.filter((answer) => answer.revealed).map(({ goal, id }) => [goal, id]);
      const want = [...x, ...y.map((answer) => ({ ...answer, goal: answer.goal + A }))].filter((answer) => answer.revealed);
      expect(revealed.sort(([a], [b]) => a! - b!)).toEqual(want.map(({ goal, id }) => [goal, id]));
      expect(answers.length).toBe(report === "all" ? A + B : want.length);
    }
    expect(y.filter(({ revealed }) => revealed).length).toBeGreaterThan(0);
  });

  test.each([
    [
      "that do not cover the answers",
      [{ answers: 3, reveal: best(1) }],
      { rule: "none" } as Reveal,
      /groups of 7 answers, came none and 3/,
    ],
    ["beside a reveal of the pass", [{ answers: A, reveal: best(1) }], best(1), /came count/],
    [
      "of two metrics",
      [
        { answers: 3, reveal: best(1) },
        { answers: 4, reveal: { ...best(1), metric: "entropy" } as Reveal },
      ],
      { rule: "none" } as Reveal,
      /one metric/,
    ],
  ])("%s are refused", async (_, groups, reveal, message) => {
    await expect(run({ rows: rowsOf(A), reveal, groups })).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringMatching(message),
    });
  });
});

describe("reports", () => {
  const n = 20;
  const canvas = tokens(n).map((id, i) => (i > 3 ? MASK : id));
  const read = async (pass: Pass) => {
    engine.writeCanvas(0, canvas);
    const before = { ...engine.counts };
    const { answers } = await run(pass);
    return { answers, readbacks: engine.counts.readbacks - before.readbacks, bytes: engine.counts.bytesRead - before.bytesRead };
  };

  test.each([
    ["a count", best(3), 3, 1],
    ["all", { rule: "all" } as Reveal, 20, 1],
    ["a threshold that takes few", { rule: "threshold", bound: 1, strict: false, metric: "confidence" } as Reveal, 4, 1],
    // More than there is room for: the others are fetched in a second readback.
    ["a threshold that takes all", { rule: "threshold", bound: 0, strict: false, metric: "confidence" } as Reveal, 16, 2],
  ])("%s: the revealed answers alone, as if all came back", async (_, reveal, reports, readbacks) => {
    const all = await read({ rows: rowsOf(n), reveal });
    const few = await read({ rows: rowsOf(n), reveal, report: "revealed" });
    const want = all.answers.filter(({ revealed }) => revealed);
    expect([...few.answers].sort((a, b) => a.goal - b.goal)).toEqual(want);
    expect(all.bytes).toBe(n * 48);
    expect([few.bytes, few.readbacks]).toEqual([4 + reports * 32, readbacks]);
  });

  test("passes of one submit share the room: what each revealed, though one took more than it was likely to", async () => {
    engine.writeCanvas(0, canvas);
    const before = { ...engine.counts };
    const rows = rowsOf(n);
    const pass = (bound: number, likely: number): Pass => ({
      rows,
      reveal: { rule: "threshold", bound, strict: false, metric: "confidence" },
      report: "revealed",
      likely,
    });
    const results = await engine.run([pass(1, 1), { ...pass(0, 14), guard: [4, 5] }, pass(0, 14), pass(0, 1)], SAMPLING, MASK);
    const goals = results.map(({ answers }) => answers.map(({ goal }) => goal).sort((a, b) => a - b));
    // The first reveals its best; the second waits for place 4, unless that was it; the last finds nothing.
    const [first] = goals[0] as [number];
    expect(goals[0]).toHaveLength(1);
    const rest = range(4, n).filter((place) => place !== first);
    expect(goals.slice(1)).toEqual(first === 4 ? [rest, [], []] : [[], rest, []]);
    expect(engine.counts.readbacks - before.readbacks).toBe(1);
    expect(engine.counts.bytesRead - before.bytesRead).toBe(4 * 4 + n * 32);
  });

  test("a pass that reveals nothing reads nothing back", async () => {
    const { answers, readbacks } = await read({ rows: rowsOf(n), reveal: { rule: "none" }, report: "revealed" });
    expect([answers, readbacks]).toEqual([[], 0]);
  });
});
