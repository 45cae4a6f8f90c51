/**
 * Decoders without a device: the real runner on an engine whose "model" is symbolic. A row's state is a hash of its token, its position and the cached
 * states that it sees, two layers deep, so that two states are equal exactly when a transformer would have computed them from the same inputs. Answers
 * are a function of the state; the reveal rules are carried out here in float64.
 */
import type { Canvas } from "../../../src/decode/canvas";
import type { Decoder, DecoderContext, PlannedPass } from "../../../src/decode/decoder";
import { type Forwarded, type Progress, runDecoder } from "../../../src/decode/runner";
import type { ModelConfig } from "../../../src/model/config";
import type { Engine, PassResult } from "../../../src/model/engine";
import { type Answer, GREEDY, type Metric, type Reveal, type Row } from "../../../src/model/pass";

export const VOCAB = 200;
export const MASK = 200;
export const EOS = 199;

/** A small autoregressive model, for what is checked against a configuration. */
export const CONFIG: ModelConfig = {
  architecture: "llama",
  family: "ar",
  hiddenSize: 64,
  intermediateSize: 128,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 16,
  vocabSize: 208,
  rmsNormEps: 1e-5,
  ropeTheta: 1e4,
  ropeScaling: null,
  ropeFrequencyFactors: null,
  maxPositionEmbeddings: 512,
  tieWordEmbeddings: true,
  qkvBias: false,
  qkNorm: false,
  permutedQueryKey: false,
  shift: true,
  bosTokenId: null,
  eosTokenIds: [EOS],
  maskTokenId: null,
  blockLength: null,
};

/** What the fake model says of one place. */
export interface Guess {
  readonly id: number;
  readonly confidence: number;
  readonly entropy: number;
  readonly margin: number;
}

/** A guess from the hash of all that a row saw, and the place that it answers. */
export type FakeModel = (state: number, goal: number) => Guess;

export function mix(...values: readonly number[]): number {
  let h = 0x811c9dc5;
  for (const value of values) {
    h = Math.imul(h ^ (value >>> 0), 0x01000193);
    h ^= h >>> 15;
    h = Math.imul(h, 0x2c1b3c6d);
    h ^= h >>> 12;
  }
  return h >>> 0;
}

const unit = (h: number): number => (h + 0.5) / 2 ** 32;

/** Every value follows from the state, none is EOS or the mask. */
export const hashed =
  (seed = 0): FakeModel =>
  (state, goal) => ({
    id: mix(seed, state, goal, 1) % EOS,
    confidence: unit(mix(seed, state, goal, 2)),
    entropy: 5 * unit(mix(seed, state, goal, 3)),
    margin: unit(mix(seed, state, goal, 4)),
  });

/** Values that depend on the place alone ("fixed logits"); ids still follow the state. */
export const fixed =
  (confidenceOf: (goal: number) => number): FakeModel =>
  (state, goal) => ({ ...hashed()(state, goal), confidence: confidenceOf(goal), entropy: 1 - confidenceOf(goal) });

/** `model`, with given tokens at given places. */
export const saying =
  (tokens: ReadonlyMap<number, number>, model: FakeModel = hashed()): FakeModel =>
  (state, goal) => ({ ...model(state, goal), id: tokens.get(goal) ?? model(state, goal).id });

type Candidate = Guess & { readonly goal: number };

const scoreOf = (metric: Metric, guess: Candidate): number => {
  if (metric === "entropy") return -guess.entropy;
  if (metric === "margin") return guess.margin;
  return metric === "random" ? mix(guess.goal, guess.id) : guess.confidence;
};

/** Goals that a rule takes of candidates, best first. */
export function taken(candidates: readonly Candidate[], reveal: Reveal): number[] {
  if (reveal.rule === "none") return [];
  const byGoal = candidates.toSorted((a, b) => a.goal - b.goal);
  if (reveal.rule === "all") return byGoal.map(({ goal }) => goal);
  const ranked =
    reveal.rule === "sequential" ? byGoal : byGoal.toSorted((a, b) => scoreOf(reveal.metric, b) - scoreOf(reveal.metric, a));
  const first = (count: number, least = 1): number[] => ranked.slice(0, Math.max(least, count)).map(({ goal }) => goal);
  const prefix = (holds: (candidate: Candidate, index: number) => boolean): number => {
    const failing = ranked.findIndex((candidate, i) => !holds(candidate, i));
    return failing < 0 ? ranked.length : failing;
  };
  switch (reveal.rule) {
    case "count":
    case "sequential":
      return first(reveal.count, 0);
    case "threshold":
      return first(prefix(({ confidence: c }) => (reveal.strict ? c > reveal.bound : c >= reveal.bound)));
    case "dynamic":
      // All above the bound if these are enough, else the count's best: whichever is more.
      return first(
        Math.max(
          reveal.count,
          prefix(({ confidence: c }) => c > reveal.bound),
        ),
      );
    case "factor":
      return first(prefix(({ confidence: c }, i) => i === 0 || (i + 2) * (1 - c) < reveal.bound));
    case "entropy-bound": {
      const entropies = ranked.map(({ entropy }) => entropy);
      return first(
        prefix((_, i) => {
          const so = entropies.slice(0, i + 1);
          return so.reduce((a, b) => a + b, 0) - Math.max(...so) <= reveal.bound;
        }),
      );
    }
  }
}

/** The guess, and how likely the row's probe is: a fixed share of what the proposed token leaves over. */
function probed(guess: Guess, state: number, { goal, probe }: Row): Guess & { readonly probe?: number } {
  if (probe === undefined) return guess;
  const share = probe === guess.id ? guess.confidence : (1 - guess.confidence) * unit(mix(state, goal ?? 0, probe, 5));
  return { ...guess, probe: Math.log(share) };
}

/** How far the guess has moved: not at all from the same state, else by a hash of both. */
const moved = (state: number, before: number | undefined): number => (state === before ? 0 : unit(mix(state, before ?? 0, 6)));

/** Hashes of cached states [start, limit), each from the one before. */
function views(cache: ReadonlyMap<number, number>): (start: number, limit: number) => number {
  const chains = new Map<number, number[]>();
  return (start, limit) => {
    // Where in the cache they lie does not matter.
    const chain = chains.get(start) ?? [0];
    chains.set(start, chain);
    for (let slot = start + chain.length - 1; slot < limit; slot++) {
      const state = cache.get(slot);
      if (state === undefined) throw new Error(`slot ${slot} is seen but was never written`);
      chain.push(mix(chain.at(-1) as number, state));
    }
    return chain[limit - start] as number;
  };
}

/** One pass that ran: what it was, the canvas before it, each row's last state. */
export interface Ran extends PlannedPass {
  readonly before: readonly number[];
  readonly states: readonly number[];
  readonly revealed: readonly number[];
}

/** As much of an engine as the runner touches. */
export class FakeEngine {
  readonly slots: number;
  readonly maxRows: number;
  /** The device's canvas. */
  readonly canvas: number[] = [];
  readonly ran: Ran[] = [];
  /** Passes of each submit. */
  readonly submits: number[] = [];
  readonly #model: FakeModel;
  /** States behind the logits that rows kept, by slot. */
  readonly #kept = new Map<number, number>();
  readonly #caches: [Map<number, number>, Map<number, number>] = [new Map(), new Map()];

  constructor(model: FakeModel, { slots = 4096, maxRows = 4096 } = {}) {
    this.#model = model;
    this.slots = slots;
    this.maxRows = maxRows;
  }

  resetDraws(): void {}

  writeCanvas(place: number, tokens: readonly number[]): void {
    if (place > this.canvas.length) throw new Error(`canvas written at ${place}, with a gap after ${this.canvas.length}`);
    if (place + tokens.length > this.slots) throw new Error(`canvas written to ${place + tokens.length} of ${this.slots}`);
    for (const [i, id] of tokens.entries()) this.canvas[place + i] = id;
  }

  /** Cached state of a slot, as a hash. */
  cached(slot: number): number | undefined {
    return this.#caches[1].get(slot);
  }

  async run(passes: readonly PlannedPass[], _sampling: unknown, maskId: number): Promise<PassResult[]> {
    this.submits.push(passes.length);
    return passes.map((pass) => ({ answers: this.#forward(pass, maskId), dispatches: [] }));
  }

  /** Last states of rows, with their first two layers' states written into the cache. */
  states(rows: readonly Row[]): number[] {
    if (rows.length === 0 || rows.length > this.maxRows)
      throw new Error(`a pass of ${rows.length} rows, at most ${this.maxRows}`);
    let states = rows.map(({ place, position }) => {
      const token = this.canvas[place];
      if (token === undefined) throw new Error(`place ${place} was never written`);
      return mix(token, position);
    });
    for (const cache of this.#caches) {
      rows.forEach(({ slot }, i) => {
        cache.set(slot, states[i] as number);
      });
      const seen = views(cache);
      states = rows.map(({ start, limit, hole }, i) => {
        if (!hole) return mix(states[i] as number, seen(start, limit));
        return mix(states[i] as number, seen(start, hole[0]), seen(hole[1], limit));
      });
    }
    return states;
  }

  #forward(pass: PlannedPass, maskId: number): Answer[] {
    const { rows, reveal } = pass;
    const before = [...this.canvas];
    const states = this.states(rows);
    const candidates = rows.flatMap((row, i) => {
      const { goal } = row;
      if (goal === null) return [];
      const state = states[i] as number;
      const guess = { goal, ...probed(this.#model(state, goal), state, row) };
      if (!row.kept) return [guess];
      const divergence = moved(state, this.#kept.get(row.kept[0]));
      this.#kept.set(row.kept[0], state);
      return [{ ...guess, divergence }];
    });
    const open = candidates.filter(({ goal }) => this.canvas[goal] === maskId);
    const guarded = pass.guard !== undefined && this.canvas.slice(...pass.guard).includes(maskId);
    const chosen = new Set(guarded ? [] : taken(open, reveal));
    for (const { goal, id } of open) if (chosen.has(goal)) this.canvas[goal] = id;
    this.ran.push({ ...pass, before, states, revealed: [...chosen].sort((a, b) => a - b) });
    const told = pass.report === "revealed" ? candidates.filter(({ goal }) => chosen.has(goal)) : candidates;
    return told.map((guess) => ({
      ...guess,
      logit: 0,
      logProbability: Math.log(guess.confidence),
      doubt: 1 / guess.confidence - 1,
      score: guess.confidence,
      revealed: chosen.has(guess.goal),
    }));
  }
}

export interface Driven {
  readonly engine: FakeEngine;
  readonly ran: readonly Ran[];
  readonly progress: readonly Progress[];
  readonly forwards: readonly Forwarded[];
  readonly dropped: readonly Forwarded[];
  readonly canvas: Canvas;
}

export interface DriveOptions {
  readonly model?: FakeModel;
  readonly stopIds?: readonly number[];
  readonly maxRows?: number;
  readonly slots?: number;
  readonly signal?: AbortSignal;
  /** Called after every submit. */
  readonly onProgress?: (progress: Progress, engine: FakeEngine) => void;
}

/** Runs a decoder to its end on the fake engine. */
export async function drive(
  decoder: (context: DecoderContext) => Decoder,
  canvas: Canvas,
  { model = hashed(), stopIds = [], maxRows = 4096, slots = 4096, signal, onProgress }: DriveOptions = {},
): Promise<Driven> {
  const engine = new FakeEngine(model, { maxRows, slots });
  const stops = new Set(stopIds);
  const options = { canvas, sampling: GREEDY, stopIds: stops, signal };
  const progress: Progress[] = [];
  for await (const step of runDecoder(
    engine as unknown as Engine,
    decoder({ canvas, stopIds: stops, maxRows, slots }),
    options,
  )) {
    progress.push(step);
    onProgress?.(step, engine);
  }
  const forwards = progress.flatMap((step) => step.forwards);
  return { engine, ran: engine.ran, progress, forwards, dropped: progress.flatMap((step) => step.dropped), canvas };
}

/** States of all places of a canvas computed at once, nothing cached: `limitOf` is how far each place sees. */
export function uncached(canvas: readonly number[], limitOf: (place: number) => number): number[] {
  const engine = new FakeEngine(hashed());
  engine.writeCanvas(0, canvas);
  return engine.states(
    canvas.map((_, place) => ({
      place,
      position: place,
      slot: place,
      start: 0,
      limit: Math.min(limitOf(place), canvas.length),
      goal: null,
    })),
  );
}

/** [from, to) as a list. */
export const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** A prompt of ordinary ids. */
export const prompt = (length: number): number[] => range(0, length).map((i) => (7 * i + 3) % EOS);
