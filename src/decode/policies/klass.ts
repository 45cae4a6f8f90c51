/**
 * KLASS (arXiv 2511.05664): a place is revealed when it is confident and has settled: the divergence of its distribution from the pass before stayed below a bound
 * for so many passes. If none is, the most confident one is.
 *
 * Departure: the divergence is that of two outcomes, the proposed token or any other, and a new proposal is not settled. By the chain rule the whole
 * divergence is greater by (1 − p) · KL of the others among themselves: less than a tenth of that where p > 0.9. It needs no logits of the pass before,
 * which for a block of 32 and 152k tokens are 19 MB to keep and to read again in every pass.
 */
import type { Answer } from "../../model/pass";
import type { Write } from "../decoder";
import { type BlockRule, byConfidence, type Scene, writeOf } from "../host-rule";
import { count, policy, probability, type Values } from "./policy";

const settings = {
  threshold: probability(0.9, "a place below it is revealed only if none is above"),
  divergence: { fallback: 0.01, from: 0, to: 1e3, meaning: "most nats from one pass to the next" },
  history: count(2, 1, 1024, "passes that it stays below"),
};

/** KL of two outcomes in nats, by the doubts 1/p − 1 of the first: exact where p rounds to 1. */
export function divergence(doubt: number, before: number): number {
  const [p, q] = [1 / (1 + doubt), 1 / (1 + before)];
  const [other, was] = [doubt * p, before * q];
  return p * Math.log(p / q) + (other > 0 ? other * Math.log(other / was) : 0);
}

export class Settling implements BlockRule {
  readonly #v: Values<typeof settings>;
  readonly #last = new Map<number, Pick<Answer, "id" | "doubt"> & { readonly calm: number }>();

  constructor(values: Values<typeof settings>) {
    this.#v = values;
  }

  choose({ masked }: Pick<Scene, "masked">): Write[] {
    const { threshold, history } = this.#v;
    const ready = masked.filter((answer) => this.#calm(answer) >= history && answer.confidence > threshold);
    const taken = ready.length > 0 ? ready : byConfidence(masked).slice(0, 1);
    return taken.map((answer) => writeOf(answer));
  }

  /** Passes in a row that a place has hardly moved, this one included. */
  #calm({ goal, id, doubt }: Answer): number {
    const last = this.#last.get(goal);
    const still = last?.id === id && divergence(doubt, last.doubt) < this.#v.divergence;
    const calm = still ? last.calm + 1 : 0;
    this.#last.set(goal, { id, doubt, calm });
    return calm;
  }
}

export const klass = policy({
  name: "klass",
  source: "KLASS, arXiv 2511.05664",
  settings,
  rule: (values) => ({ rule: "host", metric: "confidence", host: { looksBack: false, block: () => new Settling(values) } }),
});
