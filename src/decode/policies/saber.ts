/**
 * Saber (arXiv 2510.18165): the threshold is the mean confidence of all that was revealed so far, so that decoding speeds up as the text takes shape; and
 * of the tokens that stand, the ⌊new / mu⌋ (at least one) whose confidence has dropped the most since they were revealed are masked again.
 *
 * Departure: never as many are masked again as are revealed, so that every pass gains a place.
 */
import type { Write } from "../decoder";
import { type BlockRule, byConfidence, type Scene, standing, writeOf } from "../host-rule";
import { policy } from "./policy";

/** What was revealed over a whole run: the mean goes on from block to block. */
interface Mean {
  sum: number;
  count: number;
}

export class Saber implements BlockRule {
  readonly #mean: Mean;
  readonly #mu: number;
  readonly #trust = new Map<number, number>();

  constructor(mean: Mean, mu: number) {
    this.#mean = mean;
    this.#mu = mu;
  }

  choose({ canvas, masked, known }: Scene): Write[] {
    const threshold = this.#mean.count > 0 ? this.#mean.sum / this.#mean.count : 1;
    const revealed = byConfidence(masked).filter(({ confidence }, i) => i === 0 || confidence > threshold);
    const drops = known
      .map((answer) => ({ place: answer.goal, drop: (this.#trust.get(answer.goal) ?? 0) - standing(answer) }))
      .filter(({ drop }) => drop > 0)
      .sort((a, b) => b.drop - a.drop || a.place - b.place);
    const back = drops.slice(0, Math.min(revealed.length - 1, Math.max(1, Math.floor(revealed.length / this.#mu))));
    for (const { goal, confidence } of revealed) {
      this.#trust.set(goal, confidence);
      this.#mean.sum += confidence;
      this.#mean.count++;
    }
    return [...revealed.map((answer) => writeOf(answer)), ...back.map(({ place }) => ({ place, id: canvas.maskId }))];
  }
}

export const saber = policy({
  name: "saber",
  source: "Saber, arXiv 2510.18165",
  settings: { mu: { fallback: 8, from: 1, to: 1e6, meaning: "one token in so many new ones is masked again" } },
  rule: ({ mu }) => {
    const mean: Mean = { sum: 0, count: 0 };
    return { rule: "host", metric: "confidence", host: { looksBack: true, block: () => new Saber(mean, mu) } };
  },
});
