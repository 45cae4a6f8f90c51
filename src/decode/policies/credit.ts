/**
 * Credit decoding (dInfer, arXiv 2510.06133): a token that has led at a place over many passes is trusted before a single pass is sure of it. Credit fades
 * by 0.8 a pass, the leading token gains p^0.2, and logits grow by 0.7 · ln(1 + credit) before the threshold is tested.
 *
 * Departure: beside the leading token only one is known well enough for its logit to grow, the one with most credit of those that did not lead the pass
 * before. A third token stays at its raw logit, and so does a token in the pass in which another takes the lead from it.
 */
import type { Answer } from "../../model/pass";
import type { Write } from "../decoder";
import { type BlockRule, byConfidence, writeOf } from "../host-rule";
import { policy, probability, type Values } from "./policy";

const settings = {
  threshold: probability(0.9, "every place whose fused confidence reaches it is revealed"),
  decay: probability(0.8, "share of credit that stays from pass to pass"),
  boost: probability(0.7, "weight of ln(1 + credit)"),
  power: probability(0.2, "power of the leading token's probability that it gains"),
};

/** Credit of the tokens of one block: place → token → credit. */
export class Credit implements BlockRule {
  readonly #v: Values<typeof settings>;
  readonly #of = new Map<number, Map<number, number>>();
  /** Leading token of each place in the last pass. */
  readonly #leader = new Map<number, number>();

  constructor(values: Values<typeof settings>) {
    this.#v = values;
  }

  /** The token with most credit that did not lead last: likely the one that may overtake. */
  probe(place: number): number | undefined {
    let best: [id: number, credit: number] | undefined;
    for (const entry of this.#of.get(place) ?? []) {
      if (entry[0] !== this.#leader.get(place) && (!best || entry[1] > best[1])) best = entry;
    }
    return best?.[0];
  }

  choose({ masked }: { readonly masked: readonly Answer[] }): Write[] {
    const fused = masked.map((answer) => this.#fuse(answer, this.probe(answer.goal)));
    const ranked = byConfidence(fused);
    return ranked.filter(({ confidence }, i) => i === 0 || confidence >= this.#v.threshold).map((answer) => writeOf(answer));
  }

  /** Enters an answer into the book and reads the answer as the credits have it. */
  #fuse(answer: Answer, probed: number | undefined): Answer {
    const { decay, boost, power } = this.#v;
    const credits = this.#of.get(answer.goal) ?? new Map<number, number>();
    this.#of.set(answer.goal, credits);
    for (const [id, credit] of credits) credits.set(id, credit * decay);
    credits.set(answer.id, (credits.get(answer.id) ?? 0) + answer.confidence ** power);
    this.#leader.set(answer.goal, answer.id);
    // Weights of the tokens whose logits grow, over the sum of all before.
    const grown = (id: number, p: number): number => p * (1 + (credits.get(id) ?? 0)) ** boost;
    const lead = grown(answer.id, answer.confidence);
    const other = probed !== undefined && probed !== answer.id && answer.probe !== undefined ? Math.exp(answer.probe) : 0;
    const rival = other > 0 ? grown(probed as number, other) : 0;
    // What is neither keeps its weight; where the leader is certain its doubt, not 1 − p, tells how much that is.
    const rest = Math.max(0, answer.confidence * answer.doubt - other);
    const doubt = rival > lead ? (lead + rest) / rival : (rival + rest) / lead;
    return { ...answer, id: rival > lead ? (probed as number) : answer.id, doubt, confidence: 1 / (1 + doubt) };
  }
}

export const credit = policy({
  name: "credit",
  source: "dInfer, arXiv 2510.06133",
  settings,
  rule: (values) => ({ rule: "host", metric: "confidence", host: { looksBack: false, block: () => new Credit(values) } }),
});
