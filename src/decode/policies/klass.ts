/**
 * KLASS (arXiv 2511.05664): a place is revealed when it is confident and has settled: the divergence of its distribution from the pass before stayed below a bound
 * for so many passes. If none is, the most confident one is. The logits of the pass before stay on the device, one row a place of the block.
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

export class Settling implements BlockRule {
  readonly #v: Values<typeof settings>;
  /** Of places that were answered in this block: passes in a row that they have hardly moved. */
  readonly #calm = new Map<number, number>();

  constructor(values: Values<typeof settings>) {
    this.#v = values;
  }

  choose({ masked }: Pick<Scene, "masked">): Write[] {
    const { threshold, history } = this.#v;
    const ready = masked.filter((answer) => this.#calmOf(answer) >= history && answer.confidence > threshold);
    const taken = ready.length > 0 ? ready : byConfidence(masked).slice(0, 1);
    return taken.map((answer) => writeOf(answer));
  }

  /** Passes in a row that a place has hardly moved, this one included. What its slot held before its first pass is not its own. */
  #calmOf({ goal, divergence = Number.POSITIVE_INFINITY }: Answer): number {
    const last = this.#calm.get(goal);
    const calm = last !== undefined && divergence < this.#v.divergence ? last + 1 : 0;
    this.#calm.set(goal, calm);
    return calm;
  }
}

export const klass = policy({
  name: "klass",
  source: "KLASS, arXiv 2511.05664",
  settings,
  rule: (values, { blockLength }) => ({
    rule: "host",
    metric: "confidence",
    host: { looksBack: false, keeps: blockLength, block: () => new Settling(values) },
  }),
});
