/** Rules of selection that the host carries out on a pass's answers: what they see of a block, and what they say. Those on the device are in `selection.ts`. */
import type { Answer } from "../model/pass";
import type { Canvas } from "./canvas";
import type { Write } from "./decoder";

/** An answer that also says how likely a given token is. */
export type Probed = Answer & { readonly probe: number };

/** A block after one of its passes. */
export interface Scene {
  readonly canvas: Canvas;
  /** Places [start, stop) are the block. */
  readonly start: number;
  readonly stop: number;
  /** Passes of this block before. */
  readonly step: number;
  /** Answers for the masked places, by place. */
  readonly masked: readonly Answer[];
  /** Answers for the places that were revealed in this block, by place, the token there probed; empty unless the rule looks back. */
  readonly known: readonly Probed[];
}

/** A rule at work on one block. */
export interface BlockRule {
  /** Tokens to write, the mask's id where a place becomes unknown again. At least one place must be gained now or later, or the run never ends. */
  choose(scene: Scene): readonly Write[];
  /** Whether the block needs another pass although no mask is left. Default: no. */
  unsettled?(): boolean;
  /** Token whose log-probability is wanted beside the answer of a masked place. */
  probe?(place: number): number | undefined;
}

export interface HostRule {
  /** Whether rows of revealed places are answered too; their probe is the token that stands there. */
  readonly looksBack: boolean;
  /** Slots in which the logits of a block's rows stay until the next pass: answers then tell their divergence. Default: none. */
  readonly keeps?: number;
  /** Begins a block. */
  block(): BlockRule;
}

/** The token that an answer proposes, as a write. */
export const writeOf = ({ goal, id, confidence }: Answer, value = confidence): Write => ({ place: goal, id, confidence: value });

/** Most confident first; equal ones by place. `doubt` ranks where the confidence rounds to 1. */
export const byConfidence = (answers: readonly Answer[]): Answer[] =>
  [...answers].sort((a, b) => a.doubt - b.doubt || a.goal - b.goal);

/** Probability of the token that stands at a revealed place. */
export const standing = (answer: Probed): number => Math.exp(answer.probe);
