/** What holds for every decoder, whatever the lengths: numbers of forwards, progress, scope, exactness of the exact caches. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { autoregressive } from "../../../src/decode/autoregressive";
import { blockDiffusion, blockEnd } from "../../../src/decode/block-diffusion";
import { Canvas, NO_TOKEN } from "../../../src/decode/canvas";
import { maskedDiffusion } from "../../../src/decode/masked-diffusion";
import { dllmSchedule, dreamSchedule, lladaSchedule } from "../../../src/decode/schedule";
import type { Selection } from "../../../src/decode/selection";
import { shiftedBlockDiffusion } from "../../../src/decode/shifted-block-diffusion";
import type { ForwardKind } from "../../../src/decode/step";
import {
  type Driven,
  type DriveOptions,
  drive,
  EOS,
  type FakeModel,
  fixed,
  hashed,
  MASK,
  mix,
  prompt,
  type Ran,
  range,
  saying,
  uncached,
} from "./drive";

const above = (threshold: number): Selection => ({ rule: "threshold", threshold, strict: true, metric: "confidence" });
const NEVER = above(1.5);
const ALWAYS = above(-1);

const canvasOf = (promptLength: number, genLength = 0, maskId = MASK): Canvas => {
  const canvas = new Canvas(prompt(promptLength), promptLength, maskId);
  canvas.extend(promptLength + genLength);
  return canvas;
};

interface Settings extends DriveOptions {
  readonly promptLength: number;
  readonly genLength: number;
  readonly blockLength: number;
  readonly selection: Selection;
  readonly schedule?: ((masks: number) => readonly number[]) | null;
  readonly earlyStop?: boolean;
  readonly canvas?: Canvas;
}
type Cache = "none" | "prefix" | "dual";

const masked = (cache: Cache, s: Settings & { readonly shift?: boolean; readonly refresh?: number }): Promise<Driven> =>
  drive(
    (context) =>
      maskedDiffusion(context, {
        blockLength: s.blockLength,
        cache,
        refresh: s.refresh ?? 0,
        guidance: 0,
        shift: s.shift ?? false,
        selection: s.selection,
        schedule: s.schedule ?? null,
        earlyStop: s.earlyStop ?? false,
      }),
    s.canvas ?? canvasOf(s.promptLength, s.genLength),
    s,
  );

const block = (s: Settings & { readonly gridOffset?: number; readonly commitLast?: boolean }): Promise<Driven> =>
  drive(
    (context) =>
      blockDiffusion(context, {
        blockLength: s.blockLength,
        gridOffset: s.gridOffset ?? 0,
        selection: s.selection,
        schedule: s.schedule ?? null,
        commitLast: s.commitLast ?? true,
        earlyStop: s.earlyStop ?? false,
      }),
    s.canvas ?? canvasOf(s.promptLength, s.genLength),
    s,
  );

interface Shifted extends Settings {
  readonly subBlockLength?: number;
  readonly subBlockCache?: boolean;
}
const shifted = (s: Shifted): Promise<Driven> =>
  drive(
    (context) =>
      shiftedBlockDiffusion(context, {
        blockLength: s.blockLength,
        subBlockLength: s.subBlockLength ?? s.blockLength,
        subBlockCache: s.subBlockCache ?? false,
        blocks: s.genLength / s.blockLength,
        selection: s.selection,
        schedule: s.schedule ?? null,
      }),
    s.canvas ?? canvasOf(s.promptLength),
    s,
  );

const greedy = (s: Pick<Settings, "promptLength" | "genLength"> & DriveOptions, tokensPerSubmit = 4): Promise<Driven> =>
  drive(
    (context) => autoregressive(context, { maxNewTokens: s.genLength, tokensPerSubmit }),
    canvasOf(s.promptLength, 0, NO_TOKEN),
    s,
  );

const count = ({ ran }: Driven, kind: ForwardKind): number => ran.filter((pass) => pass.kind === kind).length;
const denoising = ({ ran }: Driven): Ran[] => ran.filter(({ kind }) => kind !== "prefill" && kind !== "commit");

/** P, Bl, number of blocks, with G = blocks · Bl. */
const shapes = fc
  .record({
    promptLength: fc.integer({ min: 1, max: 20 }),
    blockLength: fc.integer({ min: 1, max: 9 }),
    blocks: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ promptLength, blockLength, blocks }) => ({ promptLength, blockLength, blocks, genLength: blocks * blockLength }));
const seeds = fc.integer({ min: 0, max: 1e6 });
const caches = fc.constantFrom<Cache>("none", "prefix", "dual");
const selections: fc.Arbitrary<Selection> = fc.oneof(
  fc.record({
    rule: fc.constant("threshold" as const),
    threshold: fc.double({ min: -0.5, max: 1.5, noNaN: true }),
    strict: fc.boolean(),
    metric: fc.constant("confidence" as const),
  }),
  fc.record({
    rule: fc.constant("factor" as const),
    factor: fc.double({ min: 0.01, max: 4, noNaN: true }),
    metric: fc.constant("confidence" as const),
  }),
  fc.record({
    rule: fc.constant("eb" as const),
    gamma: fc.double({ min: 0, max: 9, noNaN: true }),
    metric: fc.constantFrom("confidence" as const, "entropy" as const),
  }),
  fc.record({
    rule: fc.constantFrom("schedule" as const, "sequential" as const),
    metric: fc.constantFrom("confidence" as const, "entropy" as const, "margin" as const, "random" as const),
  }),
  fc.record({
    rule: fc.constant("dynamic" as const),
    threshold: fc.double({ min: 0, max: 1, noNaN: true }),
    metric: fc.constant("confidence" as const),
  }),
);
const schedules: fc.Arbitrary<((masks: number) => readonly number[]) | null> = fc.oneof(
  fc.constant(null),
  fc.tuple(fc.constantFrom("llada", "dllm", "dream"), fc.integer({ min: 1, max: 12 })).map(([name, steps]) => (masks: number) => {
    if (name === "dllm") return dllmSchedule(masks, steps);
    return name === "dream" ? dreamSchedule(masks, steps, { clamp: true }) : lladaSchedule(masks, steps);
  }),
);
const check = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => Promise<void>, numRuns = 60): Promise<void> =>
  fc.assert(fc.asyncProperty(arbitrary, property), { numRuns });

describe("J9 numbers of forwards", () => {
  test("a threshold above 1 reveals one a pass: masked diffusion takes G forwards in every cache mode", () =>
    check(fc.tuple(shapes, caches, fc.boolean(), seeds), async ([shape, cache, shift, seed]) => {
      const run = await masked(cache, { ...shape, shift, selection: NEVER, model: hashed(seed) });
      expect(run.ran.map(({ revealed }) => revealed.length)).toEqual(new Array<number>(shape.genLength).fill(1));
      expect(count(run, "full")).toBe(cache === "none" ? shape.genLength : shape.blocks);
    }));

  test("block diffusion takes one pass a mask and a commit a block; the last commit may be left out", () =>
    check(fc.tuple(shapes, seeds), async ([shape, seed]) => {
      const { promptLength, genLength, blockLength } = shape;
      const end = blockEnd(promptLength + genLength - 1, blockLength, 0);
      const blocks = (end - Math.floor(promptLength / blockLength) * blockLength) / blockLength;
      const settings = { ...shape, selection: NEVER, model: hashed(seed) };
      const run = await block(settings);
      expect(count(run, "prefill")).toBe(promptLength >= blockLength ? 1 : 0);
      expect(denoising(run).map(({ revealed }) => revealed.length)).toEqual(new Array<number>(end - promptLength).fill(1));
      expect(count(run, "commit")).toBe(blocks);
      expect(count(await block({ ...settings, commitLast: false }), "commit")).toBe(blocks - 1);
    }));

  test("with shift a full block takes Bl passes, its commit among them, plus the prefill", () =>
    check(fc.tuple(shapes, fc.boolean(), seeds), async ([shape, subBlockCache, seed]) => {
      const promptLength = shape.promptLength * shape.blockLength;
      const run = await shifted({ ...shape, promptLength, subBlockCache, selection: NEVER, model: hashed(seed) });
      expect(run.ran).toHaveLength(1 + shape.genLength);
      expect(count(run, "commit")).toBe(shape.blocks);
      expect(run.ran.map(({ revealed }) => revealed.length)).toEqual(new Array<number>(1 + shape.genLength).fill(1));
    }));

  test("a threshold of at most 0 takes one pass a block", () =>
    check(fc.tuple(shapes, caches, seeds), async ([shape, cache, seed]) => {
      const settings = { ...shape, selection: ALWAYS, model: hashed(seed) };
      const run = await masked(cache, settings);
      expect(run.ran.map(({ kind }) => kind)).toEqual(new Array<string>(shape.blocks).fill("full"));
      const blocks = await block(settings);
      expect(count(blocks, "block")).toBe(count(blocks, "commit"));
    }));

  test("with shift, one pass a sub-block", async () => {
    const shape = { promptLength: 8, genLength: 24, blockLength: 8, subBlockLength: 4 };
    const run = await shifted({ ...shape, selection: ALWAYS });
    expect(run.ran.map(({ kind }) => kind)).toEqual(["prefill", ...range(0, 3).flatMap(() => ["block", "block", "commit"])]);
  });

  test("forwards never grow as the threshold drops, for answers that depend on the place alone", () =>
    check(fc.tuple(shapes, caches, seeds), async ([shape, cache, seed]) => {
      const model = fixed((goal) => (mix(seed, goal) % 1000) / 1000);
      let most = Number.POSITIVE_INFINITY;
      for (const threshold of [1.5, 0.9, 0.7, 0.4, 0.2, -1]) {
        const { ran } = await masked(cache, { ...shape, selection: above(threshold), model });
        expect(ran.length).toBeLessThanOrEqual(most);
        most = ran.length;
      }
    }));

  test("a schedule is kept: forwards of a block are its counts", () =>
    check(fc.tuple(shapes, caches, fc.integer({ min: 1, max: 12 })), async ([shape, cache, steps]) => {
      const schedule = (masks: number) => lladaSchedule(masks, steps);
      const { ran } = await masked(cache, { ...shape, schedule, selection: { rule: "schedule", metric: "confidence" } });
      const counts = range(0, shape.blocks).flatMap(() => lladaSchedule(shape.blockLength, steps));
      expect(ran.map(({ revealed }) => revealed.length)).toEqual(counts);
    }));
});

describe("J12 progress and scope", () => {
  /** Every pass reveals at least one masked place of [from, to) of its own, and nothing else changes. */
  function checkPasses(
    { ran, canvas }: Driven,
    given: readonly number[],
    promptLength: number,
    scopeOf: (pass: Ran) => [number, number],
  ): void {
    for (const pass of ran) {
      if (pass.kind === "prefill" || pass.kind === "commit") {
        expect(pass.revealed.length).toBeLessThanOrEqual(1);
        continue;
      }
      const [from, to] = scopeOf(pass);
      expect(pass.revealed.length).toBeGreaterThanOrEqual(1);
      for (const place of pass.revealed) {
        expect(pass.before[place]).toBe(MASK);
        expect(place).toBeGreaterThanOrEqual(Math.max(from, promptLength));
        expect(place).toBeLessThan(to);
      }
    }
    given.forEach((id, place) => {
      if (place < promptLength || id !== MASK) expect(canvas.tokens[place]).toBe(id);
    });
    expect(canvas.tokens.slice(promptLength)).not.toContain(MASK);
  }

  test("masked diffusion, with holes anywhere in the canvas", () => {
    const cases = fc.tuple(shapes, caches, selections, schedules, fc.boolean(), fc.infiniteStream(fc.boolean()), seeds);
    return check(
      cases,
      async ([shape, cache, selection, schedule, shift, known, seed]) => {
        const { promptLength, genLength, blockLength } = shape;
        const given = [...prompt(promptLength), ...range(0, genLength).map((i) => (known.next().value ? (11 * i) % EOS : MASK))];
        const canvas = new Canvas(given, promptLength, MASK);
        const run = await masked(cache, { ...shape, canvas, selection, schedule, shift, model: hashed(seed) });
        const end = promptLength + genLength;
        const starts = range(0, shape.blocks).map((i) => promptLength + i * blockLength);
        checkPasses(run, given, promptLength, ({ before }) => {
          const from = starts.find((start) => before.slice(start, start + blockLength).includes(MASK)) as number;
          return [from, Math.min(from + blockLength, end)];
        });
        expect(canvas.length).toBe(end);
      },
      120,
    );
  });

  test("block diffusion, on any grid", () =>
    check(
      fc.tuple(shapes, selections, schedules, fc.integer({ min: 0, max: 8 }), seeds),
      async ([shape, selection, schedule, offset, seed]) => {
        const { promptLength, genLength, blockLength } = shape;
        const gridOffset = offset % blockLength;
        const run = await block({ ...shape, gridOffset, selection, schedule, model: hashed(seed) });
        checkPasses(run, canvasOf(promptLength, genLength).tokens, promptLength, ({ rows }) => [
          rows[0]!.place,
          rows.at(-1)!.place + 1,
        ]);
        expect(run.canvas.length).toBe(blockEnd(promptLength + genLength - 1, blockLength, gridOffset));
      },
      120,
    ));

  test("block diffusion with shift: inside the sub-block; J18 the first place of an active block is never masked", () =>
    check(
      fc.tuple(shapes, selections, schedules, fc.boolean(), seeds),
      async ([shape, selection, schedule, subBlockCache, seed]) => {
        const { promptLength, blocks } = shape;
        const [subBlockLength, blockLength] = [shape.blockLength, shape.blockLength * 2];
        const settings = {
          promptLength,
          blockLength,
          subBlockLength,
          subBlockCache,
          genLength: blocks * blockLength,
          selection,
          schedule,
        };
        const run = await shifted({ ...settings, model: hashed(seed) });
        checkPasses(run, prompt(promptLength), promptLength, ({ before }) => {
          const first = before.indexOf(MASK, promptLength);
          const from = Math.floor(first / subBlockLength) * subBlockLength;
          return [from, from + subBlockLength];
        });
        for (const { kind, before, rows } of run.ran) {
          if (kind !== "block") continue;
          const start = Math.floor(rows[0]!.place / blockLength) * blockLength;
          expect(before[start]).not.toBe(MASK);
          expect(Math.max(...rows.map(({ place }) => place))).toBeLessThan(start + blockLength);
        }
      },
      120,
    ));

  test("a prompt that holds the mask's own id keeps it", async () => {
    const tokens = [1, MASK, 3, 4, MASK];
    const of = () => new Canvas(tokens, 5, MASK);
    const settings = { promptLength: 5, genLength: 8, blockLength: 4, selection: above(0.5) };
    const filled = of();
    filled.extend(13);
    for (const run of [
      await masked("dual", { ...settings, canvas: filled }),
      await block({ ...settings, canvas: of() }),
      await shifted({ ...settings, canvas: of() }),
    ]) {
      expect(run.canvas.tokens.slice(0, 5)).toEqual(tokens);
      expect(run.canvas.tokens.slice(5)).not.toContain(MASK);
    }
  });

  test("rows of one pass never pass maxRows, whatever the prompt's length", () =>
    check(
      fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 8, max: 20 }), seeds),
      async ([promptLength, maxRows, seed]) => {
        const settings = { promptLength, genLength: 8, blockLength: 4, selection: NEVER, maxRows, model: hashed(seed) };
        for (const run of [await greedy(settings), await block(settings), await shifted(settings)]) {
          expect(Math.max(...run.ran.map(({ rows }) => rows.length))).toBeLessThanOrEqual(maxRows);
        }
      },
    ));
});

describe("caches that are exact", () => {
  /** The states of a pass are those of the whole canvas computed at once with the same views. */
  const isExact = ({ ran }: Driven, limitOf: (place: number) => number): void => {
    for (const { rows, before, states } of ran) {
      const length = Math.max(...rows.map(({ limit }) => limit));
      const whole = uncached(before.slice(0, length), limitOf);
      expect(states).toEqual(rows.map(({ place }) => whole[place]));
    }
  };

  test("J31 autoregressive: the rows of a prefill, in however many passes, and of every later token are the causal ones", () =>
    check(fc.tuple(shapes, fc.integer({ min: 1, max: 9 }), seeds), async ([shape, maxRows, seed]) => {
      const run = await greedy({ ...shape, maxRows, model: hashed(seed) });
      for (const { rows, states } of run.ran) {
        const whole = uncached(run.canvas.tokens, (place) => place + 1);
        expect(states).toEqual(rows.map(({ place }) => whole[place]));
      }
      expect((await greedy({ ...shape, model: hashed(seed) }, 1)).canvas.tokens).toEqual(run.canvas.tokens);
    }));

  test("J5 block diffusion: every pass equals the block mask over the whole canvas", () =>
    check(fc.tuple(shapes, selections, fc.integer({ min: 0, max: 8 }), seeds), async ([shape, selection, offset, seed]) => {
      const gridOffset = offset % shape.blockLength;
      const run = await block({ ...shape, gridOffset, selection, model: hashed(seed) });
      isExact(run, (place) => blockEnd(place, shape.blockLength, gridOffset));
    }));

  test("J5 block diffusion with shift, without sub-blocks", () =>
    check(fc.tuple(shapes, selections, seeds), async ([shape, selection, seed]) => {
      isExact(await shifted({ ...shape, selection, model: hashed(seed) }), (place) => blockEnd(place, shape.blockLength, 0));
    }));

  test("J6 leaving the commit out leaves states behind that are not a fresh prefill's", async () => {
    const settings = { promptLength: 4, genLength: 8, blockLength: 4, selection: NEVER };
    const { engine, canvas, ran } = await block(settings);
    const limitOf = (place: number) => blockEnd(place, 4, 0);
    const fresh = await block({ ...settings, promptLength: 12, canvas: new Canvas([...canvas.tokens, MASK], 12, MASK) });
    const slots = (driven: Driven, from: number, to: number) => range(from, to).map((slot) => driven.engine.cached(slot));
    expect(slots({ engine } as Driven, 0, 12)).toEqual(slots(fresh, 0, 12));
    const last = ran.findLast(({ kind }) => kind === "block") as Ran;
    expect(last.states).not.toEqual(uncached(canvas.tokens, limitOf).slice(8, 12));
    const uncommitted = await block({ ...settings, commitLast: false });
    expect(slots(uncommitted, 0, 8)).toEqual(slots(fresh, 0, 8));
    expect(slots(uncommitted, 8, 12)).not.toEqual(slots(fresh, 8, 12));
  });

  test("J8 block-causal states do not depend on G, those of full attention do", async () => {
    const run = (genLength: number) => block({ promptLength: 6, genLength, blockLength: 4, selection: above(0.5) });
    const [short, long] = [await run(4), await run(12)];
    expect(long.canvas.tokens.slice(0, short.canvas.length)).toEqual(short.canvas.tokens);
    const of = async (genLength: number) =>
      (await masked("none", { promptLength: 6, genLength, blockLength: 4, selection: NEVER })).ran[0]?.states.slice(0, 6);
    expect(await of(4)).not.toEqual(await of(12));
  });

  test("J7 blocks of one, no shift, are the per-place loop; with shift they are greedy decoding, token for token", () =>
    check(fc.tuple(shapes, selections, seeds), async ([{ promptLength, genLength }, selection, seed]) => {
      const settings = { promptLength, genLength, blockLength: 1, selection, model: hashed(seed) };
      const ar = await greedy(settings);
      expect((await shifted({ ...settings, genLength: genLength - 1 })).canvas.tokens).toEqual(ar.canvas.tokens);
      const tokens = prompt(promptLength);
      for (let place = promptLength; place < promptLength + genLength; place++) {
        const states = uncached([...tokens, MASK], (at) => at + 1);
        tokens.push(hashed(seed)(states[place] as number, place).id);
      }
      expect((await block(settings)).canvas.tokens).toEqual(tokens);
    }));
});

describe("caches that approximate", () => {
  const shape = { promptLength: 6, genLength: 16, blockLength: 4, selection: NEVER };
  const full = (ran: readonly Ran[]) =>
    ran.map(({ before, states, rows }) => ({ rows, states, whole: uncached(before, () => before.length) }));

  test.each(["prefix", "dual"] as const)("J2 cache %s: exact in the first pass of a block", async (cache) => {
    for (const { rows, states, whole } of full((await masked(cache, shape)).ran.filter(({ kind }) => kind === "full"))) {
      expect(states).toEqual(rows.map(({ place }) => whole[place]));
    }
  });

  test.each(["prefix", "dual"] as const)("J3 cache %s: not exact after it", async (cache) => {
    const later = full((await masked(cache, shape)).ran.filter(({ kind }) => kind !== "full"));
    expect(later.length).toBe(12);
    for (const { rows, states, whole } of later) expect(states).not.toEqual(rows.map(({ place }) => whole[place]));
  });

  test("J2 refreshed every pass, both are no cache at all", () =>
    check(fc.tuple(shapes, selections, schedules, seeds), async ([sizes, selection, schedule, seed]) => {
      const settings = { ...sizes, selection, schedule, refresh: 1, model: hashed(seed) };
      const [none, prefix, dual] = await Promise.all(
        (["none", "prefix", "dual"] as const).map((cache) => masked(cache, settings)),
      );
      for (const run of [prefix, dual]) expect(run?.ran).toEqual(none?.ran);
    }));

  test("J4 with one block as long as the canvas, dual is prefix", () =>
    check(fc.tuple(shapes, selections, schedules, seeds), async ([sizes, selection, schedule, seed]) => {
      const settings = { ...sizes, blockLength: sizes.genLength, selection, schedule, model: hashed(seed) };
      const [prefix, dual] = [await masked("prefix", settings), await masked("dual", settings)];
      const same = ({ rows, revealed, states }: Ran) => ({ rows, revealed, states });
      expect(dual.ran.map(same)).toEqual(prefix.ran.map(same));
    }));

  test("J17 sub-block cache: exact where the whole block was computed, and from a block as long as the sub-block on", async () => {
    const settings = { promptLength: 8, genLength: 16, blockLength: 8, selection: NEVER };
    const { ran } = await shifted({ ...settings, subBlockLength: 4, subBlockCache: true });
    const limitOf = (place: number) => blockEnd(place, 8, 0);
    const exact = ran.map(({ rows, before, states }) => {
      const whole = uncached(before.slice(0, Math.max(...rows.map(({ limit }) => limit))), limitOf);
      return rows.every(({ place }, i) => whole[place] === states[i]);
    });
    expect(exact).toEqual(ran.map(({ rows }) => rows.length === 8));
    expect(ran.some(({ rows }) => rows.length === 4)).toBe(true);
  });
});

describe("J21 stopping early", () => {
  const stopping = (place: number): FakeModel => saying(new Map([[place, EOS]]));

  test.each([9, 11, 14, 20])("at place %i: the text up to it is that of the run without, in no more forwards", async (place) => {
    const settings = {
      promptLength: 9,
      genLength: 16,
      blockLength: 4,
      selection: above(0.6),
      model: stopping(place),
      stopIds: [EOS],
    };
    const pairs: [Driven, Driven][] = [
      [await block({ ...settings, earlyStop: true }), await block({ ...settings, earlyStop: false })],
      [await shifted(settings), await shifted({ ...settings, stopIds: [] })],
      [await greedy(settings), await greedy({ ...settings, stopIds: [] })],
      ...(await Promise.all(
        (["none", "prefix", "dual"] as const).map(
          async (cache): Promise<[Driven, Driven]> => [
            await masked(cache, { ...settings, earlyStop: true }),
            await masked(cache, { ...settings, earlyStop: false }),
          ],
        ),
      )),
    ];
    for (const [stopped, whole] of pairs) {
      expect(stopped.canvas.tokens.slice(0, place + 1)).toEqual(whole.canvas.tokens.slice(0, place + 1));
      expect(stopped.forwards.length).toBeLessThanOrEqual(whole.forwards.length);
      expect(stopped.canvas.stopIndex(new Set([EOS]))).toBe(place);
    }
  });

  test("block diffusion stops after the block, without its commit", async () => {
    const settings = { promptLength: 8, genLength: 16, blockLength: 4, selection: ALWAYS, model: stopping(13), stopIds: [EOS] };
    const run = await block({ ...settings, earlyStop: true });
    expect(run.ran.map(({ kind }) => kind)).toEqual(["prefill", "block", "commit", "block"]);
  });

  test("with shift it stops inside a block, as soon as no mask lies before the stop id", async () => {
    const leftToRight = fixed((goal) => 1 / (goal + 2));
    const model = saying(new Map([[10, EOS]]), leftToRight);
    const run = await shifted({ promptLength: 8, genLength: 16, blockLength: 8, selection: NEVER, model, stopIds: [EOS] });
    expect(run.ran.map(({ kind }) => kind)).toEqual(["prefill", "block", "block"]);
    expect(run.canvas.masks(0, 16)).toEqual([11, 12, 13, 14, 15]);
  });

  test("a stop id in the prompt, or behind a mask, is none yet", async () => {
    const canvas = new Canvas([1, EOS, 3, 4, MASK, 6, EOS, MASK], 4, MASK);
    expect(canvas.stopIndex(new Set([EOS]))).toBe(-1);
    const run = await masked("none", {
      promptLength: 4,
      genLength: 4,
      blockLength: 2,
      selection: ALWAYS,
      canvas,
      stopIds: [EOS],
      earlyStop: false,
    });
    expect(run.ran).toHaveLength(2);
  });
});

test("J14 equal runs are equal", async () => {
  const settings = { promptLength: 7, genLength: 12, blockLength: 4, selection: above(0.7), model: fixed(() => 0.5) };
  const [first, ...others] = await Promise.all(range(0, 5).map(() => masked("dual", settings)));
  for (const other of others) expect(other.ran).toEqual(first?.ran);
  // All values equal: the lowest place of the block, one after the other.
  expect(first?.ran.flatMap(({ revealed }) => revealed)).toEqual(range(7, 19));
});
