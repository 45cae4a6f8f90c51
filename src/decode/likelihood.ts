/**
 * How likely a given answer is after a prompt. Exact for autoregressive models. For masked diffusion LLaDA's Monte-Carlo estimator (arXiv 2502.09992,
 * get_log_likelihood): places of the answer are masked at random and the cross-entropy at the masked ones is weighted by the inverse of their share. For
 * block diffusion the same, block by block, each after the clean ones before it. Tokens are probed on the device: no logits are read back.
 */
import { ensure } from "../errors";
import type { ModelConfig } from "../model/config";
import type { Player } from "../model/engine";
import { GREEDY, type Pass, type Row } from "../model/pass";
import { uniform } from "./random";

export interface LikelihoodOptions {
  /** Draws of masked places, of each block for block diffusion. Default 128; exact models take none. */
  samples?: number;
  /** Unsigned 32-bit. Default 0. */
  seed?: number;
}

export interface Likelihood {
  /** Nats, summed over the answer: exact, or an estimate of a lower bound. */
  readonly logLikelihood: number;
  /** Tokens of the answer. */
  readonly tokens: number;
  /** Nats of each token given all before it; only of an autoregressive model. */
  readonly perToken?: readonly number[];
  /** Draws that the estimate is a mean of; 0 where it is exact. */
  readonly samples: number;
}

/** Draws whose mask counts are spread evenly over the answer, as the reference's batches are. */
const STRATUM = 16;

const roundHalfEven = (x: number): number => {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
};

/** Numbers of masked places of a batch of draws: `first` of 1…`length`, then evenly on, wrapped round. */
export function maskCounts(length: number, batch: number, first: number): number[] {
  const end = first + ((batch - 1) * length) / batch;
  return Array.from({ length: batch }, (_, j) => {
    const at = batch === 1 ? first : first + ((end - first) * j) / (batch - 1);
    return ((roundHalfEven(at) - 1) % length) + 1;
  });
}

/** Indices of 0…`length` − 1 that each draw masks. One draw is exact for a single token. */
export function maskings(length: number, samples: number, seed: number): number[][] {
  if (length === 1) return [[0]];
  const masked: number[][] = [];
  while (masked.length < samples) {
    const stratum = masked.length;
    const batch = Math.min(STRATUM, samples - stratum);
    const counts = maskCounts(length, batch, 1 + Math.floor(uniform(seed, stratum, length) * length));
    for (const [j, count] of counts.entries()) {
      const order = Array.from({ length }, (_, i) => ({ i, key: uniform(seed, stratum, j + 1, i) }));
      order.sort((a, b) => a.key - b.key || a.i - b.i);
      masked.push(
        order
          .slice(0, count)
          .map(({ i }) => i)
          .sort((a, b) => a - b),
      );
    }
  }
  return masked;
}

/** Σ over masked places of log-probability ÷ (masked ÷ length): what one draw estimates. */
const weigh = (probes: readonly number[], length: number): number =>
  (probes.reduce((sum, probe) => sum + probe, 0) * length) / probes.length;

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A prompt, its answer, and whoever computes. */
class Scorer {
  readonly #engine: Player;
  readonly #config: ModelConfig;
  readonly #suppress: readonly number[];
  readonly #tokens: readonly number[];
  readonly #begin: number;

  constructor(engine: Player, { config, suppress, prompt, answer }: LikelihoodRequest) {
    this.#engine = engine;
    this.#config = config;
    this.#suppress = suppress;
    this.#tokens = [...prompt, ...answer];
    this.#begin = prompt.length;
  }

  /** Exact: row i answers place i + 1. */
  async exact(): Promise<number[]> {
    const tokens = this.#tokens;
    this.#engine.writeCanvas(0, tokens);
    const perToken: number[] = [];
    for (let from = 0; from < tokens.length - 1; from += this.#engine.maxRows) {
      const to = Math.min(from + this.#engine.maxRows, tokens.length - 1);
      const rows = this.#rows(from, to, (place) => place + 1).map((row) => {
        const goal = row.place + 1;
        return goal >= this.#begin ? { ...row, goal, probe: tokens[goal] as number } : row;
      });
      perToken.push(...((await this.#probes([{ rows, reveal: { rule: "none" } }]))[0] as number[]));
    }
    return perToken;
  }

  /** Whole canvases side by side, as many draws a pass as there is room for. */
  async masked(draws: readonly (readonly number[])[]): Promise<number> {
    const length = this.#tokens.length;
    ensure(length <= Math.min(this.#engine.slots, this.#engine.maxRows), "context-overflow", () => this.#overflow(length));
    const together = Math.max(1, Math.floor(Math.min(this.#engine.slots, this.#engine.maxRows) / length));
    const estimates: number[] = [];
    for (let at = 0; at < draws.length; at += together) {
      const some = draws.slice(at, at + together);
      const rows = some.flatMap((draw, i) => this.#canvas(draw, i * length));
      const [probes] = (await this.#probes([{ rows, reveal: { rule: "none" } }])) as [number[]];
      let taken = 0;
      for (const { length: count } of some) {
        estimates.push(weigh(probes.slice(taken, taken + count), length - this.#begin));
        taken += count;
      }
    }
    return mean(estimates);
  }

  /** Writes a canvas with the places of a draw masked and gives its rows, with the masked places' tokens probed. */
  #canvas(draw: readonly number[], base: number): Row[] {
    const tokens = this.#tokens;
    const masked = new Set(draw.map((i) => this.#begin + i));
    const maskId = this.#config.maskTokenId as number;
    this.#engine.writeCanvas(
      base,
      tokens.map((id, place) => (masked.has(place) ? maskId : id)),
    );
    const shift = this.#config.shift ? 1 : 0;
    return tokens.map((_, place) => {
      const goal = place + shift;
      const asked = masked.has(goal) ? { goal: base + goal, probe: tokens[goal] as number } : { goal: null };
      return { place: base + place, position: place, slot: base + place, start: base, limit: base + tokens.length, ...asked };
    });
  }

  /**
   * Block by block: draws stand behind the canvas, each in cache rows of its own, and see what comes before the block and themselves. With shift the
   * first place of a block is answered by the clean block before it, exactly.
   */
  async blocks(samples: number, seed: number): Promise<number> {
    const { blockLength, shift } = this.#config;
    const size = blockLength as number;
    const tokens = this.#tokens;
    const end = Math.ceil(tokens.length / size) * size;
    const together = Math.floor((this.#engine.slots - end) / size);
    ensure(together > 0, "context-overflow", () => this.#overflow(end + size));
    this.#engine.writeCanvas(0, [...tokens, ...new Array<number>(end - tokens.length).fill(this.#config.maskTokenId as number)]);
    let total = 0;
    for (let start = 0; start < tokens.length; start += size) {
      const places = Array.from({ length: Math.min(size, tokens.length - start) }, (_, i) => start + i);
      const unknown = places.filter((place) => place >= this.#begin && !(shift && place === start && place > 0));
      if (unknown.length > 0) {
        const draws = maskings(unknown.length, samples, seed + start);
        const estimates: number[] = [];
        const most = Math.max(1, Math.min(together, Math.floor(this.#engine.maxRows / size)));
        for (let at = 0; at < draws.length; at += most) {
          const some = draws.slice(at, at + most);
          const rows = some.flatMap((draw, i) =>
            this.#draft(new Set(draw.map((j) => unknown[j] as number)), start, end + i * size),
          );
          const [probes] = (await this.#probes([{ rows, reveal: { rule: "none" } }])) as [number[]];
          let taken = 0;
          for (const { length: count } of some) {
            estimates.push(weigh(probes.slice(taken, taken + count), unknown.length));
            taken += count;
          }
        }
        total += mean(estimates);
      }
      const next = start + size;
      if (next >= tokens.length) break;
      const rows = this.#rows(start, next, () => next).map((row) =>
        shift && row.place === next - 1 && next >= this.#begin ? { ...row, goal: next, probe: tokens[next] as number } : row,
      );
      const [probes] = (await this.#probes([{ rows, reveal: { rule: "none" } }])) as [number[]];
      total += probes.reduce((sum, probe) => sum + probe, 0);
    }
    return total;
  }

  /** Rows of one draw of a block at places and cache rows from `base` on: whole, its tail beyond the answer masked as in decoding. */
  #draft(masked: ReadonlySet<number>, start: number, base: number): Row[] {
    const { blockLength, maskTokenId, shift } = this.#config;
    const size = blockLength as number;
    const places = Array.from({ length: size }, (_, i) => start + i);
    this.#engine.writeCanvas(
      base,
      places.map((place) => (masked.has(place) ? undefined : this.#tokens[place]) ?? (maskTokenId as number)),
    );
    return places.map((place, i) => {
      const goal = place + (shift ? 1 : 0);
      const asked = masked.has(goal) ? { goal: base + goal - start, probe: this.#tokens[goal] as number } : { goal: null };
      return {
        place: base + i,
        position: place,
        slot: base + i,
        start: 0,
        limit: base + size,
        hole: [start, base] as const,
        ...asked,
      };
    });
  }

  #rows(from: number, to: number, limitOf: (place: number) => number): Row[] {
    return Array.from({ length: to - from }, (_, i) => {
      const place = from + i;
      return { place, position: place, slot: place, start: 0, limit: limitOf(place), goal: null };
    });
  }

  /** Log-probabilities that the rows of passes asked for. */
  async #probes(passes: readonly Pass[]): Promise<number[][]> {
    const results = await this.#engine.run(passes, { ...GREEDY, suppress: this.#suppress }, 0xffffffff);
    return results.map(({ answers }) => answers.map(({ probe }) => probe as number));
  }

  #overflow(needed: number): string {
    return `context: ${needed} positions are needed, ${this.#engine.slots} are allocated; shorten the answer, or load with a larger contextLength`;
  }
}

export interface LikelihoodRequest {
  readonly config: ModelConfig;
  /** Ids that have no probability: the mask, unused rows of a padded vocabulary. */
  readonly suppress: readonly number[];
  readonly prompt: readonly number[];
  readonly answer: readonly number[];
}

/**
 * @throws `bad-option` for an empty prompt or answer, ids or numbers out of range; `context-overflow`
 */
export async function likelihood(
  engine: Player,
  request: LikelihoodRequest,
  options: LikelihoodOptions = {},
): Promise<Likelihood> {
  const { config, prompt, answer } = request;
  const { samples = 128, seed = 0 } = options;
  const unknown = Object.keys(options).find((name) => name !== "samples" && name !== "seed");
  ensure(unknown === undefined, "bad-option", () => `likelihood: expected options samples and seed, came ${unknown}`);
  const whole = (value: number, least: number): boolean => Number.isInteger(value) && value >= least && value < 2 ** 32;
  ensure(whole(samples, 1), "bad-option", () => `samples: expected an integer from 1, came ${samples}`);
  ensure(whole(seed, 0), "bad-option", () => `seed: expected an integer from 0 to ${2 ** 32 - 1}, came ${seed}`);
  ensure(
    prompt.length > 0 && answer.length > 0,
    "bad-option",
    "likelihood: expected a prompt and an answer of at least one token each",
  );
  const bad = [...prompt, ...answer].find((id) => !whole(id, 0) || id >= config.vocabSize);
  ensure(bad === undefined, "bad-option", () => `likelihood: expected ids from 0 to ${config.vocabSize - 1}, came ${bad}`);
  const tokens = answer.length;
  const scorer = new Scorer(engine, request);
  if (config.family === "ar") {
    const perToken = await scorer.exact();
    return { logLikelihood: perToken.reduce((sum, value) => sum + value, 0), tokens, perToken, samples: 0 };
  }
  if (config.family === "mdlm") {
    const draws = maskings(tokens, samples, seed);
    return { logLikelihood: await scorer.masked(draws), tokens, samples: draws.length };
  }
  return { logLikelihood: await scorer.blocks(samples, seed), tokens, samples };
}
