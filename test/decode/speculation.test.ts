/** Speculation is never seen in the text: plain decoding, in fewer forwards. J22 and what follows from losslessness for each source of drafts. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { autoregressive } from "../../src/decode/autoregressive";
import { type BlockDiffusionOptions, blockDiffusion } from "../../src/decode/block-diffusion";
import { Canvas, NO_TOKEN } from "../../src/decode/canvas";
import type { Decoder, DecoderContext } from "../../src/decode/decoder";
import type { SelfSpeculation } from "../../src/decode/freedave";
import { guidedFinalization } from "../../src/decode/guided-finalization";
import { type MaskedDiffusionOptions, maskedDiffusion } from "../../src/decode/masked-diffusion";
import { promptLookup } from "../../src/decode/prompt-lookup";
import type { ReplayCase } from "../../src/decode/replay";
import { type Assistant, type Forwarded, runDecoder } from "../../src/decode/runner";
import { lladaSchedule } from "../../src/decode/schedule";
import { type ShiftedBlockDiffusionOptions, shiftedBlockDiffusion } from "../../src/decode/shifted-block-diffusion";
import { type Drafter, newTally, type SpeculationTally, speculative } from "../../src/decode/speculative";
import { autoregressiveDrafter, diffusionDrafter } from "../../src/decode/speculative-drafters";
import type { Engine } from "../../src/model/engine";
import type { LoadedEngine } from "../../src/model/load";
import { GREEDY, type Metric, type Sampling } from "../../src/model/pass";
import { fetchJson, loadGolden } from "../support/goldens";
import { loadRandom } from "../support/random-model";

vi.setConfig({ testTimeout: 300_000 });

const MASK = 200;
const SAMPLING: Sampling = { ...GREEDY, suppress: [200, 201, 202, 203, 204, 205, 206, 207] };
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const prompt = (length: number, seed = 0): number[] => range(0, length).map((i) => (37 * i + 11 * seed + 5) % 199);

type MakeDecoder = (context: DecoderContext) => Decoder;
interface RunSettings {
  readonly sampling?: Sampling;
  readonly stopIds?: readonly number[];
  readonly metric?: Metric;
  readonly assistant?: Assistant;
  readonly maxRows?: number;
}

async function decode(
  engine: Engine,
  decoder: MakeDecoder,
  canvas: Canvas,
  { sampling = SAMPLING, stopIds = [], metric = "confidence", assistant, maxRows = engine.maxRows }: RunSettings = {},
): Promise<{ tokens: readonly number[]; forwards: readonly Forwarded[] }> {
  const stops = new Set(stopIds);
  const forwards: Forwarded[] = [];
  const running = decoder({ canvas, stopIds: stops, maxRows });
  for await (const step of runDecoder(engine, running, { canvas, sampling, stopIds: stops, metric, assistant }))
    forwards.push(...step.forwards);
  return { tokens: canvas.tokens, forwards };
}

/** What forwards did; values are rounded, because a forward that was planned ahead asks for more answers at once than another. */
const told = (forwards: readonly Forwarded[]) =>
  forwards.map(({ kind, rows, revealed }) => ({
    kind,
    rows,
    revealed: revealed.map(({ position, id, confidence }) => [position, id, confidence.toFixed(4)]),
  }));

const SMALL = { contextLength: 128 };
const loaded: LoadedEngine[] = [];
const golden = async (name: string): Promise<Engine> => {
  const model = await loadGolden(`trajectories/${name}`, SMALL);
  loaded.push(model);
  return model.engine;
};
afterAll(() => {
  for (const { engine } of loaded) engine.dispose();
});

describe("autoregressive", () => {
  let llama: Engine;
  let twin: Engine;
  let other: Engine;
  let dream: Engine;
  let fast: Engine;
  beforeAll(async () => {
    [llama, twin] = [await golden("llama"), await golden("llama")];
    [dream, fast] = [await golden("dream"), await golden("fast-dllm-v2")];
    const model = await loadRandom({ vocabSize: 208, seed: 3 });
    loaded.push(model);
    other = model.engine;
  }, 120_000);

  const plain: MakeDecoder = (context) => autoregressive(context, { maxNewTokens: 24, tokensPerSubmit: 4 });
  const canvasOf = (tokens: readonly number[]) => new Canvas(tokens, tokens.length, NO_TOKEN);
  /** The end of every answer is known, so that drafts go past it unless they are cut. */
  const speculating =
    (draftTokens: number, tally: SpeculationTally, drafterOf: (canvas: Canvas) => Drafter): MakeDecoder =>
    (context) =>
      speculative(context, { maxNewTokens: 24, draftTokens, tally, drafter: drafterOf(context.canvas) });
  const assistantOf = (engine: Engine, tokens: readonly number[], maskId: number): Assistant => ({
    engine,
    canvas: new Canvas(tokens, tokens.length, maskId),
    sampling: SAMPLING,
  });

  const sources: [
    string,
    (tokens: readonly number[]) => { make: (tally: SpeculationTally) => (canvas: Canvas) => Drafter; assistant?: Assistant },
  ][] = [
    ["prompt lookup", () => ({ make: () => (canvas) => promptLookup(canvas, { most: 3, least: 1 }) })],
    ["the model itself", (tokens) => drafting(twin, tokens)],
    ["another model", (tokens) => drafting(other, tokens)],
    ["a masked diffusion model, one forward", (tokens) => diffusing(dream, tokens, null, 1)],
    ["a masked diffusion model, three forwards", (tokens) => diffusing(dream, tokens, null, 3)],
    ["a block diffusion model", (tokens) => diffusing(fast, tokens, 8, 2)],
  ];
  function drafting(engine: Engine, tokens: readonly number[]) {
    const assistant = assistantOf(engine, tokens, NO_TOKEN);
    const make = (tally: SpeculationTally) => (canvas: Canvas) =>
      autoregressiveDrafter({ canvas, draftCanvas: assistant.canvas, maxRows: 16, tally });
    return { make, assistant };
  }
  function diffusing(engine: Engine, tokens: readonly number[], blockLength: number | null, forwards: number) {
    const assistant = assistantOf(engine, tokens, MASK);
    const end = tokens.length + 24;
    const make = (tally: SpeculationTally) => (canvas: Canvas) =>
      diffusionDrafter(
        { canvas, draftCanvas: assistant.canvas, maxRows: blockLength === null ? engine.maxRows : 16, tally },
        { forwards, shift: true, blockLength, end },
      );
    return { make, assistant };
  }

  describe.each(sources)("drafts by %s", (_, sourceOf) => {
    test("the text is that of plain decoding, greedy and drawn, with and without a stop id", async () => {
      for (const [tokens, seed] of [
        [prompt(9), 1],
        [range(0, 30).map((i) => 5 + (i % 4)), 3],
      ] as const) {
        for (const sampling of [SAMPLING, { ...SAMPLING, temperature: 0.8, topK: 20, seed }]) {
          const whole = await decode(llama, plain, canvasOf(tokens), { sampling });
          for (const [draftTokens, stopIds] of [
            [4, []],
            [5, [whole.tokens[tokens.length + 11] as number]],
          ] as const) {
            const tally = newTally();
            const { make, assistant } = sourceOf(tokens);
            const run = await decode(llama, speculating(draftTokens, tally, make(tally)), canvasOf(tokens), {
              sampling,
              stopIds,
              ...(assistant && { assistant }),
            });
            const stop = whole.tokens.findIndex(
              (id, place) => place >= tokens.length && (stopIds as readonly number[]).includes(id),
            );
            expect(run.tokens).toEqual(stop < 0 ? whole.tokens : whole.tokens.slice(0, stop + 1));
            expect(tally.accepted).toBeLessThanOrEqual(tally.drafted);
            const kinds = run.forwards.map(({ kind }) => kind);
            expect(kinds.filter((kind) => kind === "verify")).toHaveLength(tally.verifyForwards);
            expect(kinds.filter((kind) => kind === "draft")).toHaveLength(tally.draftForwards);
            // Every token but the prefill's is a draft that was accepted or a checking forward's own.
            const own = kinds.filter((kind) => kind === "verify" || kind === "commit").length;
            const made = run.tokens.length - tokens.length - 1;
            expect(own + tally.accepted - made).toBe(stop >= 0 && own + tally.accepted > made ? 1 : 0);
            const answer = run.forwards.flatMap(({ revealed }) => revealed);
            expect(answer.map(({ position, id }) => [position, id])).toEqual(
              range(tokens.length, run.tokens.length).map((place) => [place, run.tokens[place]]),
            );
          }
        }
      }
    });
  });

  test("drafts of an equal model are all accepted: one checking forward for each k + 1 tokens", async () => {
    const tokens = prompt(9);
    for (const k of [1, 3, 7]) {
      const tally = newTally();
      const { make, assistant } = drafting(twin, tokens);
      const { forwards } = await decode(llama, speculating(k, tally, make(tally)), canvasOf(tokens), { assistant });
      expect(tally.accepted).toBe(tally.drafted);
      const checking = forwards.filter(({ kind }) => kind === "verify" || kind === "commit");
      expect(checking).toHaveLength(Math.ceil(23 / (k + 1)));
    }
  });

  test("a prompt that repeats itself is copied: fewer forwards than tokens", async () => {
    // The tail of a greedy answer of a small random model falls into a loop.
    const long: MakeDecoder = (context) => autoregressive(context, { maxNewTokens: 80, tokensPerSubmit: 4 });
    const whole = await decode(other, long, canvasOf(prompt(5)));
    const tally = newTally();
    const run = await decode(
      other,
      (context) =>
        speculative(context, {
          maxNewTokens: 80,
          draftTokens: 6,
          tally,
          drafter: promptLookup(context.canvas, { most: 3, least: 2 }),
        }),
      canvasOf(prompt(5)),
    );
    expect(run.tokens).toEqual(whole.tokens);
    expect(tally.accepted).toBeGreaterThan(0);
    expect(run.forwards.length).toBe(80 - tally.accepted);
  });

  test("a prompt longer than a pass is read in several, by both models", async () => {
    const tokens = prompt(50);
    const whole = await decode(llama, plain, canvasOf(tokens), { maxRows: 16 });
    for (const source of [drafting(twin, tokens), diffusing(fast, tokens, 8, 1)]) {
      const tally = newTally();
      const run = await decode(llama, speculating(4, tally, source.make(tally)), canvasOf(tokens), {
        assistant: source.assistant,
        maxRows: 16,
      });
      expect(run.tokens).toEqual(whole.tokens);
    }
  });
});

describe("J22 self-speculation", () => {
  let llada: Engine;
  let dream: Engine;
  let qwen3: Engine;
  let fast: Engine;
  beforeAll(async () => {
    [llada, dream, qwen3, fast] = [
      await golden("llada"),
      await golden("dream"),
      await golden("qwen3"),
      await golden("fast-dllm-v2"),
    ];
  }, 120_000);

  const count = (metric: Metric) => ({ rule: "schedule", metric }) as const;
  const steps = (n: number) => (masks: number) => lladaSchedule(masks, n);
  const canvasOf = (promptLength: number, genLength: number): Canvas => {
    const canvas = new Canvas(prompt(promptLength), promptLength, MASK);
    canvas.extend(promptLength + genLength);
    return canvas;
  };
  type Speculating = { readonly speculation?: SelfSpeculation };
  const masked =
    (over: Partial<MaskedDiffusionOptions> = {}) =>
    (speculating: Speculating): MakeDecoder =>
    (context) =>
      maskedDiffusion(context, {
        blockLength: 8,
        cache: "none",
        shift: false,
        guidance: 0,
        earlyStop: false,
        selection: count("confidence"),
        schedule: steps(8),
        ...over,
        ...speculating,
      });
  const block =
    (over: Partial<BlockDiffusionOptions> = {}) =>
    (speculating: Speculating): MakeDecoder =>
    (context) =>
      blockDiffusion(context, {
        blockLength: 8,
        gridOffset: 0,
        commitLast: false,
        earlyStop: false,
        selection: count("confidence"),
        schedule: steps(8),
        ...over,
        ...speculating,
      });
  const shifted =
    (over: Partial<ShiftedBlockDiffusionOptions> = {}) =>
    (speculating: Speculating): MakeDecoder =>
    (context) =>
      shiftedBlockDiffusion(context, {
        blockLength: 8,
        subBlockLength: 8,
        subBlockCache: false,
        blocks: 3,
        selection: count("confidence"),
        schedule: steps(8),
        ...over,
        ...speculating,
      });

  const cases: [string, () => Engine, (speculating: Speculating) => MakeDecoder, number, number, Metric][] = [
    ["masked, a token a step", () => llada, masked(), 9, 16, "confidence"],
    ["masked, three steps a block", () => llada, masked({ schedule: steps(3) }), 9, 16, "confidence"],
    ["masked, by entropy", () => llada, masked({ selection: count("entropy") }), 9, 16, "entropy"],
    ["masked, by margin", () => llada, masked({ selection: count("margin") }), 9, 16, "margin"],
    [
      "masked, from the left",
      () => llada,
      masked({ selection: { rule: "sequential", metric: "confidence" } }),
      9,
      16,
      "confidence",
    ],
    ["masked, prefix cache", () => llada, masked({ cache: "prefix" }), 9, 16, "confidence"],
    ["masked with shift", () => dream, masked({ shift: true }), 9, 16, "confidence"],
    ["block", () => qwen3, block(), 11, 21, "confidence"],
    ["block, fused commit", () => qwen3, block({ fusedCommit: true }), 11, 21, "confidence"],
    ["block, three steps", () => qwen3, block({ schedule: steps(3), commitLast: true }), 16, 16, "confidence"],
    ["block with shift", () => fast, shifted(), 11, 0, "confidence"],
    ["block with shift, sub-blocks", () => fast, shifted({ subBlockLength: 4, schedule: steps(4) }), 8, 0, "confidence"],
  ];
  test.each(cases)("%s: any number of states gives the plain run's tokens", async (_, engineOf, make, P, G, metric) => {
    const engine = engineOf();
    const plain = await decode(engine, make({}), canvasOf(P, G), { metric });
    const denoising = (forwards: readonly Forwarded[]) =>
      forwards.filter(({ kind }) => kind !== "prefill" && kind !== "commit").length;
    for (const states of [1, 2, 3]) {
      const tally = newTally();
      const base = P + (G > 0 ? G : 24) + 8;
      const run = await decode(engine, make({ speculation: { states, base, tally } }), canvasOf(P, G), { metric });
      expect(run.tokens).toEqual(plain.tokens);
      // Every accepted guess is a step that took no forward of its own.
      expect(denoising(run.forwards)).toBe(denoising(plain.forwards) - tally.accepted);
      if (states === 1) {
        expect(told(run.forwards)).toEqual(told(plain.forwards));
        expect(tally.drafted).toBe(0);
      } else {
        expect(tally.drafted).toBeGreaterThan(0);
        expect(
          run.forwards
            .flatMap(({ revealed }) => revealed)
            .map(({ position, id }) => [position, id])
            .toSorted(),
        ).toEqual(
          plain.forwards
            .flatMap(({ revealed }) => revealed)
            .map(({ position, id }) => [position, id])
            .toSorted(),
        );
      }
    }
  });

  test("guesses are accepted: fewer forwards than one a token", async () => {
    const tally = newTally();
    const run = await decode(
      qwen3,
      block({ selection: { rule: "sequential", metric: "confidence" } })({ speculation: { states: 4, base: 40, tally } }),
      canvasOf(11, 21),
    );
    expect(tally.accepted).toBeGreaterThan(0);
    expect(run.forwards.length).toBeLessThan(21 + 3);
  });

  test("a pass that leaves out rows which the guess could change is refused", async () => {
    const speculation = { states: 2, base: 40, tally: newTally() };
    await expect(decode(llada, masked({ cache: "dual" })({ speculation }), canvasOf(9, 16))).rejects.toThrow(/self-speculation/);
  });
});

describe("guided diffusion", () => {
  let dream: Engine;
  let guide: Engine;
  beforeAll(async () => {
    [dream, guide] = [await golden("dream"), await golden("dream")];
  }, 120_000);

  type Guided = Required<ReplayCase> & { readonly drafted: number; readonly accepted: number };
  test.each(["guided-p0", "guided-p1", "guided-p2"])(
    "%s: the whole trajectory of an independent implementation",
    async (name) => {
      const expected = await fetchJson<Guided>(`guided/${name}.json`);
      for (const guideRows of [128, 5]) {
        const tally = newTally();
        const canvas = new Canvas(expected.canvas, expected.prompt.length, MASK);
        const guideCanvas = new Canvas(expected.prompt, expected.prompt.length, NO_TOKEN);
        const decoder: MakeDecoder = (context) =>
          guidedFinalization(context, {
            decoder: (at) =>
              maskedDiffusion(at, {
                blockLength: expected.params.block_length as number,
                cache: "none",
                shift: true,
                guidance: 0,
                earlyStop: false,
                selection: { rule: "schedule", metric: "confidence" },
                schedule: null,
              }),
            guideCanvas,
            guideRows,
            tally,
          });
        const { tokens, forwards } = await decode(dream, decoder, canvas, {
          assistant: { engine: guide, canvas: guideCanvas, sampling: SAMPLING },
        });
        const full = forwards.filter(({ kind }) => kind === "full");
        const want = expected.passes.filter(({ kind }) => kind === "full");
        expect(full.map(({ rows }) => rows)).toEqual(want.map(({ rows }) => rows));
        expect(full.map(({ revealed }) => revealed.map(({ position, id }) => [position, id]))).toEqual(
          want.map(({ committed }) => committed.map(([position, id]) => [position, id])),
        );
        full.forEach(({ revealed }, i) => {
          revealed.forEach(({ confidence }, j) => {
            expect(confidence).toBeCloseTo(want[i]?.committed[j]?.[2] as number, 2);
          });
        });
        expect(tokens).toEqual(expected.final);
        expect([tally.drafted, tally.accepted, tally.draftForwards]).toEqual([expected.drafted, expected.accepted, want.length]);
        // In passes of five rows the guide needs several forwards for what it reads at once.
        if (guideRows === 128) expect(forwards).toHaveLength(expected.nfe);
        else expect(tally.verifyForwards).toBeGreaterThan(want.length);
      }
    },
  );
});
