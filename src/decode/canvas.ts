/** The host's copy of the canvas: prompt, known tokens, masks. The device's copy follows the same reveals. */
import type { Answer } from "../model/pass";
import type { Revealed } from "./step";

/** Marks an unknown place where a model has no mask token (autoregressive): never embedded, never a token. */
export const NO_TOKEN = 0xffffffff;

export class Canvas {
  readonly tokens: number[];
  readonly promptLength: number;
  readonly maskId: number;

  /** @param promptLength tokens that belong to the prompt: never revealed, not part of the answer */
  constructor(tokens: readonly number[], promptLength: number, maskId: number) {
    this.tokens = [...tokens];
    this.promptLength = promptLength;
    this.maskId = maskId;
  }

  /** The canvas without its prompt, for guidance: every prompt place masked. */
  withoutPrompt(): number[] {
    return this.tokens.map((id, place) => (place < this.promptLength ? this.maskId : id));
  }

  get length(): number {
    return this.tokens.length;
  }

  /** Appends masks up to a length. */
  extend(length: number): void {
    while (this.tokens.length < length) this.tokens.push(this.maskId);
  }

  /** Whether a place is still to be filled; a prompt that holds the mask's id keeps it. */
  isMasked(place: number): boolean {
    return place >= this.promptLength && this.tokens[place] === this.maskId;
  }

  /** Masked places of [from, to), in order. */
  masks(from: number, to: number): number[] {
    const places: number[] = [];
    for (let place = from; place < to; place++) if (this.isMasked(place)) places.push(place);
    return places;
  }

  /** Writes what a pass revealed and returns it by position. */
  apply(answers: readonly Answer[], valueIn: (answer: Answer) => number): Revealed[] {
    const revealed = answers.filter((answer) => answer.revealed).sort((a, b) => a.goal - b.goal);
    for (const { goal, id } of revealed) {
      this.extend(goal + 1);
      this.tokens[goal] = id;
    }
    return revealed.map((answer) => {
      const { goal, id, logProbability, top } = answer;
      return { position: goal, id, confidence: valueIn(answer), logProbability, ...(top ? { top } : {}) };
    });
  }

  /** Index of the first stop id after the prompt with no mask before it, or -1. */
  stopIndex(stopIds: ReadonlySet<number>): number {
    for (let place = this.promptLength; place < this.tokens.length; place++) {
      if (this.isMasked(place)) return -1;
      if (stopIds.has(this.tokens[place] as number)) return place;
    }
    return -1;
  }
}
