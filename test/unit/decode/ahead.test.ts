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
        if (scheduled(selection) && selection.rule !== "dynamic") for (const { dropped } of runs) expect(dropped).toEqual([]);
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
    [5, 3],
    [1, 1],
  ])("a schedule of %i passes takes %i submits, none for nothing", async (steps, submits) => {
    const { engine, forwards, dropped } = await run({ rule: "schedule", ...confidence }, (masks) => lladaSchedule(masks, steps));
    expect([forwards.length, engine.submits.length, dropped.length]).toEqual([steps, submits, 0]);
  });

  test("a pass behind one that took all is dropped: it is no forward, and the canvas is what it was", async () => {
    const all: Selection = { rule: "threshold", threshold: 0, strict: false, ...confidence };
    const { engine, forwards, dropped, canvas } = await run(all, null);
    expect([forwards.length, dropped.length, engine.submits]).toEqual([1, 1, [2]]);
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
