/** Caches and policies, on the device: dropped suffixes, fused commits, shadow rows, editing, pipelines. Their rules alone are in `test/unit/decode`. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blockEnd } from "../../src/decode/block-diffusion";
import { Canvas } from "../../src/decode/canvas";
import type { DecoderContext } from "../../src/decode/decoder";
import { credit } from "../../src/decode/policies/credit";
import { editing } from "../../src/decode/policies/editing";
import { hierarchicalRemask } from "../../src/decode/policies/hierarchical";
import { p2 } from "../../src/decode/policies/path-planning";
import { pipelined } from "../../src/decode/policies/pipelined";
import { type Policy, type Settings, valuesOf } from "../../src/decode/policies/policy";
import { saber } from "../../src/decode/policies/saber";
import { shadowRows, wino } from "../../src/decode/policies/wino";
import type { Selection } from "../../src/decode/selection";
import type { Engine } from "../../src/model/engine";
import { GREEDY, type Row } from "../../src/model/pass";
import {
  block,
  canvasOf,
  DIFFERENT,
  decode,
  disposeEngines,
  follow,
  gap,
  gapsToWhole,
  golden,
  ids,
  MASK,
  masked,
  NEVER,
  prompt,
  random,
  range,
  rowsFrom,
  SAMPLING,
  steps,
  TOLERANCE,
  threshold,
  told,
} from "../support/following";
import { GENERATION } from "../support/random-model";

let llada: Engine;
let lladaTwin: Engine;
let qwen3: Engine;
let qwen3Twin: Engine;
beforeAll(async () => {
  llada = await golden("llada");
  lladaTwin = await golden("llada");
  qwen3 = await golden("qwen3");
  qwen3Twin = await golden("qwen3");
}, 120_000);
afterAll(disposeEngines);

const ruleOf = <S extends Settings>(policy: Policy<string, S>, values: Record<string, number> = {}): Selection =>
  policy.rule(valuesOf(policy, values), { seed: 0, blockLength: 8, stopIds: new Set(), strict: true });
const hosted = (selection: Selection) => ({ selection, schedule: null });

describe("J26 dropped suffix", () => {
  test.each(["none", "prefix", "dual", "vicinity", "delayed", "frozen"] as const)(
    "cache %s: a window as long as the suffix changes nothing, a shorter one the answer's logits",
    async (cache) => {
      const over = { window: 4, warmup: 1 };
      const whole = await follow(llada, masked(cache, over), canvasOf(9, 24));
      const windowed = await follow(
        llada,
        masked(cache, { ...over, suffix: { window: 24, density: 0, seed: 0 } }),
        canvasOf(9, 24),
      );
      expect(told(windowed)).toEqual(told(whole));
      for (const [i, { logits }] of windowed.seen.entries()) expect(gap(logits, whole.seen[i]?.logits ?? [])).toBe(0);
      const short = await follow(llada, masked(cache, { ...over, suffix: { window: 2, density: 0, seed: 0 } }), canvasOf(9, 24));
      const rows = (run: typeof short) => run.seen[0]?.logits.subarray(0, 17 * llada.config.vocabSize) ?? [];
      expect(gap(rows(short), rows(whole))).toBeGreaterThan(DIFFERENT);
    },
  );

  test("kept rows keep their rotary positions: a pass is the canvas without the dropped places", async () => {
    const suffix = { window: 2, density: 0.6, seed: 5 };
    const run = await follow(llada, masked("none", { suffix }), canvasOf(9, 24));
    for (const { pass, before, logits } of run.seen) {
      const places = pass.rows.map(({ place }) => place);
      expect(pass.rows.map(({ position }) => position)).toEqual(places);
      expect(pass.rows.map(({ slot }) => slot)).toEqual(range(0, places.length));
      // On the other engine the kept tokens lie side by side, at the positions that they had.
      lladaTwin.writeCanvas(
        0,
        places.map((place) => before[place] as number),
      );
      const dense = rowsFrom(0, places.length, () => places.length).map((row, i) => ({ ...row, position: places[i] as number }));
      expect(gap(logits, await lladaTwin.logits(dense))).toBeLessThan(TOLERANCE);
    }
    const lengths = new Set(run.seen.map(({ pass }) => pass.rows.length));
    expect(Math.min(...lengths)).toBeLessThan(25);
    expect(lengths.size).toBeGreaterThan(1);
  });
});

describe("caches that approximate", () => {
  const settings = { window: 3, warmup: 1 };
  test.each(["vicinity", "delayed", "frozen"] as const)("J1 %s: with one layer every pass is exact", async (cache) => {
    const one = { layers: 1, maskTokenId: 62, generation: GENERATION.masked };
    const [cached, reference] = [await random(one), await random(one)];
    const canvas = new Canvas(
      prompt(9).map((id) => id % 60),
      9,
      62,
    );
    canvas.extend(33);
    const run = await follow(cached, masked(cache, settings), canvas, { sampling: { ...GREEDY, suppress: [62, 63] } });
    expect(run.seen.filter(({ pass }) => pass.kind !== "full").length).toBeGreaterThan(6);
    for (const { pass, before, logits } of run.seen) {
      reference.writeCanvas(0, before);
      const whole = await reference.logits(rowsFrom(0, before.length, () => before.length));
      const { vocabSize } = reference.config;
      pass.rows.forEach(({ place }, i) => {
        const row = (list: Float32Array, at: number) => list.subarray(at * vocabSize, (at + 1) * vocabSize);
        expect(gap(row(logits, i), row(whole, place))).toBeLessThan(TOLERANCE);
      });
    }
  });

  test.each(["vicinity", "delayed", "frozen"] as const)(
    "J2, J3 %s: refreshed every pass it is no cache; else rows are left out and logits differ",
    async (cache) => {
      const none = await decode(llada, masked("none"), canvasOf(9, 16));
      expect(told(await decode(llada, masked(cache, { refresh: 1, warmup: 1 }), canvasOf(9, 16)))).toEqual(told(none));
      const run = await follow(llada, masked(cache, settings), canvasOf(9, 16));
      const partial = run.seen.filter(({ pass }) => pass.kind !== "full");
      expect(partial.length).toBeGreaterThan(3);
      let worst = 0;
      for (const { pass, before, logits } of partial) {
        expect(pass.rows.length).toBeLessThan(25);
        lladaTwin.writeCanvas(0, before);
        const whole = await lladaTwin.logits(rowsFrom(0, before.length, () => before.length));
        const { vocabSize } = llada.config;
        pass.rows.forEach(({ place }, i) => {
          worst = Math.max(
            worst,
            gap(logits.subarray(i * vocabSize, (i + 1) * vocabSize), whole.subarray(place * vocabSize, (place + 1) * vocabSize)),
          );
        });
      }
      expect(worst).toBeGreaterThan(DIFFERENT);
    },
  );

  test("vicinity: a window as wide as the canvas is no cache, one of nothing the dual cache", async () => {
    const none = await decode(llada, masked("none"), canvasOf(9, 16));
    const wide = await decode(llada, masked("vicinity", { window: 64, warmup: 0 }), canvasOf(9, 16));
    expect(ids(wide).map(({ revealed }) => revealed)).toEqual(ids(none).map(({ revealed }) => revealed));
    const dual = await decode(llada, masked("dual"), canvasOf(9, 16));
    expect(told(await decode(llada, masked("vicinity", { window: 0, warmup: 0 }), canvasOf(9, 16)))).toEqual(told(dual));
  });

  test("delayed: a token's row is computed once more after the pass that revealed it, then left alone", async () => {
    const run = await follow(llada, masked("delayed", { warmup: 1, blockLength: 16, schedule: steps(8) }), canvasOf(9, 16));
    const passes = run.forwards;
    for (const [i, { rows }] of passes.entries()) {
      if (i === 0) continue;
      const revealed = (from: number, to: number) =>
        passes.slice(from, to).flatMap((pass) => pass.revealed.map(({ position }) => position));
      for (const place of revealed(i - 1, i)) expect(rows).toContain(place);
      for (const place of revealed(0, i - 1)) expect(rows).not.toContain(place);
      for (const place of range(0, 9)) expect(rows).not.toContain(place);
    }
  });
});

describe("J30 a fused commit", () => {
  test.each([5, 8, 11])("P = %i: the same tokens, logits to rounding, one forward less a block", async (promptLength) => {
    const apart = await follow(qwen3, block(8, { commitLast: false }), canvasOf(promptLength, 24));
    const fused = await follow(qwen3Twin, block(8, { commitLast: false, fusedCommit: true }), canvasOf(promptLength, 24));
    expect(fused.canvas.tokens).toEqual(apart.canvas.tokens);
    const commits = apart.forwards.filter(({ kind }) => kind === "commit");
    expect(commits.length).toBeGreaterThan(1);
    expect(fused.forwards).toHaveLength(apart.forwards.length - commits.length);
    expect(Math.max(...(await gapsToWhole(fused, qwen3, (place) => blockEnd(place, 8, 0))))).toBeLessThan(TOLERANCE);
    const { vocabSize } = qwen3.config;
    const passes = apart.seen.filter(({ pass }) => pass.kind !== "commit");
    for (const [i, { logits }] of fused.seen.entries()) {
      const same = passes[i]?.logits ?? new Float32Array();
      expect(gap(logits.subarray(logits.length - same.length), same)).toBeLessThan(TOLERANCE);
      expect(logits.length % (8 * vocabSize)).toBe(fused.seen[i]?.pass.kind === "prefill" ? logits.length % (8 * vocabSize) : 0);
    }
  });
});

describe("J23 shadow rows", () => {
  const shadow = (values: Record<string, number>) => (context: DecoderContext) =>
    wino.decoder(context, valuesOf(wino, values), { blockLength: 8, gridOffset: 0, earlyStop: false });

  test("logits of the real rows are those without a shadow, whatever it holds", async () => {
    const run = await follow(llada, shadow({ threshold: 0.3 }), canvasOf(9, 16));
    const { vocabSize } = llada.config;
    for (const { before, logits } of run.seen) {
      lladaTwin.writeCanvas(0, before.slice(0, 25));
      const alone = await lladaTwin.logits(rowsFrom(0, 25, () => 25));
      expect(gap(logits.subarray(0, 25 * vocabSize), alone)).toBeLessThan(TOLERANCE);
    }
  });

  test("with one layer, shadow row j does not change with the real token j, and does with the others", async () => {
    const one = await random({ layers: 1, maskTokenId: 62, generation: GENERATION.masked });
    const { vocabSize } = one.config;
    const tokens = range(0, 17).map((i) => (7 * i) % 60);
    const rows: Row[] = [
      ...rowsFrom(0, 17, () => 17),
      ...shadowRows(9, 17, 17, new Map()).map((row) => ({ ...row, goal: row.place })),
    ];
    const shadowOf = async (changed?: number) => {
      one.writeCanvas(0, [...tokens.map((id, place) => (place === changed ? 61 : id)), ...new Array<number>(8).fill(62)]);
      return (await one.logits(rows)).subarray(17 * vocabSize);
    };
    const before = await shadowOf();
    for (const place of range(9, 17)) {
      const after = await shadowOf(place);
      for (const j of range(0, 8)) {
        const row = (list: Float32Array) => list.subarray(j * vocabSize, (j + 1) * vocabSize);
        if (place === 9 + j) expect(gap(row(after), row(before))).toBe(0);
        else expect(gap(row(after), row(before))).toBeGreaterThan(1e-4);
      }
    }
  });

  test("no back threshold and no cap: threshold decoding", async () => {
    for (const bound of [0.3, 0.6]) {
      const plain = await decode(llada, masked("none", { selection: threshold(bound, true), schedule: null }), canvasOf(9, 16));
      const run = await decode(llada, shadow({ threshold: bound, back: 0, least: 100, most: 100 }), canvasOf(9, 16));
      expect(run.canvas.tokens).toEqual(plain.canvas.tokens);
      expect(ids(run).map(({ revealed }) => revealed)).toEqual(ids(plain).map(({ revealed }) => revealed));
    }
  });

  test("tokens are taken back, and the run ends within as many passes as masks", async () => {
    const { forwards, canvas } = await decode(llada, shadow({ threshold: 0.2, back: 0.99 }), canvasOf(9, 16));
    expect(canvas.masks(9, 25)).toEqual([]);
    expect(forwards.length).toBeLessThanOrEqual(16);
    expect(forwards.flatMap(({ revealed }) => revealed).length).toBeGreaterThan(16);
  });
});

describe("J24 editing", () => {
  test("an editing threshold above 1: the threshold run, and a check pass a block", async () => {
    const plain = await decode(qwen3, block(8, { selection: threshold(0.5, true), schedule: null }), canvasOf(11, 24));
    const checked = await decode(qwen3, block(8, hosted(ruleOf(editing, { threshold: 0.5, edit: 1.5 }))), canvasOf(11, 24));
    expect(checked.canvas.tokens).toEqual(plain.canvas.tokens);
    expect(checked.forwards).toHaveLength(plain.forwards.length + 4);
  });

  test("the prompt's part of the first block is never edited, and edits end", async () => {
    const { canvas, forwards } = await decode(
      qwen3,
      block(8, hosted(ruleOf(editing, { threshold: 0.5, edit: 0 }))),
      canvasOf(11, 24),
    );
    expect(canvas.tokens.slice(0, 11)).toEqual(prompt(11));
    expect(forwards.length).toBeLessThanOrEqual(1 + 4 * (8 + 16 + 1));
    const positions = forwards.flatMap(({ revealed }) => revealed.map(({ position }) => position));
    expect(positions.length).toBeGreaterThan(new Set(positions).size);
  });
});

describe("J25 pipelined blocks", () => {
  const pipeline = (values: Record<string, number>) => (context: DecoderContext) =>
    pipelined.decoder(context, valuesOf(pipelined, values), { blockLength: 8, gridOffset: 0, earlyStop: false });

  test("added when the last is done: strictly one block after the other", async () => {
    const over = { selection: threshold(0.5, true), schedule: null, commitLast: false, fusedCommit: true };
    const sequential = await decode(qwen3, block(8, over), canvasOf(11, 24));
    const run = await decode(qwen3, pipeline({ threshold: 0.5, add: 1 }), canvasOf(11, 24));
    expect(told(run)).toEqual(told(sequential));
  });

  test("added early: fewer forwards, every pass is the block mask over the canvas as it is", async () => {
    const one = await decode(qwen3, pipeline({ threshold: 0.5, add: 1 }), canvasOf(11, 24));
    const run = await follow(qwen3, pipeline({ threshold: 0.5, add: 0.1 }), canvasOf(11, 24));
    expect(run.forwards.length).toBeLessThan(one.forwards.length);
    expect(Math.max(...(await gapsToWhole(run, qwen3Twin, (place) => blockEnd(place, 8, 0))))).toBeLessThan(TOLERANCE);
  });
});

describe("probes of the host's rules", () => {
  test.each([
    ["hierarchical-remask", ruleOf(hierarchicalRemask, { remask: 0.9, low: 0.2 })],
    ["p2", ruleOf(p2, { steps: 6 })],
    ["saber", ruleOf(saber, { mu: 2 })],
    ["credit", ruleOf(credit, { threshold: 1 })],
  ])(
    "J12 %s: the canvas is filled with what may be drawn, the prompt stays, every pass tells the probed token's log-probability",
    async (name, selection) => {
      const over = { ...hosted(selection), blockLength: 16 };
      const run = await follow(llada, masked("none", over), canvasOf(9, 16));
      expect(run.canvas.tokens.slice(0, 9)).toEqual(prompt(9));
      for (const id of run.canvas.tokens.slice(9)) expect(NEVER).not.toContain(id);
      const probes = run.seen.flatMap(({ pass }) => pass.rows.filter(({ probe }) => probe !== undefined));
      expect(probes.length, name).toBeGreaterThan(2);
      // The pass again, on the canvas that it saw: what its answers say of a probe is what its logits say.
      const { pass, before, logits } = run.seen.findLast((seen) =>
        seen.pass.rows.some(({ probe }) => probe !== undefined),
      ) as (typeof run.seen)[0];
      llada.writeCanvas(0, before);
      const [result] = await llada.run([pass], SAMPLING, MASK);
      for (const [i, { goal, probe }] of pass.rows.entries()) {
        if (goal === null || probe === undefined) continue;
        const row = logits.slice(i * llada.config.vocabSize, i * llada.config.vocabSize + MASK);
        const peak = Math.max(...row);
        const expected = (row[probe] as number) - peak - Math.log(row.reduce((sum, x) => sum + Math.exp(x - peak), 0));
        expect(result?.answers.find((answer) => answer.goal === goal)?.probe).toBeCloseTo(expected, 2);
      }
    },
  );
});
