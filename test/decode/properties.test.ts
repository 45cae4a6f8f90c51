/**
 * Properties that decoding must have, on the device, named "J<n>". The pure ones (numbers of forwards, schedules, rules, scope, row plans: J9–J14, J17,
 * J18, J21 and the symbolic halves of J2–J8, J31) are in `test/unit/decode`, draws and kernels (J11, J13–J15, J28) in `test/kernel`, J27 in `test/model`
 * and `test/unit`.
 *
 * | not built                                  | property |
 * |--------------------------------------------|----------|
 * | likelihood of given answers                | J20      |
 * | speculative decoding (FreeDave)            | J22      |
 * | shadow rows that verify (WINO)             | J23      |
 * | editing of revealed tokens (LLaDA 2.1)     | J24      |
 * | pipelined blocks (D2F)                     | J25      |
 * | dropped suffix (DPad)                      | J26      |
 * | commit fused with the next block's pass    | J30, first half |
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { autoregressive } from "../../src/decode/autoregressive";
import { type BlockDiffusionOptions, blockDiffusion, blockEnd } from "../../src/decode/block-diffusion";
import { Canvas } from "../../src/decode/canvas";
import type { Decoder, DecoderContext, PlannedPass } from "../../src/decode/decoder";
import { type MaskedDiffusionOptions, maskedDiffusion } from "../../src/decode/masked-diffusion";
import { type Forwarded, runDecoder } from "../../src/decode/runner";
import { lladaSchedule } from "../../src/decode/schedule";
import { type ShiftedBlockDiffusionOptions, shiftedBlockDiffusion } from "../../src/decode/shifted-block-diffusion";
import { loadModel, type Model } from "../../src/index";
import type { Engine, PassResult } from "../../src/model/engine";
import type { LoadedEngine } from "../../src/model/load";
import { GREEDY, type Row, type Sampling } from "../../src/model/pass";
import { loadGolden, testGpu } from "../support/goldens";
import { GENERATION, loadRandom } from "../support/random-model";

/** f32 sums in another order: logits reach about 20. */
const TOLERANCE = 2e-3;
/** What really is another value is another by far more. */
const DIFFERENT = 1e-2;
const MASK = 200;
/** Ids that no decoder may draw on the golden models: the mask and the padding of the vocabulary. */
const NEVER = [200, 201, 202, 203, 204, 205, 206, 207];
const SAMPLING: Sampling = { ...GREEDY, suppress: NEVER };

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const prompt = (length: number, seed = 0): number[] => range(0, length).map((i) => (37 * i + 11 * seed + 5) % 199);
const canvasOf = (promptLength: number, genLength = 0, maskId = MASK): Canvas => {
  const canvas = new Canvas(prompt(promptLength), promptLength, maskId);
  canvas.extend(promptLength + genLength);
  return canvas;
};

const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs((a[i] as number) - (b[i] as number)));
  return worst;
};

const rowsFrom = (from: number, to: number, limitOf: (place: number) => number): Row[] =>
  range(from, to).map((place) => ({ place, position: place, slot: place, start: 0, limit: limitOf(place), goal: place }));

/** Logits of every place of a canvas, computed at once. */
async function wholeLogits(engine: Engine, tokens: readonly number[], limitOf: (place: number) => number): Promise<Float32Array> {
  engine.writeCanvas(0, tokens);
  return engine.logits(rowsFrom(0, tokens.length, (place) => Math.min(limitOf(place), tokens.length)));
}

/** A pass that ran, the canvas before it, the logits of all its rows. */
interface Seen {
  readonly pass: PlannedPass;
  readonly before: readonly number[];
  readonly logits: Float32Array;
}

interface Followed {
  readonly seen: readonly Seen[];
  readonly canvas: Canvas;
  readonly forwards: readonly Forwarded[];
}

interface FollowOptions {
  readonly sampling?: Sampling;
  readonly stopIds?: readonly number[];
  /** Called with every pass, after it ran. */
  readonly after?: (pass: PlannedPass) => Promise<void>;
}

/** Runs a decoder and keeps the logits of every row of every pass: they are computed before the pass, from the same cache. */
async function follow(
  engine: Engine,
  decoder: (context: DecoderContext) => Decoder,
  canvas: Canvas,
  { sampling = SAMPLING, stopIds = [], after }: FollowOptions = {},
): Promise<Followed> {
  const seen: Seen[] = [];
  const forwards: Forwarded[] = [];
  const device: number[] = [];
  const spy = {
    slots: engine.slots,
    resetDraws: () => engine.resetDraws(),
    writeCanvas(place: number, tokens: readonly number[]) {
      for (const [i, id] of tokens.entries()) device[place + i] = id;
      engine.writeCanvas(place, tokens);
    },
    async run(passes: readonly PlannedPass[], ...rest: [Sampling, number]): Promise<PassResult[]> {
      const results: PassResult[] = [];
      for (const pass of passes) {
        const logits = await engine.logits(pass.rows.map((row) => ({ ...row, goal: row.place })));
        seen.push({ pass, before: [...device], logits });
        const [result] = (await engine.run([pass], ...rest)) as [PassResult];
        for (const { goal, id, revealed } of result.answers) if (revealed) device[goal] = id;
        results.push(result);
        await after?.(pass);
      }
      return results;
    },
  };
  const stops = new Set(stopIds);
  const running = decoder({ canvas, stopIds: stops, maxRows: engine.maxRows });
  for await (const step of runDecoder(spy as unknown as Engine, running, { canvas, sampling, stopIds: stops }))
    forwards.push(...step.forwards);
  return { seen, canvas, forwards };
}

/** Runs a decoder as it is. */
async function decode(
  engine: Engine,
  decoder: (context: DecoderContext) => Decoder,
  canvas: Canvas,
  { sampling = SAMPLING, stopIds = [] }: FollowOptions = {},
): Promise<{ canvas: Canvas; forwards: Forwarded[] }> {
  const stops = new Set(stopIds);
  const forwards: Forwarded[] = [];
  const running = decoder({ canvas, stopIds: stops, maxRows: engine.maxRows });
  for await (const step of runDecoder(engine, running, { canvas, sampling, stopIds: stops })) forwards.push(...step.forwards);
  return { canvas, forwards };
}

/** Greatest difference of each pass's logits from those of the whole canvas, computed at once on another engine. */
async function gapsToWhole(
  { seen }: Followed,
  reference: Engine,
  limitOf: (place: number, length: number) => number,
): Promise<number[]> {
  const gaps: number[] = [];
  const { vocabSize } = reference.config;
  for (const { pass, before, logits } of seen) {
    const length = Math.max(...pass.rows.map(({ limit }) => limit));
    const whole = await wholeLogits(reference, before.slice(0, length), (place) => limitOf(place, length));
    const from = (pass.rows[0] as Row).place;
    gaps.push(gap(logits, whole.subarray(from * vocabSize, (from + pass.rows.length) * vocabSize)));
  }
  return gaps;
}

const COUNT = { rule: "schedule", metric: "confidence" } as const;
const threshold = (bound: number, strict = false) =>
  ({ rule: "threshold", threshold: bound, strict, metric: "confidence" }) as const;
const steps = (count: number) => (masks: number) => lladaSchedule(masks, count);

const masked =
  (cache: MaskedDiffusionOptions["cache"], over: Partial<MaskedDiffusionOptions> = {}) =>
  (context: DecoderContext) =>
    maskedDiffusion(context, {
      blockLength: 8,
      cache,
      refresh: 0,
      guidance: 0,
      shift: false,
      selection: COUNT,
      schedule: steps(4),
      earlyStop: false,
      ...over,
    });
const block =
  (blockLength: number, over: Partial<BlockDiffusionOptions> = {}) =>
  (context: DecoderContext) =>
    blockDiffusion(context, {
      blockLength,
      gridOffset: 0,
      selection: COUNT,
      schedule: steps(3),
      commitLast: true,
      earlyStop: false,
      ...over,
    });
const shifted =
  (blockLength: number, blocks: number, over: Partial<ShiftedBlockDiffusionOptions> = {}) =>
  (context: DecoderContext) =>
    shiftedBlockDiffusion(context, {
      blockLength,
      subBlockLength: blockLength,
      subBlockCache: false,
      blocks,
      selection: COUNT,
      schedule: steps(3),
      ...over,
    });
const greedy =
  (maxNewTokens: number, tokensPerSubmit = 4) =>
  (context: DecoderContext) =>
    autoregressive(context, { maxNewTokens, tokensPerSubmit });

/** What a run did, but for what it cost. */
const told = ({ forwards }: { forwards: readonly Forwarded[] }) =>
  forwards.map(({ kind, rows, revealed }) => ({ kind, rows, revealed }));
const ids = ({ forwards }: { forwards: readonly Forwarded[] }) =>
  forwards.map(({ kind, rows, revealed }) => ({ kind, rows, revealed: revealed.map(({ position, id }) => [position, id]) }));

/** Keys and values of slots, layer by layer: `[slot] → values`, all layers and heads in one list. */
async function cacheRows(engine: Engine, from: number, to: number): Promise<Float32Array[]> {
  const { numKeyValueHeads: heads, headDim } = engine.config;
  const { slots } = engine;
  const bytes = heads * headDim * slots * 4;
  const rows = range(from, to).map(() => [] as number[]);
  for (const [layer, buffer] of engine.cache.keys.entries()) {
    const keys = new Float32Array(await engine.gpu.read(buffer, 0, bytes));
    const values = new Float32Array(await engine.gpu.read(engine.cache.values[layer] as GPUBuffer, 0, bytes));
    for (const [i, row] of rows.entries()) {
      for (let head = 0; head < heads; head++) {
        for (let dim = 0; dim < headDim; dim++) {
          row.push(
            keys[(head * headDim + dim) * slots + from + i] as number,
            values[(head * slots + from + i) * headDim + dim] as number,
          );
        }
      }
    }
  }
  return rows.map((row) => Float32Array.from(row));
}

const SMALL = { contextLength: 128 };
const engines: LoadedEngine[] = [];
const golden = async (name: string): Promise<Engine> => {
  const loaded = await loadGolden(`trajectories/${name}`, SMALL);
  engines.push(loaded);
  return loaded.engine;
};
const random = async (...args: Parameters<typeof loadRandom>): Promise<Engine> => {
  const loaded = await loadRandom(...args);
  engines.push(loaded);
  return loaded.engine;
};

let llada: Engine;
let lladaTwin: Engine;
let qwen3: Engine;
let qwen3Twin: Engine;
let fast: Engine;
let fastTwin: Engine;
let llama: Engine;
beforeAll(async () => {
  [llada, lladaTwin] = [await golden("llada"), await golden("llada")];
  [qwen3, qwen3Twin] = [await golden("qwen3"), await golden("qwen3")];
  [fast, fastTwin] = [await golden("fast-dllm-v2"), await golden("fast-dllm-v2")];
  llama = await golden("llama");
}, 120_000);
afterAll(() => {
  for (const { engine } of engines) engine.dispose();
});

const toEnd = (_: number, length: number): number => length;

describe("masked diffusion, attention over the whole canvas", () => {
  test("J1 with one layer, prefix and dual caches are exact in every pass", async () => {
    const one = { layers: 1, maskTokenId: 62, generation: GENERATION.masked };
    const [cached, reference] = [await random(one), await random(one)];
    for (const cache of ["prefix", "dual"] as const) {
      const canvas = new Canvas(
        prompt(9).map((id) => id % 60),
        9,
        62,
      );
      canvas.extend(25);
      const run = await follow(cached, masked(cache), canvas, { sampling: { ...GREEDY, suppress: [62, 63] } });
      expect(run.seen.filter(({ pass }) => pass.kind !== "full")).toHaveLength(6);
      expect(Math.max(...(await gapsToWhole(run, reference, toEnd)))).toBeLessThan(TOLERANCE);
    }
  });

  test.each(["prefix", "dual"] as const)(
    "J2, J3 cache %s: the first pass of a block is exact, the others are not",
    async (cache) => {
      const run = await follow(llada, masked(cache), canvasOf(9, 16));
      const gaps = await gapsToWhole(run, lladaTwin, toEnd);
      for (const [i, { pass }] of run.seen.entries()) {
        if (pass.kind === "full") expect(gaps[i], `pass ${i}`).toBeLessThan(TOLERANCE);
        else expect(gaps[i], `pass ${i}`).toBeGreaterThan(DIFFERENT);
      }
      expect(run.seen.map(({ pass }) => pass.kind).filter((kind) => kind === "full")).toHaveLength(2);
    },
  );

  test("J2 refreshed every pass, prefix and dual are no cache at all", async () => {
    const none = await decode(llada, masked("none"), canvasOf(9, 16));
    for (const cache of ["prefix", "dual"] as const) {
      expect(told(await decode(llada, masked(cache, { refresh: 1 }), canvasOf(9, 16)))).toEqual(told(none));
    }
  });

  test("J4 one block as long as the answer: dual is prefix, pass for pass", async () => {
    const over = { blockLength: 16, schedule: steps(5) };
    const [prefix, dual] = [
      await follow(llada, masked("prefix", over), canvasOf(9, 16)),
      await follow(lladaTwin, masked("dual", over), canvasOf(9, 16)),
    ];
    expect(dual.canvas.tokens).toEqual(prefix.canvas.tokens);
    expect(dual.seen).toHaveLength(5);
    for (const [i, { logits }] of dual.seen.entries()) expect(gap(logits, prefix.seen[i]?.logits ?? [])).toBeLessThan(TOLERANCE);
  });

  test("J8 logits depend on how long the canvas is", async () => {
    const first = async (genLength: number) => {
      const whole = await wholeLogits(llada, canvasOf(9, genLength).tokens, () => 1e9);
      return whole.subarray(0, 9 * llada.config.vocabSize);
    };
    expect(gap(await first(8), await first(16))).toBeGreaterThan(DIFFERENT);
  });

  test("J12 the prompt and what was given stay; no mask and no padding id comes out", async () => {
    const given = [...prompt(9), MASK, 5, MASK, MASK, 8, MASK, MASK, MASK, ...range(0, 8).map((i) => (i % 3 ? MASK : 40 + i))];
    for (const cache of ["none", "prefix", "dual"] as const) {
      const { canvas } = await decode(llada, masked(cache), new Canvas(given, 9, MASK));
      given.forEach((id, place) => {
        if (id === MASK) expect(NEVER).not.toContain(canvas.tokens[place]);
        else expect(canvas.tokens[place]).toBe(id);
      });
      expect(canvas.length).toBe(given.length);
    }
  });

  test("J29 dual cache: a block pass changes exactly the cache rows of its block", async () => {
    let before = await cacheRows(llada, 0, 40);
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      const now = await cacheRows(llada, 0, 40);
      const changed = range(0, 40).filter((slot) => gap(now[slot] ?? [], before[slot] ?? []) > 0);
      before = now;
      if (kind === "block") expect(changed).toEqual(rows.map(({ slot }) => slot));
      else expect(changed.every((slot) => slot < 25)).toBe(true);
    };
    // A full pass first writes all; the spy's logits come before `after` looks, so changes are seen from pass to pass.
    await follow(llada, masked("dual", { schedule: steps(2) }), canvasOf(9, 16), { after });
  });

  test("J29 prefix cache: a suffix pass leaves the rows before its block alone", async () => {
    let before: Float32Array[] = [];
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      const now = await cacheRows(llada, 0, 25);
      const start = (rows[0] as Row).slot;
      if (kind === "suffix") for (const slot of range(0, start)) expect(now[slot]).toEqual(before[slot]);
      before = now;
    };
    await follow(llada, masked("prefix", { schedule: steps(2) }), canvasOf(9, 16), { after });
  });
});

describe("block diffusion", () => {
  const shapes = [
    ...[1, 5].map((P) => [1, P] as const),
    ...[1, 3, 4, 8, 9, 11].map((P) => [4, P] as const),
    ...[1, 7, 8, 16, 17, 23].map((P) => [8, P] as const),
    ...[1, 31, 32, 33].map((P) => [32, P] as const),
  ];
  test.each(shapes)(
    "J5 Bl = %i, P = %i: every cached pass equals the block mask over the whole canvas",
    async (blockLength, promptLength) => {
      const run = await follow(qwen3, block(blockLength), canvasOf(promptLength, Math.max(4, blockLength)));
      expect(Math.max(...(await gapsToWhole(run, qwen3Twin, (place) => blockEnd(place, blockLength, 0))))).toBeLessThan(
        TOLERANCE,
      );
    },
  );

  test("J5 a grid that starts at the prompt's end", async () => {
    const run = await follow(qwen3, block(8, { gridOffset: 5 }), canvasOf(11, 16));
    expect(Math.max(...(await gapsToWhole(run, qwen3Twin, (place) => blockEnd(place, 8, 5))))).toBeLessThan(TOLERANCE);
  });

  test("J6 a commit's keys and values are those of a fresh prefill; those of the last masked pass are not", async () => {
    const last: Float32Array[][] = [];
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      if (kind !== "prefill") last.push(await cacheRows(qwen3, (rows[0] as Row).slot, (rows.at(-1) as Row).slot + 1));
    };
    const { canvas, seen } = await follow(qwen3, block(8), canvasOf(8, 8), { after });
    expect(seen.map(({ pass }) => pass.kind)).toEqual(["prefill", "block", "block", "block", "commit"]);
    await wholeLogits(qwen3Twin, canvas.tokens, (place) => blockEnd(place, 8, 0));
    const fresh = await cacheRows(qwen3Twin, 8, 16);
    const gaps = last.map((rows) => Math.max(...rows.map((row, i) => gap(row, fresh[i] ?? []))));
    expect(gaps.at(-1)).toBeLessThan(TOLERANCE);
    for (const transient of gaps.slice(0, -1)) expect(transient).toBeGreaterThan(DIFFERENT);
  });

  test("J6 leaving the commit out changes the next block", async () => {
    const { canvas } = await decode(qwen3, block(8), canvasOf(8, 8));
    const next = [...canvas.tokens, ...new Array<number>(8).fill(MASK)];
    const logitsOf = async (engine: Engine) => {
      engine.writeCanvas(0, next);
      return engine.logits(rowsFrom(16, 24, () => 24));
    };
    const committed = await logitsOf(qwen3);
    await decode(qwen3Twin, block(8, { commitLast: false }), canvasOf(8, 8));
    expect(gap(await logitsOf(qwen3Twin), committed)).toBeGreaterThan(DIFFERENT);
  });

  test("J7 blocks of one, no shift: the uncached loop over places, token for token", async () => {
    const { canvas } = await decode(qwen3, block(1), canvasOf(6, 10));
    const tokens = prompt(6);
    const { vocabSize } = qwen3.config;
    for (let place = 6; place < 16; place++) {
      const whole = await wholeLogits(qwen3Twin, [...tokens, MASK], (at) => at + 1);
      const row = whole.subarray(place * vocabSize, place * vocabSize + MASK);
      tokens.push(row.indexOf(Math.max(...row)));
    }
    expect(canvas.tokens).toEqual(tokens);
  });

  test("J8 blocks do not depend on how many follow", async () => {
    const [short, long] = [await follow(qwen3, block(8), canvasOf(11, 8)), await follow(qwen3Twin, block(8), canvasOf(11, 24))];
    expect(long.canvas.tokens.slice(0, short.canvas.length)).toEqual(short.canvas.tokens);
    for (const [i, { logits }] of short.seen.entries()) expect(gap(logits, long.seen[i]?.logits ?? [])).toBe(0);
  });

  test("J12 P mod Bl ≠ 0 and fewer steps than places: the prompt's rest is not overwritten", async () => {
    for (const promptLength of [1, 5, 7, 9, 15]) {
      const { canvas } = await decode(qwen3, block(8, { schedule: () => [8] }), canvasOf(promptLength, 8));
      expect(canvas.tokens.slice(0, promptLength)).toEqual(prompt(promptLength));
      for (const id of canvas.tokens.slice(promptLength)) expect(NEVER).not.toContain(id);
    }
  });

  test("J21 a run that stops early is the beginning of the one that does not, in no more forwards", async () => {
    const whole = await decode(qwen3, block(8), canvasOf(11, 24));
    for (const place of [12, 19, 30]) {
      const stopId = whole.canvas.tokens[place] as number;
      const first = whole.canvas.tokens.indexOf(stopId, 11);
      const stopped = await decode(qwen3, block(8, { earlyStop: true }), canvasOf(11, 24), { stopIds: [stopId] });
      expect(stopped.canvas.tokens.slice(0, first + 1)).toEqual(whole.canvas.tokens.slice(0, first + 1));
      expect(stopped.forwards.length).toBeLessThanOrEqual(whole.forwards.length);
      expect(stopped.canvas.stopIndex(new Set([stopId]))).toBe(first);
    }
  });

  test("J29 a transient pass leaves every committed row as it is, bit for bit", async () => {
    let committed: Float32Array[] = [];
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      const end = (rows.at(-1) as Row).slot + 1;
      if (kind === "block") expect(await cacheRows(qwen3, 0, committed.length)).toEqual(committed);
      else committed = await cacheRows(qwen3, 0, end);
    };
    await follow(qwen3, block(8), canvasOf(11, 16), { after });
    expect(committed).toHaveLength(32);
  });
});

describe("block diffusion with shift", () => {
  test.each([1, 3, 7, 8, 9, 15, 16])(
    "J5 P = %i: every cached pass equals the block mask over the whole canvas",
    async (promptLength) => {
      const run = await follow(fast, shifted(8, 2), canvasOf(promptLength));
      expect(Math.max(...(await gapsToWhole(run, fastTwin, (place) => blockEnd(place, 8, 0))))).toBeLessThan(TOLERANCE);
    },
  );

  test("J7 blocks of one are greedy decoding, token for token", async () => {
    const ar = await decode(llama, greedy(20), new Canvas(prompt(9), 9, 0xffffffff));
    const blocks = await decode(llama, shifted(1, 19), canvasOf(9));
    expect(blocks.canvas.tokens).toEqual(ar.canvas.tokens);
    expect(told(blocks).map(({ rows, revealed }) => ({ rows, revealed }))).toEqual(
      told(ar).map(({ rows, revealed }) => ({ rows, revealed })),
    );
  });

  test("J17 sub-blocks as long as the block: the sub-block cache changes nothing", async () => {
    const over = { subBlockLength: 8, selection: threshold(0.3), schedule: null };
    const [without, cached] = [
      await decode(fast, shifted(8, 3, over), canvasOf(11)),
      await decode(fast, shifted(8, 3, { ...over, subBlockCache: true }), canvasOf(11)),
    ];
    expect(told(cached)).toEqual(told(without));
  });

  test("J17 with one layer the sub-block cache is exact for any length; a masked first place takes the whole block", async () => {
    const one = { layers: 1, maskTokenId: 62, generation: { ...GENERATION.shifted, block_length: 8 } };
    const [cached, reference] = [await random(one), await random(one)];
    for (const subBlockLength of [1, 2, 4]) {
      const canvas = new Canvas(
        prompt(11).map((id) => id % 60),
        11,
        62,
      );
      const over = { subBlockLength, subBlockCache: true, selection: threshold(0.3), schedule: null };
      const run = await follow(cached, shifted(8, 3, over), canvas, { sampling: { ...GREEDY, suppress: [62, 63] } });
      expect(Math.max(...(await gapsToWhole(run, reference, (place) => blockEnd(place, 8, 0))))).toBeLessThan(TOLERANCE);
      for (const { pass, before } of run.seen) {
        if (pass.kind !== "block") continue;
        const first = before.indexOf(62, 11);
        if (first % subBlockLength === 0) expect(pass.rows).toHaveLength(8);
      }
    }
  });

  test("J18 the first place of a block is never masked: it is the best of the last row of the commit before", async () => {
    const { seen, canvas } = await follow(fast, shifted(8, 3, { subBlockLength: 4 }), canvasOf(11));
    const { vocabSize } = fast.config;
    const commits = seen.filter(({ pass }) => pass.kind === "commit");
    expect(commits).toHaveLength(3);
    for (const { pass, logits } of commits) {
      const row = logits.subarray(7 * vocabSize, 7 * vocabSize + MASK);
      expect(canvas.tokens[(pass.rows.at(-1) as Row).place + 1]).toBe(row.indexOf(Math.max(...row)));
    }
    for (const { pass, before } of seen)
      if (pass.kind === "block") expect(before[Math.floor((pass.rows[0] as Row).place / 8) * 8]).not.toBe(MASK);
  });

  test("J18 P = Bl: the answer depends on the prompt, and is that of the whole canvas computed at once", async () => {
    const of = async (tokens: readonly number[]) =>
      (await decode(fast, shifted(8, 1), new Canvas(tokens, 8, MASK))).canvas.tokens.slice(8);
    expect(await of(prompt(8))).not.toEqual(await of(prompt(8, 3)));
    const whole = await wholeLogits(fastTwin, prompt(8), () => 8);
    const row = whole.subarray(7 * fast.config.vocabSize, 7 * fast.config.vocabSize + MASK);
    expect((await of(prompt(8)))[0]).toBe(row.indexOf(Math.max(...row)));
  });

  test("J21 a run that stops early is the beginning of the one that does not", async () => {
    const whole = await decode(fast, shifted(8, 3), canvasOf(11));
    for (const place of [13, 20, 27]) {
      const stopId = whole.canvas.tokens[place] as number;
      const first = whole.canvas.tokens.indexOf(stopId, 11);
      const stopped = await decode(fast, shifted(8, 3), canvasOf(11), { stopIds: [stopId] });
      expect(stopped.canvas.tokens.slice(0, first + 1)).toEqual(whole.canvas.tokens.slice(0, first + 1));
      expect(stopped.forwards.length).toBeLessThanOrEqual(whole.forwards.length);
    }
  });

  test("J29 transient passes, sub-blocks too, leave every committed row as it is", async () => {
    let committed: Float32Array[] = [];
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      if (kind === "block") expect(await cacheRows(fast, 0, committed.length)).toEqual(committed);
      else committed = await cacheRows(fast, 0, (rows.at(-1) as Row).slot + 1);
    };
    await follow(fast, shifted(8, 2, { subBlockLength: 4, subBlockCache: true }), canvasOf(11), { after });
    expect(committed).toHaveLength(24);
  });
});

describe("autoregressive", () => {
  const causal = (place: number): number => place + 1;

  test("J31 logits of every step are the rows of one prefill", async () => {
    const run = await follow(llama, greedy(12, 1), new Canvas(prompt(9), 9, 0xffffffff));
    const whole = await wholeLogits(llama, run.canvas.tokens, causal);
    const { vocabSize } = llama.config;
    for (const { pass, logits } of run.seen) {
      const from = (pass.rows[0] as Row).place;
      expect(gap(logits, whole.subarray(from * vocabSize, (from + pass.rows.length) * vocabSize))).toBeLessThan(TOLERANCE);
    }
  });

  test("J31 a prefill in passes of any size is one prefill", async () => {
    const tokens = prompt(40);
    const whole = await wholeLogits(llama, tokens, causal);
    const cached = await cacheRows(llama, 0, 40);
    const { vocabSize } = llama.config;
    for (const size of [1, 7, 16, 39]) {
      for (let from = 0; from < 40; from += size) {
        const to = Math.min(from + size, 40);
        const logits = await llama.logits(rowsFrom(from, to, causal));
        expect(gap(logits, whole.subarray(from * vocabSize, to * vocabSize))).toBeLessThan(TOLERANCE);
      }
      const now = await cacheRows(llama, 0, 40);
      expect(Math.max(...now.map((row, i) => gap(row, cached[i] ?? [])))).toBeLessThan(TOLERANCE);
    }
  });

  test("J31 causal is the block grid of blocks of one", async () => {
    const tokens = prompt(20);
    const grid = await wholeLogits(llama, tokens, (place) => blockEnd(place, 1, 0));
    expect(gap(await wholeLogits(llama, tokens, causal), grid)).toBe(0);
  });

  test("J21 stopping early cuts the answer and nothing else, however many tokens go in one submit", async () => {
    const canvas = () => new Canvas(prompt(9), 9, 0xffffffff);
    const whole = await decode(llama, greedy(16), canvas());
    const stopId = whole.canvas.tokens[16] as number;
    const first = whole.canvas.tokens.indexOf(stopId, 9);
    for (const tokensPerSubmit of [1, 3, 4]) {
      const stopped = await decode(llama, greedy(16, tokensPerSubmit), canvas(), { stopIds: [stopId] });
      expect(stopped.canvas.tokens).toEqual(whole.canvas.tokens.slice(0, first + 1));
      expect(stopped.forwards).toHaveLength(first - 8);
    }
  });
});

describe("J14 the same every time", () => {
  test("repeated runs are equal to the last bit, sampled ones too", async () => {
    const sampled: Sampling = { ...SAMPLING, temperature: 1, topP: 0.95, seed: 7 };
    for (const sampling of [SAMPLING, sampled]) {
      const runs: ReturnType<typeof told>[] = [];
      for (let i = 0; i < 4; i++) runs.push(told(await decode(llada, masked("dual"), canvasOf(9, 16), { sampling })));
      for (const run of runs.slice(1)) expect(run).toEqual(runs[0]);
    }
  });

  test("what ran before leaves no trace", async () => {
    const alone = told(await decode(qwen3, block(8), canvasOf(11, 16)));
    await decode(qwen3, block(4, { schedule: steps(1) }), canvasOf(33, 64));
    await decode(qwen3, block(8), new Canvas([...prompt(5, 2), ...new Array<number>(40).fill(MASK)], 5, MASK));
    expect(told(await decode(qwen3, block(8), canvasOf(11, 16)))).toEqual(alone);
  });

  test("all logits equal: the lowest id that may be drawn, the lowest place first", async () => {
    const flat = await random({ layers: 1, headScale: 0, maskTokenId: 62, generation: GENERATION.masked });
    for (const suppress of [[62], [0, 1, 2, 62]]) {
      const canvas = new Canvas([9, 8, 7], 3, 62);
      canvas.extend(11);
      const { forwards } = await decode(flat, masked("none", { schedule: steps(4) }), canvas, {
        sampling: { ...GREEDY, suppress },
      });
      expect(canvas.tokens.slice(3)).toEqual(new Array<number>(8).fill(suppress.length > 1 ? 3 : 0));
      expect(forwards.map(({ revealed }) => revealed.map(({ position }) => position))).toEqual([
        [3, 4],
        [5, 6],
        [7, 8],
        [9, 10],
      ]);
    }
  });
});

describe("J16 rows stand where they are put", () => {
  const n = 12;
  /** Rows of a sequence whose places, slots and positions begin at bases of their own. */
  const rowsAt = (bases: { place: number; slot: number; position: number }, limitOf: (i: number) => number): Row[] =>
    range(0, n).map((i) => ({
      place: bases.place + i,
      slot: bases.slot + i,
      position: bases.position + i,
      start: bases.slot,
      limit: bases.slot + limitOf(i),
      goal: bases.place + i,
    }));

  const views: [string, () => Engine, (i: number) => number][] = [
    ["causal", () => llama, (i) => i + 1],
    ["full", () => llada, () => n],
    ["blocks of 4", () => qwen3, (i) => blockEnd(i, 4, 0)],
  ];

  test.each(views)(
    "%s: places and slots elsewhere change nothing, positions shifted as one next to nothing",
    async (_, engineOf, limitOf) => {
      const engine = engineOf();
      engine.writeCanvas(0, prompt(n));
      const at0 = await engine.logits(rowsAt({ place: 0, slot: 0, position: 0 }, limitOf));
      engine.writeCanvas(50, prompt(n));
      expect(gap(await engine.logits(rowsAt({ place: 50, slot: 37, position: 0 }, limitOf)), at0)).toBeLessThan(TOLERANCE);
      for (const position of [1, 37, 100]) {
        expect(gap(await engine.logits(rowsAt({ place: 50, slot: 37, position }, limitOf)), at0)).toBeLessThan(TOLERANCE);
      }
      const uneven = rowsAt({ place: 50, slot: 37, position: 0 }, limitOf).map((row, i) => ({
        ...row,
        position: i < 6 ? i : i + 3,
      }));
      expect(gap(await engine.logits(uneven), at0)).toBeGreaterThan(DIFFERENT);
    },
  );

  test.each(views)("%s: two sequences in one pass are each its own", async (_, engineOf, limitOf) => {
    const engine = engineOf();
    const [a, b] = [
      { place: 0, slot: 64, position: 3 },
      { place: 40, slot: 5, position: 0 },
    ];
    engine.writeCanvas(0, prompt(n));
    engine.writeCanvas(40, prompt(n, 2));
    const solo = [await engine.logits(rowsAt(a, limitOf)), await engine.logits(rowsAt(b, limitOf))];
    const both = await engine.logits([...rowsAt(a, limitOf), ...rowsAt(b, limitOf)]);
    const half = both.length / 2;
    expect(gap(both.subarray(0, half), solo[0] ?? [])).toBeLessThan(TOLERANCE);
    expect(gap(both.subarray(half), solo[1] ?? [])).toBeLessThan(TOLERANCE);
    const mixed = range(0, n).flatMap((i) => [rowsAt(a, limitOf)[i] as Row, rowsAt(b, limitOf)[i] as Row]);
    const { vocabSize } = engine.config;
    const logits = await engine.logits(mixed);
    for (const i of range(0, n)) {
      const row = (list: Float32Array, at: number) => list.subarray(at * vocabSize, (at + 1) * vocabSize);
      expect(gap(row(logits, 2 * i), row(solo[0] as Float32Array, i))).toBeLessThan(TOLERANCE);
      expect(gap(row(logits, 2 * i + 1), row(solo[1] as Float32Array, i))).toBeLessThan(TOLERANCE);
    }
  });
});

describe("J19 classifier-free guidance", () => {
  test("scale 0 is off; any other takes two forwards a pass and changes the answer", async () => {
    const off = await decode(llada, masked("none"), canvasOf(9, 16));
    const guided = async (guidance: number) => {
      const canvas = canvasOf(9, 16);
      const forwards: Forwarded[] = [];
      const decoder = masked("none", { guidance })({ canvas, stopIds: new Set(), maxRows: llada.maxRows });
      const options = { canvas, sampling: SAMPLING, stopIds: new Set<number>(), guided: guidance > 0 };
      for await (const step of runDecoder(llada, decoder, options)) forwards.push(...step.forwards);
      return { canvas, forwards };
    };
    expect(told(await guided(0))).toEqual(told(off));
    const on = await guided(1.5);
    expect(on.forwards.map(({ forwards }) => forwards)).toEqual(off.forwards.map(() => 2));
    expect(on.canvas.tokens).not.toEqual(off.canvas.tokens);
    expect(on.canvas.tokens.slice(0, 9)).toEqual(prompt(9));
  });

  test("a prompt that is all masks: both halves are one, and guidance changes nothing", async () => {
    // Known tokens in between, so that places are told apart by more than rounding.
    const blank = () =>
      new Canvas([...new Array<number>(4).fill(MASK), ...range(0, 16).map((i) => (i % 2 ? 11 * i : MASK))], 4, MASK);
    const off = await decode(llada, masked("none"), blank());
    const canvas = blank();
    const forwards: Forwarded[] = [];
    const decoder = masked("none", { guidance: 2 })({ canvas, stopIds: new Set(), maxRows: llada.maxRows });
    for await (const step of runDecoder(llada, decoder, { canvas, sampling: SAMPLING, stopIds: new Set(), guided: true }))
      forwards.push(...step.forwards);
    expect(ids({ forwards })).toEqual(ids(off));
  });
});

describe("the embedded models", () => {
  const base = (): string => new URL("/models/", location.href).href;
  const question = "Ben has 12 apples and buys 30 more. How many apples does Ben have?";
  let models: Record<"ar" | "mdlm" | "block", Model>;
  beforeAll(async () => {
    const gpu = await testGpu();
    const load = (name: string) => loadModel(`builtin:${name}`, { gpu, builtinBase: base(), contextLength: 192 });
    models = { ar: await load("ar"), mdlm: await load("mdlm"), block: await load("block") };
  }, 120_000);
  afterAll(async () => {
    for (const model of Object.values(models)) await model.dispose();
  });

  /** What each family decodes with here: few forwards. */
  const quick = (name: string, maxNewTokens: number) => ({ maxNewTokens, ...(name === "ar" ? {} : { threshold: 0.9 }) });

  test("J12, J14 no mask and no id without a piece in any answer; the prompt stays; the same every time", async () => {
    for (const [name, model] of Object.entries(models)) {
      const options = { ...quick(name, 32), trace: true };
      const given = { ids: model.tokenizer?.encode(question) ?? [] };
      const [first, second] = [await model.generate(given, options).result, await model.generate(given, options).result];
      const size = model.tokenizer?.vocabSize ?? 0;
      for (const id of first.ids) expect([id < size, id === model.info.maskTokenId]).toEqual([true, false]);
      expect(first.canvas.slice(0, given.ids.length)).toEqual(given.ids);
      expect(second.trace).toEqual(first.trace);
      expect(second.canvas).toEqual(first.canvas);
    }
  });

  test("J21 ignoring the end of text changes nothing before it, in no fewer forwards", async () => {
    for (const [name, model] of Object.entries(models)) {
      const stopped = await model.generate(question, quick(name, 48)).result;
      const whole = await model.generate(question, { ...quick(name, 48), ignoreEos: true }).result;
      expect(whole.ids.slice(0, stopped.ids.length)).toEqual(stopped.ids);
      expect(stopped.forwards).toBeLessThanOrEqual(whole.forwards);
    }
  });
});
