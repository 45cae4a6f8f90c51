/** Decoding policies: the specification's micro-vectors (§K), and what each policy promises, on a symbolic model. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BlockDiffusionOptions, blockDiffusion } from "../../../src/decode/block-diffusion";
import { Canvas } from "../../../src/decode/canvas";
import type { Probed, Scene } from "../../../src/decode/host-rule";
import { maskedDiffusion } from "../../../src/decode/masked-diffusion";
import { Credit, credit } from "../../../src/decode/policies/credit";
import { editing } from "../../../src/decode/policies/editing";
import { endsLast, eosLast } from "../../../src/decode/policies/eos-last";
import { firstHitting } from "../../../src/decode/policies/first-hitting";
import { hierarchicalPicks, hierarchicalRemask, remaskingWrites } from "../../../src/decode/policies/hierarchical";
import { klass, Settling } from "../../../src/decode/policies/klass";
import { nearTies } from "../../../src/decode/policies/near-ties";
import { p2 } from "../../../src/decode/policies/path-planning";
import { pipelined } from "../../../src/decode/policies/pipelined";
import { type Policy, type Settings, valuesOf } from "../../../src/decode/policies/policy";
import { remdmCap, remdmConfidence, remdmRescale } from "../../../src/decode/policies/remdm";
import { Saber, saber } from "../../../src/decode/policies/saber";
import { acceptCap, accepted, takenBack, wino } from "../../../src/decode/policies/wino";
import { lladaSchedule } from "../../../src/decode/schedule";
import type { Selection } from "../../../src/decode/selection";
import type { Answer } from "../../../src/model/pass";
import { type Driven, drive, EOS, type FakeModel, fixed, hashed, MASK, mix, prompt, range } from "./drive";

const answer = (goal: number, confidence: number, over: Partial<Answer> = {}): Answer => ({
  goal,
  id: 7,
  logit: 0,
  confidence,
  doubt: 1 / confidence - 1,
  entropy: 0,
  margin: 0,
  score: 0,
  logProbability: Math.log(confidence),
  revealed: false,
  ...over,
});
/** Answers of masked places; null where a place is known. */
const masks = (confidences: readonly (number | null)[]): Answer[] =>
  confidences.flatMap((confidence, goal) => (confidence === null ? [] : [answer(goal, confidence)]));
const standingAt = (goal: number, p: number): Probed => ({ ...answer(goal, 0.5), probe: Math.log(p) });
const goals = (answers: readonly { goal: number }[]): number[] => answers.map(({ goal }) => goal).sort((a, b) => a - b);

const scene = (over: Partial<Scene>): Scene => ({
  canvas: new Canvas([1], 1, MASK),
  start: 0,
  stop: 8,
  step: 0,
  masked: [],
  known: [],
  ...over,
});

const RUN = { seed: 0, blockLength: 8, stopIds: new Set([EOS]), strict: true };
const ruleOf = <S extends Settings>(policy: Policy<string, S>, values: Record<string, number> = {}, seed = 0): Selection =>
  policy.rule(valuesOf(policy, values), { ...RUN, seed });

const canvasOf = (promptLength: number, genLength: number): Canvas => {
  const canvas = new Canvas(prompt(promptLength), promptLength, MASK);
  canvas.extend(promptLength + genLength);
  return canvas;
};
const masked = (
  selection: Selection,
  { genLength = 16, blockLength = 8, model = hashed() as FakeModel, promptLength = 5 } = {},
): Promise<Driven> =>
  drive(
    (context) =>
      maskedDiffusion(context, {
        blockLength,
        cache: "none",
        guidance: 0,
        shift: false,
        selection,
        schedule: null,
        earlyStop: false,
      }),
    canvasOf(promptLength, genLength),
    { model },
  );
const block = (
  over: Partial<BlockDiffusionOptions>,
  { genLength = 24, promptLength = 11, model = hashed() as FakeModel } = {},
): Promise<Driven> =>
  drive(
    (context) =>
      blockDiffusion(context, {
        blockLength: 8,
        gridOffset: 0,
        selection: { rule: "threshold", threshold: 0.8, strict: true, metric: "confidence" },
        schedule: null,
        commitLast: true,
        earlyStop: false,
        ...over,
      }),
    canvasOf(promptLength, genLength),
    { model },
  );
/** Places known after each forward, and what each forward revealed. */
const gains = ({ forwards }: Driven): number[] => forwards.map(({ revealed }) => revealed.length);
const told = ({ forwards }: Driven) =>
  forwards.map(({ rows, revealed }) => ({ rows, revealed: revealed.map(({ position, id }) => [position, id]) }));

describe("K dInfer's threshold", () => {
  test.each([
    [
      [0.5, 0.5, 0.499995, 0.3],
      [0, 1, 2],
    ],
    [
      [0.9, 0.8999, 0.4, 0.95],
      [0, 3],
    ],
    [
      [0.95, 0.91, 0.4, 0.85],
      [0, 1],
    ],
  ])("0.9 of %j", (confidences, picks) => {
    expect(goals(nearTies(masks(confidences), 0.9, 1e-5))).toEqual(picks);
  });
});

describe("K hierarchical", () => {
  const MASKS = [0.5, 0.6, null, 0.45, 0.3, null, 0.35, 0.2];
  test.each([
    [MASKS, 0.4, [1, 3]],
    [MASKS, 0, [1, 3, 6]],
    [[0.3, 0.2, null, 0.25], 0.4, [0]],
    [[0.95, 0.92, 0.3, null, 0.5], 0.4, [0, 1, 4]],
  ])("%j with low threshold %f", (confidences, low, picks) => {
    expect(goals(hierarchicalPicks(masks(confidences), 0.9, low))).toEqual(picks);
  });

  test("remask: 0.95 – – 0.8 0.6 with tokens at 0.3 and 0.35 reveals three and masks two", () => {
    const writes = remaskingWrites(
      scene({ masked: [answer(0, 0.95), answer(3, 0.8), answer(4, 0.6)], known: [standingAt(1, 0.3), standingAt(2, 0.35)] }),
      { threshold: 0.9, low: 0.4, remask: 0.4 },
    );
    const at = (wanted: boolean) =>
      writes
        .filter(({ id }) => (id === MASK) === wanted)
        .map(({ place }) => place)
        .sort();
    expect([at(false), at(true)]).toEqual([
      [0, 3, 4],
      [1, 2],
    ]);
  });

  test("remask gains a place a pass at least, so it ends in as many passes as there are masks", () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), async (seed) => {
        const selection = ruleOf(hierarchicalRemask, { remask: 0.9, low: 0.8 });
        const driven = await masked(selection, { model: hashed(seed), genLength: 16, blockLength: 16 });
        expect(driven.forwards.length).toBeLessThanOrEqual(16);
        expect(driven.canvas.masks(0, 21)).toEqual([]);
      }),
      { numRuns: 10 },
    ));
});

describe("credit", () => {
  const V = { threshold: 0.9, decay: 0.8, boost: 0.7, power: 0.2 };
  /** The same over a whole vocabulary: credits of every token, softmax of ℓ + boost · ln(1 + C); but for `raw`, whose logit does not grow. */
  const dense = (logits: readonly number[], credits: number[], raw: number): number[] => {
    const z = logits.map(Math.exp);
    const p = z.map((x) => x / z.reduce((a, b) => a + b, 0));
    const top = p.indexOf(Math.max(...p));
    credits.forEach((c, i) => {
      credits[i] = c * V.decay + (i === top ? (p[top] as number) ** V.power : 0);
    });
    const fused = z.map((x, i) => x * (1 + (i === raw ? 0 : (credits[i] as number))) ** V.boost);
    return fused.map((x) => x / fused.reduce((a, b) => a + b, 0));
  };

  test("two tokens that lead in turn: the fused distribution is that of the whole vocabulary, and the better one is proposed", () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 2, max: 6, noNaN: true }), fc.double({ min: 2, max: 6, noNaN: true })), {
          minLength: 1,
          maxLength: 8,
        }),
        (lead) => {
          const rule = new Credit({ ...V, threshold: 0 });
          const credits = [0, 0, 0, 0];
          let last: number | undefined;
          for (const [a, b] of lead) {
            const logits = [a, b, 1, 0.5];
            const z = logits.map(Math.exp);
            const p = z.map((x) => x / z.reduce((x1, x2) => x1 + x2, 0));
            const id = p.indexOf(Math.max(...p));
            const probe = rule.probe(3);
            const came = rule.choose({
              masked: [
                { ...answer(3, p[id] as number), id, ...(probe === undefined ? {} : { probe: Math.log(p[probe] as number) }) },
              ],
            });
            // The leader of the pass before, where another leads now.
            const fused = dense(logits, credits, last !== undefined && last !== id ? last : -1);
            last = id;
            const best = fused.indexOf(Math.max(...fused));
            expect(came[0]?.id).toBe(best);
            expect(came[0]?.confidence).toBeCloseTo(fused[best] as number, 9);
          }
        },
      ),
    ));

  test("a token that keeps leading crosses a threshold that no single pass reaches", async () => {
    const model = fixed(() => 0.7);
    const steady: FakeModel = (state, goal) => ({ ...model(state, goal), id: goal });
    const plain = await masked({ rule: "threshold", threshold: 0.75, strict: false, metric: "confidence" }, { model: steady });
    const trusted = await masked(ruleOf(credit, { threshold: 0.75 }), { model: steady });
    expect(plain.forwards).toHaveLength(16);
    expect(trusted.forwards.length).toBeLessThan(8);
    expect(trusted.canvas.tokens).toEqual(plain.canvas.tokens);
  });
});

describe("KLASS", () => {
  test("confident and calm for two passes is revealed; else the best alone; one that moved starts anew", () => {
    const rule = new Settling({ threshold: 0.9, divergence: 0.01, history: 2 });
    const pass = (...answers: readonly Answer[]) => rule.choose({ masked: answers }).map(({ place }) => place);
    const of = (goal: number, c: number, divergence = 0.001) => answer(goal, c, { divergence });
    // In a place's first pass its slot holds another's logits: however near, it does not count.
    expect(pass(of(0, 0.92), of(1, 0.91), of(2, 0.5), of(3, 0.95))).toEqual([3]);
    expect(pass(of(0, 0.92), of(1, 0.91), of(2, 0.5))).toEqual([0]);
    // Second calm pass for 1; 2 is calm but not confident.
    expect(pass(of(1, 0.912), of(2, 0.5), of(4, 0.99))).toEqual([1]);
    // 4 was new one pass ago, 5 is new: neither is calm for two, so the best goes.
    expect(pass(of(2, 0.5), of(4, 0.99), of(5, 0.98))).toEqual([4]);
    // 2 is confident now, and has been calm twice; 5 moved as far as the bound.
    expect(pass(of(2, 0.95), of(5, 0.98, 0.01))).toEqual([2]);
    expect(pass(of(5, 0.93), of(6, 0.97, 0))).toEqual([6]);
    expect(pass(of(5, 0.93), of(7, 0.99))).toEqual([5]);
  });

  test("each place of a block has a slot of its own, as many as a block is long", async () => {
    const { ran } = await masked(ruleOf(klass, { threshold: 0.5, divergence: 1, history: 1 }));
    const kept = ran.flatMap(({ rows }) => rows.flatMap((row) => (row.goal === null ? [] : [[row.goal, row.kept] as const])));
    expect(kept.length).toBeGreaterThan(0);
    for (const [goal, slot] of kept) expect(slot).toEqual([(goal - 5) % 8, 8]);
  });
});

describe("first-hitting", () => {
  test("one place a forward, ranked at random", () =>
    expect(ruleOf(firstHitting)).toEqual({ rule: "schedule", metric: "random" }));
});

describe("eos-last", () => {
  test("K a place that ends the answer is revealed when none other is left", () => {
    const answers = [answer(0, 0.99, { id: EOS }), answer(1, 0.2), answer(2, 0.9, { id: EOS }), answer(3, 0.6)];
    expect(endsLast(answers, new Set([EOS])).map(({ goal }) => goal)).toEqual([3, 1, 0, 2]);
  });

  test("counts are LLaDA's", async () => {
    const model: FakeModel = (state, goal) => ({ ...hashed()(state, goal), id: goal % 2 ? EOS : 1 });
    const driven = await masked(ruleOf(eosLast, { steps: 3 }), { model });
    expect(gains(driven)).toEqual([...lladaSchedule(8, 3), ...lladaSchedule(8, 3)]);
    const order = driven.forwards.slice(0, 3).map(({ revealed }) => revealed.map(({ id }) => id === EOS));
    expect(order).toEqual([
      [false, false, false],
      [true, true, false],
      [true, true],
    ]);
  });
});

describe("ReMDM", () => {
  const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  const kinds = [remdmCap, remdmRescale, remdmConfidence];

  test.each(kinds.map((kind) => [kind.name, kind] as const))(
    "%s: the expected share of known places is that of the schedule, and tokens are masked again",
    async (_, kind) => {
      const steps = 8;
      const n = 48;
      const known = range(0, steps).map(() => [] as number[]);
      let remasked = 0;
      for (let seed = 0; seed < 24; seed++) {
        let step = 0;
        let before = 0;
        const canvas = canvasOf(3, n);
        await drive(
          (context) =>
            maskedDiffusion(context, {
              blockLength: n,
              cache: "none",
              guidance: 0,
              shift: false,
              selection: ruleOf(kind, { steps, eta: 0.5 }, seed),
              schedule: null,
              earlyStop: false,
            }),
          canvas,
          {
            model: hashed(seed),
            onProgress: ({ forwards, revealed }) => {
              if (forwards.length > 0) return;
              const now = n - canvas.masks(3, 3 + n).length;
              known[step++]?.push(now);
              remasked += before + revealed.length - now;
              before = now;
            },
          },
        );
      }
      known.forEach((list, i) => {
        const share = (i + 1) / steps;
        // 24 runs of 48 places: four and a half deviations of the mean.
        const tolerance = 3 * Math.sqrt((n * share * (1 - share)) / list.length) * 1.5 + 1e-9;
        expect(Math.abs(mean(list) - n * share), `after pass ${i + 1}`).toBeLessThanOrEqual(tolerance);
      });
      expect(known[steps - 1]?.every((count) => count === n)).toBe(true);
      expect(remasked).toBeGreaterThan(20);
    },
  );

  test("eta 0 never masks again: ancestral sampling", async () => {
    const { forwards } = await masked(ruleOf(remdmRescale, { steps: 6, eta: 0 }), { genLength: 16, blockLength: 16 });
    expect(forwards.flatMap(({ revealed }) => revealed)).toHaveLength(16);
    expect(forwards.length).toBeLessThanOrEqual(6);
  });
});

describe("path planning", () => {
  test("after pass i, ⌊N (i + 1) / S⌋ places are known, whatever is masked again", async () => {
    for (const [n, steps] of [
      [16, 5],
      [8, 8],
      [10, 3],
      [6, 12],
    ] as const) {
      const known: number[] = [];
      const canvas = canvasOf(3, n);
      await drive(
        (context) =>
          maskedDiffusion(context, {
            blockLength: n,
            cache: "none",
            guidance: 0,
            shift: false,
            selection: ruleOf(p2, { steps }),
            schedule: null,
            earlyStop: false,
          }),
        canvas,
        {
          onProgress: ({ forwards }, engine) => {
            if (forwards.length === 1) known.push(engine.canvas.slice(3).filter((id) => id !== MASK).length);
          },
        },
      );
      known.push(n - canvas.masks(3, 3 + n).length);
      expect(known.slice(1)).toEqual(range(0, steps).map((i) => Math.floor((n * (i + 1)) / steps)));
    }
  });

  test("a large eta keeps what is known: the count schedule", async () => {
    const planned = await masked(ruleOf(p2, { steps: 4, eta: 1e6 }));
    expect(gains(planned)).toEqual([2, 2, 2, 2, 2, 2, 2, 2]);
  });
});

describe("J24 editing", () => {
  test("an editing threshold above 1 is the plain threshold run and one check pass a block", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.double({ min: 0.1, max: 0.95, noNaN: true }),
        async (seed, threshold) => {
          const model = hashed(seed);
          const plain = await block(
            { selection: { rule: "threshold", threshold, strict: true, metric: "confidence" } },
            { model },
          );
          const checked = await block({ selection: ruleOf(editing, { threshold, edit: 1.5 }) }, { model });
          expect(checked.canvas.tokens).toEqual(plain.canvas.tokens);
          // Three blocks of masks begin in [11, 40).
          expect(checked.forwards).toHaveLength(plain.forwards.length + 4);
          expect(told(checked).filter(({ revealed }) => revealed.length > 0)).toEqual(
            told(plain).filter(({ revealed }) => revealed.length > 0),
          );
        },
      ),
      { numRuns: 8 },
    ));

  test("edits are written, no more than 16 passes after the last mask, the prompt never", async () => {
    let edits = 0;
    for (let seed = 0; seed < 4; seed++) {
      const { forwards, canvas } = await block(
        { selection: ruleOf(editing, { threshold: 0.9, edit: 0.2 }) },
        { model: hashed(seed) },
      );
      expect(canvas.tokens.slice(0, 11)).toEqual(prompt(11));
      expect(canvas.masks(0, canvas.length)).toEqual([]);
      for (const start of [8, 16, 24, 32]) {
        const passes = forwards.filter(({ kind, rows }) => kind === "block" && rows[0] === start);
        expect(passes.length).toBeLessThanOrEqual(8 + 16);
        const writes = passes.flatMap(({ revealed }) => revealed.map(({ position }) => position));
        edits += writes.length - new Set(writes).size;
        for (const position of writes) expect(position).toBeGreaterThanOrEqual(11);
      }
    }
    expect(edits).toBeGreaterThan(4);
  });

  test("a settled model is checked once", async () => {
    const still: FakeModel = (state, goal) => ({ ...hashed()(state, goal), id: goal % 190, confidence: 0.99 });
    const { forwards } = await block({ selection: ruleOf(editing) }, { model: still });
    expect(forwards.filter(({ kind, rows }) => kind === "block" && rows[0] === 16)).toHaveLength(2);
  });
});

describe("Saber", () => {
  test("the threshold is the mean confidence of what was revealed; the largest drops are masked again, fewer than are revealed", () => {
    const rule = new Saber({ sum: 0, count: 0 }, 2);
    const write = (over: Partial<Scene>) =>
      rule.choose(scene(over)).map(({ place, id }) => [place, id === MASK ? "mask" : "token"]);
    // Nothing revealed yet: the bound is 1.
    expect(write({ masked: masks([0.9, 0.8, 0.7, 0.6]) })).toEqual([[0, "token"]]);
    expect(write({ masked: [answer(1, 0.95), answer(2, 0.92), answer(3, 0.6)], known: [standingAt(0, 0.3)] })).toEqual([
      [1, "token"],
      [2, "token"],
      [0, "mask"],
    ]);
    // Mean of 0.9, 0.95, 0.92. One is revealed, so none may be masked again.
    expect(write({ masked: [answer(0, 0.93), answer(3, 0.92)], known: [standingAt(1, 0.1), standingAt(2, 0.5)] })).toEqual([
      [0, "token"],
    ]);
  });

  test("ends within as many passes as there are masks", async () => {
    for (let seed = 0; seed < 4; seed++) {
      const { forwards } = await masked(ruleOf(saber, { mu: 1 }), { model: hashed(seed), genLength: 16, blockLength: 16 });
      expect(forwards.length).toBeLessThanOrEqual(16);
    }
  });
});

describe("WINO", () => {
  test("K at most 0.7 of the masks, but 5 to 20", () => {
    expect([1, 5, 8, 20, 29, 128].map((n) => acceptCap(n, { least: 5, most: 20 }))).toEqual([5, 5, 5, 14, 20, 20]);
  });

  test("wide in: all above the threshold, at most the cap, at least one", () => {
    const bounds = { threshold: 0.6, least: 5, most: 20 };
    expect(goals(accepted(masks([0.5, 0.7, 0.61, 0.6]), bounds))).toEqual([1, 2]);
    expect(goals(accepted(masks([0.1, 0.3, 0.2]), bounds))).toEqual([1]);
    expect(goals(accepted(masks([0.9, 0.8, 0.91, 0.7, 0.92, 0.93, 0.65]), bounds))).toEqual([0, 1, 2, 4, 5]);
  });

  test("narrow out: those whose shadow doubts them, fewer than the pass before revealed", () => {
    const shadows = [standingAt(1, 0.95), standingAt(2, 0.5), standingAt(3, 0.2), standingAt(4, 0.7)];
    expect(goals(takenBack(shadows, 0.9, 30))).toEqual([2, 3, 4]);
    expect(goals(takenBack(shadows, 0.9, 3))).toEqual([2, 3]);
    expect(goals(takenBack(shadows, 0.9, 1))).toEqual([]);
  });

  const run = (values: Record<string, number>, model: FakeModel) =>
    drive(
      (context) => wino.decoder(context, valuesOf(wino, values), { blockLength: 8, gridOffset: 0, earlyStop: false }),
      canvasOf(5, 16),
      { model },
    );

  test("ends within as many passes as there are masks, and takes tokens back", async () => {
    let back = 0;
    for (let seed = 0; seed < 8; seed++) {
      const { forwards, canvas, ran } = await run({ threshold: 0.3 }, hashed(seed));
      expect(canvas.masks(0, canvas.length)).toEqual([]);
      expect(forwards.length).toBeLessThanOrEqual(16);
      back += forwards.flatMap(({ revealed }) => revealed).length - 16;
      for (const { rows } of ran) expect([0, 29]).toContain(rows.length);
    }
    expect(back).toBeGreaterThan(8);
  });

  test("J23 back threshold 0 and no cap is threshold decoding; real rows do not see the shadow", async () => {
    for (let seed = 0; seed < 4; seed++) {
      const plain = await masked(
        { rule: "threshold", threshold: 0.6, strict: true, metric: "confidence" },
        { model: hashed(seed) },
      );
      const driven = await run({ threshold: 0.6, back: 0, least: 1000, most: 1000 }, hashed(seed));
      expect(driven.canvas.tokens).toEqual(plain.canvas.tokens);
      const real = driven.ran.filter(({ rows }) => rows.length > 0);
      expect(real).toHaveLength(plain.ran.length);
      for (const [i, { states }] of real.entries()) expect(states.slice(0, 21)).toEqual(plain.ran[i]?.states);
    }
  });
});

describe("J25 pipelined blocks", () => {
  const run = (values: Record<string, number>, model: FakeModel, promptLength = 11) =>
    drive(
      (context) => pipelined.decoder(context, valuesOf(pipelined, values), { blockLength: 8, gridOffset: 0, earlyStop: false }),
      canvasOf(promptLength, 24),
      { model },
    );

  test("added when the last is done, blocks are strictly one after the other: block diffusion with a fused commit", () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1, max: 20 }), async (seed, promptLength) => {
        const model = hashed(seed);
        const selection = { rule: "threshold", threshold: 0.7, strict: true, metric: "confidence" } as const;
        const sequential = await block({ fusedCommit: true, commitLast: false, selection }, { model, promptLength });
        const driven = await run({ threshold: 0.7, add: 1 }, model, promptLength);
        expect(driven.canvas.tokens).toEqual(sequential.canvas.tokens);
        expect(told(driven)).toEqual(told(sequential));
      }),
      { numRuns: 8 },
    ));

  test("added early, blocks go on together in fewer forwards; what a block sees before it is kept only when clean", async () => {
    const model = hashed(3);
    const [one, many] = [await run({ threshold: 0.7, add: 1 }, model), await run({ threshold: 0.7, add: 0.1 }, model)];
    expect(many.forwards.length).toBeLessThan(one.forwards.length);
    expect(Math.max(...many.forwards.map(({ rows }) => rows.length))).toBeGreaterThan(16);
    const ran = many.ran.filter(({ rows, kind }) => rows.length > 0 && kind === "block");
    for (const [i, { rows, before }] of ran.entries()) {
      const next = ran[i + 1];
      if (!next) continue;
      // A place that the next pass leaves out was clean when this one ran.
      const left = rows.filter(({ place }) => place < (next.rows[0]?.place ?? 0));
      for (const { place } of left) expect(before[place]).not.toBe(MASK);
    }
  });

  test("a block reveals below the threshold only when its left neighbour is nearly done", async () => {
    const model = fixed((goal) => (mix(goal) % 100) / 100);
    const { forwards, ran } = await run({ threshold: 0.9, add: 0.1, activate: 1 }, model);
    const passes = ran.filter(({ rows, kind }) => rows.length > 0 && kind === "block");
    for (const [i, { before }] of passes.entries()) {
      const revealed = forwards.filter(({ kind }) => kind === "block")[i]?.revealed ?? [];
      for (const { position, confidence } of revealed) {
        const start = Math.floor(position / 8) * 8;
        const neighbour = range(Math.max(8, start - 8), start);
        if (confidence <= 0.9 && start > 8) expect(neighbour.some((place) => before[place] === MASK)).toBe(false);
      }
    }
  });
});

describe("J30 a fused commit", () => {
  test("is a commit of its own: the same tokens, one forward less a block that another follows", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        async (seed, promptLength, commitLast) => {
          const shared = { model: hashed(seed), promptLength };
          const [apart, fused] = [await block({ commitLast }, shared), await block({ commitLast, fusedCommit: true }, shared)];
          expect(fused.canvas.tokens).toEqual(apart.canvas.tokens);
          const commits = apart.forwards.filter(({ kind }) => kind === "commit").length;
          expect(fused.forwards).toHaveLength(apart.forwards.length - commits + (commitLast ? 1 : 0));
          expect(fused.forwards.flatMap(({ revealed }) => revealed)).toEqual(apart.forwards.flatMap(({ revealed }) => revealed));
        },
      ),
      { numRuns: 8 },
    ));
});
