/** What the tests of decoding properties run on: golden models, decoders with plain settings, runs whose every row's logits are kept. */
import { expect } from "vitest";
import { autoregressive } from "../../src/decode/autoregressive";
import { type BlockDiffusionOptions, blockDiffusion } from "../../src/decode/block-diffusion";
import { Canvas } from "../../src/decode/canvas";
import type { Decoder, DecoderContext, PlannedPass } from "../../src/decode/decoder";
import { type MaskedDiffusionOptions, maskedDiffusion } from "../../src/decode/masked-diffusion";
import { type Forwarded, runDecoder } from "../../src/decode/runner";
import { lladaSchedule } from "../../src/decode/schedule";
import { type ShiftedBlockDiffusionOptions, shiftedBlockDiffusion } from "../../src/decode/shifted-block-diffusion";
import type { Engine, PassResult } from "../../src/model/engine";
import type { LoadedEngine } from "../../src/model/load";
import { GREEDY, type Row, type Sampling } from "../../src/model/pass";
import { loadGolden } from "./goldens";
import { loadRandom } from "./random-model";

/** f32 sums in another order: logits reach about 20. */
export const TOLERANCE = 2e-3;
/** What really is another value is another by far more. */
export const DIFFERENT = 1e-2;
export const MASK = 200;
/** Ids that no decoder may draw on the golden models: the mask and the padding of the vocabulary. */
export const NEVER = [200, 201, 202, 203, 204, 205, 206, 207];
export const SAMPLING: Sampling = { ...GREEDY, suppress: NEVER };

export const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
export const prompt = (length: number, seed = 0): number[] => range(0, length).map((i) => (37 * i + 11 * seed + 5) % 199);
export const canvasOf = (promptLength: number, genLength = 0, maskId = MASK): Canvas => {
  const canvas = new Canvas(prompt(promptLength), promptLength, maskId);
  canvas.extend(promptLength + genLength);
  return canvas;
};

export const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  let worst = 0;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs((a[i] as number) - (b[i] as number)));
  return worst;
};

export const rowsFrom = (from: number, to: number, limitOf: (place: number) => number): Row[] =>
  range(from, to).map((place) => ({ place, position: place, slot: place, start: 0, limit: limitOf(place), goal: place }));

/** Logits of every place of a canvas, computed at once. */
export async function wholeLogits(
  engine: Engine,
  tokens: readonly number[],
  limitOf: (place: number) => number,
): Promise<Float32Array> {
  engine.writeCanvas(0, tokens);
  return engine.logits(rowsFrom(0, tokens.length, (place) => Math.min(limitOf(place), tokens.length)));
}

/** A pass that ran, the canvas before it, the logits of all its rows. */
export interface Seen {
  readonly pass: PlannedPass;
  readonly before: readonly number[];
  readonly logits: Float32Array;
}

export interface Followed {
  readonly seen: readonly Seen[];
  readonly canvas: Canvas;
  readonly forwards: readonly Forwarded[];
}

export interface FollowOptions {
  readonly sampling?: Sampling;
  readonly stopIds?: readonly number[];
  /** Called with every pass, after it ran. */
  readonly after?: (pass: PlannedPass) => Promise<void>;
}

/** Runs a decoder and keeps the logits of every row of every pass: they are computed before the pass, from the same cache. */
export async function follow(
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
export async function decode(
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
export async function gapsToWhole(
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

export const COUNT = { rule: "schedule", metric: "confidence" } as const;
export const threshold = (bound: number, strict = false) =>
  ({ rule: "threshold", threshold: bound, strict, metric: "confidence" }) as const;
export const steps = (count: number) => (masks: number) => lladaSchedule(masks, count);

export const masked =
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
export const block =
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
export const shifted =
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
export const greedy =
  (maxNewTokens: number, tokensPerSubmit = 4) =>
  (context: DecoderContext) =>
    autoregressive(context, { maxNewTokens, tokensPerSubmit });

/** What a run did, but for what it cost. */
export const told = ({ forwards }: { forwards: readonly Forwarded[] }) =>
  forwards.map(({ kind, rows, revealed }) => ({ kind, rows, revealed }));
export const ids = ({ forwards }: { forwards: readonly Forwarded[] }) =>
  forwards.map(({ kind, rows, revealed }) => ({ kind, rows, revealed: revealed.map(({ position, id }) => [position, id]) }));

/** Keys and values of slots, layer by layer: `[slot] → values`, all layers and heads in one list. */
export async function cacheRows(engine: Engine, from: number, to: number): Promise<Float32Array[]> {
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

export const SMALL = { contextLength: 128 };
const engines: LoadedEngine[] = [];
/** Engine of a golden model. */
export const golden = async (name: string): Promise<Engine> => {
  const loaded = await loadGolden(`trajectories/${name}`, SMALL);
  engines.push(loaded);
  return loaded.engine;
};
/** Engine of a random model. */
export const random = async (...args: Parameters<typeof loadRandom>): Promise<Engine> => {
  const loaded = await loadRandom(...args);
  engines.push(loaded);
  return loaded.engine;
};

/** Frees every engine that was loaded here. */
export const disposeEngines = (): void => {
  for (const { engine } of engines.splice(0)) engine.dispose();
};

/** A view of everything. */
export const toEnd = (_: number, length: number): number => length;
