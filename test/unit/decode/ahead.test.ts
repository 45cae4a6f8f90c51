/** Passes planned ahead of what the pass before them reveals: what counts is what would have counted one by one, in fewer submits. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BlockDiffusionOptions, blockDiffusion } from "../../../src/decode/block-diffusion";
import { Canvas } from "../../../src/decode/canvas";
import type { Decoder, DecoderContext } from "../../../src/decode/decoder";
import { type MaskedDiffusionOptions, maskedDiffusion } from "../../../src/decode/masked-diffusion";
import { dreamSchedule, lladaSchedule } from "../../../src/decode/schedule";
import type { Selection } from "../../../src/decode/selection";
import { type ShiftedBlockDiffusionOptions, shiftedBlockDiffusion } from "../../../src/decode/shifted-block-diffusion";
import { type Driven, drive, EOS, type FakeModel, hashed, MASK, mix, prompt, saying } from "./drive";

type Made = (context: DecoderContext) => Decoder;
const confidence = { metric: "confidence" } as const;
const rules = fc.oneof(
  fc.constant<Selection>({ rule: "schedule", ...confidence }),
  fc.constant<Selection>({ rule: "schedule", metric: "entropy" }),
  fc.constant<Selection>({ rule: "sequential", ...confidence }),
  fc
    .constantFrom(0.1, 0.5, 0.8, 0.95)
    .map((threshold): Selection => ({ rule: "threshold", threshold, strict: false, ...confidence })),
  fc.constantFrom(0.5, 2).map((factor): Selection => ({ rule: "factor", factor, ...confidence })),
  fc.constant<Selection>({ rule: "dynamic", threshold: 0.7, ...confidence }),
);
const scheduled = (selection: Selection): boolean => ["schedule", "sequential", "dynamic"].includes(selection.rule);
const scheduleOf = (selection: Selection, steps: number) =>
  scheduled(selection)
    ? (masks: number) => (steps % 2 ? lladaSchedule(masks, steps) : dreamSchedule(masks, steps, { clamp: false }))
    : null;

const common = fc.record({
  selection: rules,
  steps: fc.integer({ min: 1, max: 6 }),
  promptLength: fc.integer({ min: 1, max: 9 }),
  blockLength: fc.constantFrom(2, 4, 8),
  blocks: fc.integer({ min: 1, max: 3 }),
  seed: fc.nat(1e6),
  stops: fc.boolean(),
});

/** Some tokens are a stop id, the sooner the more of the canvas is known. */
const modelOf = (seed: number, stops: boolean): FakeModel => {
  const model = hashed(seed);
  return (state, goal) => (stops && mix(seed, state, 9) % 8 === 0 ? { ...model(state, goal), id: EOS } : model(state, goal));
};

const told = ({ canvas, forwards }: Driven) => ({
  canvas: canvas.tokens,
  forwards: forwards.map(({ kind, rows, revealed }) => ({ kind, rows, revealed })),
});

async function compare(make: (context: DecoderContext) => Decoder, canvas: () => Canvas, model: FakeModel, stops: boolean) {
  const run = (passesPerSubmit: number) =>
    drive((context) => make({ ...context, passesPerSubmit }), canvas(), { model, stopIds: stops ? [EOS] : [] });
  const [one, ...more] = await Promise.all([1, 2, 3].map(run));
  for (const run of more) expect(told(run)).toEqual(told(one as Driven));
  expect(one?.dropped).toEqual([]);
  return more as Driven[];
}

const canvasOf = (promptLength: number, masks: number): Canvas => {
  const canvas = new Canvas(prompt(promptLength), promptLength, MASK);
  canvas.extend(promptLength + masks);
  return canvas;
};

describe("the same forwards, tokens and values however many passes go in one submit", () => {
  test("masked diffusion, every cache", async () => {
    const caches = fc.constantFrom<MaskedDiffusionOptions["cache"]>("none", "prefix", "dual", "vicinity", "delayed", "frozen");
    await fc.assert(
      fc.asyncProperty(common, caches, fc.boolean(), fc.boolean(), fc.nat(3), async (c, cache, shift, earlyStop, refresh) => {
        const { selection, steps, promptLength, blockLength, blocks, seed, stops } = c;
        const options = {
          blockLength,
          cache,
          shift,
          selection,
          schedule: scheduleOf(selection, steps),
          earlyStop,
          guidance: 0,
          refresh,
          window: 1,
          warmup: 3,
        };
        const make: Made = (context) => maskedDiffusion(context, options);
        const runs = await compare(make, () => canvasOf(promptLength, blockLength * blocks), modelOf(seed, stops), stops);
        // Behind a stop id at most the next block's first pass, and none of a schedule otherwise.
        const most = stops && earlyStop ? 1 : 0;
        if (scheduled(selection) && selection.rule !== "dynamic")
          for (const { dropped } of runs) expect(dropped.length).toBeLessThanOrEqual(most);
      }),
      { numRuns: 150, seed: 3 },
    );
  }, 60_000);

  test("block diffusion, commits apart and fused", async () => {
    await fc.assert(
      fc.asyncProperty(common, fc.boolean(), fc.boolean(), async (c, fusedCommit, earlyStop) => {
        const { selection, steps, promptLength, blockLength, blocks, seed, stops } = c;
        const options: BlockDiffusionOptions = {
          blockLength,
          gridOffset: 0,
          selection,
          schedule: scheduleOf(selection, steps),
          commitLast: false,
          earlyStop,
          fusedCommit,
        };
        const make: Made = (context) => blockDiffusion(context, options);
        await compare(make, () => canvasOf(promptLength, blockLength * blocks), modelOf(seed, stops), stops);
      }),
      { numRuns: 100, seed: 4 },
    );
  }, 60_000);

  test("block diffusion with shift, with and without the sub-block cache", async () => {
    await fc.assert(
      fc.asyncProperty(common, fc.boolean(), async (c, subBlockCache) => {
        const { selection, steps, promptLength, blockLength, blocks, seed, stops } = c;
        const options: ShiftedBlockDiffusionOptions = {
          blockLength,
          subBlockLength: Math.max(2, blockLength / 2),
          subBlockCache,
          blocks,
          selection,
          schedule: scheduleOf(selection, steps),
        };
        const make: Made = (context) => shiftedBlockDiffusion(context, options);
        await compare(make, () => canvasOf(promptLength, 0), modelOf(seed, stops), stops);
      }),
      { numRuns: 100, seed: 5 },
    );
  }, 60_000);
});

describe("masked diffusion of 16 places in one block", () => {
  const run = (selection: Selection, schedule: MaskedDiffusionOptions["schedule"], model = hashed(1)) =>
    drive(
      (context) =>
        maskedDiffusion(
          { ...context, passesPerSubmit: 2 },
          { blockLength: 16, cache: "dual", shift: false, selection, schedule, earlyStop: false, guidance: 0 },
        ),
      canvasOf(5, 16),
      { model },
    );

  test.each([
    [16, 8],
    [5, 2],
    [1, 1],
  ])("a schedule of %i passes takes %i submits, none for nothing", async (steps, submits) => {
    const { engine, forwards, dropped } = await run({ rule: "schedule", ...confidence }, (masks) => lladaSchedule(masks, steps));
    expect([forwards.length, engine.submits.length, dropped.length]).toEqual([steps, submits, 0]);
  });

  test("a pass behind one that took all is dropped: it is no forward, and the canvas is what it was", async () => {
    const all: Selection = { rule: "threshold", threshold: 0, strict: false, ...confidence };
    const { engine, forwards, dropped, canvas } = await run(all, null);
    expect([forwards.length, dropped.length, engine.submits]).toEqual([1, 2, [3]]);
    expect(engine.canvas).toEqual(canvas.tokens);
  });

  test("a stop id in the first of two passes does not keep the second from finishing the block", async () => {
    const model = saying(new Map([[5, EOS]]));
    const { forwards, dropped, canvas } = await drive(
      (context) =>
        maskedDiffusion(
          { ...context, passesPerSubmit: 2 },
          {
            blockLength: 4,
            cache: "none",
            shift: false,
            selection: { rule: "sequential", ...confidence },
            schedule: () => [2, 2],
            earlyStop: true,
            guidance: 0,
          },
        ),
      canvasOf(5, 8),
      { model, stopIds: [EOS] },
    );
    expect([forwards.length, dropped.length]).toEqual([2, 0]);
    expect(canvas.masks(5, 9)).toEqual([]);
    expect(canvas.masks(9, 13)).toHaveLength(4);
  });
});

describe("the next block's first pass, planned behind the last of a block", () => {
  const all: Selection = { rule: "threshold", threshold: 0, strict: false, ...confidence };
  const run = (
    cache: MaskedDiffusionOptions["cache"],
    options: { slots?: number; model?: FakeModel; selection?: Selection } = {},
  ) => {
    const { slots, model = hashed(1), selection = all } = options;
    const settings = { blockLength: 4, cache, shift: false, selection, schedule: null, earlyStop: false, guidance: 0 };
    return drive((context) => maskedDiffusion({ ...context, passesPerSubmit: 2 }, settings), canvasOf(5, 24), {
      model,
      ...(slots === undefined ? {} : { slots }),
    });
  };

  test.each(["none", "prefix", "dual", "vicinity"] as const)(
    "cache %s: blocks that take one pass take half a submit each",
    async (cache) => {
      const { engine, forwards } = await run(cache);
      expect(forwards).toHaveLength(6);
      // The first block is not known to take one pass only.
      expect(engine.submits.length).toBeLessThanOrEqual(4);
    },
  );

  test("it has cache rows of its own, where there are as many; without room it waits", async () => {
    const slotsOf = ({ ran }: Driven): number => Math.max(...ran.flatMap(({ rows }) => rows.map(({ slot }) => slot)));
    const [roomy, tight, none] = await Promise.all([run("dual"), run("dual", { slots: 29 }), run("none", { slots: 29 })]);
    expect([slotsOf(roomy), slotsOf(tight), slotsOf(none)]).toEqual([57, 28, 28]);
    expect(tight.engine.submits.length).toBeGreaterThan(none.engine.submits.length);
    expect(told(tight)).toEqual(told(roomy));
  });

  test("a block that needs another pass finds its keys and values where they were", async () => {
    const selection: Selection = { rule: "threshold", threshold: 0.6, strict: false, ...confidence };
    for (let seed = 0; seed < 40; seed++) {
      const [ahead, apart] = await Promise.all([29, 4096].map((slots) => run("dual", { slots, selection, model: hashed(seed) })));
      expect(told(ahead as Driven)).toEqual(told(apart as Driven));
    }
  });
});
