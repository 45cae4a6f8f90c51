/**
 * Remasking diffusion (ReMDM, arXiv 2503.00307): ancestral sampling over a linear schedule in which revealed tokens may be masked again. From time t to s
 * a revealed token is masked with chance σ and a masked place revealed with chance (α_s − (1 − σ) α_t) / (1 − α_t), so that the expected share of
 * known places stays α whatever σ is; σ ≤ (1 − α_s) / α_t. With σ = 0 it is the ancestral sampling of MDLM and Dream's `origin`.
 *
 * cap: σ = min(eta, bound). rescale: σ = eta · bound. confidence: σ = eta · bound spread over the tokens by softmax of minus their confidence when they
 * were revealed, as many in expectation as rescale. The `loop` schedule, which holds t for a while, is left out.
 */
import type { Write } from "../decoder";
import { type BlockRule, type Scene, writeOf } from "../host-rule";
import { uniform } from "../random";
import { count, type Policy, type PolicyRun, policy, probability } from "./policy";

type Spread = "cap" | "rescale" | "confidence";

const settings = {
  steps: count(32, 1, 65536, "passes of a block"),
  eta: probability(0.04, "how much is masked again; 0 is never"),
};

/** Share of known places after `step` of `steps` passes. */
const alpha = (step: number, steps: number): number => step / steps;

class Remasking implements BlockRule {
  readonly #steps: number;
  readonly #eta: number;
  readonly #seed: number;
  readonly #spread: Spread;
  /** Confidence of each token when it was revealed. */
  readonly #trust = new Map<number, number>();
  #step = 0;

  constructor({ steps, eta }: { steps: number; eta: number }, { seed }: PolicyRun, spread: Spread) {
    this.#steps = steps;
    this.#eta = eta;
    this.#seed = seed;
    this.#spread = spread;
  }

  /** Places are masked again by chance, so an unmasked block is finished only when its time is. */
  unsettled(): boolean {
    return this.#eta > 0 && this.#step < this.#steps;
  }

  choose({ canvas, start, masked }: Scene): Write[] {
    const [before, after] = [alpha(this.#step, this.#steps), alpha(this.#step + 1, this.#steps)];
    this.#step++;
    const bound = before > 0 ? Math.min(1, (1 - after) / before) : 0;
    const sigma = this.#spread === "cap" ? Math.min(this.#eta, bound) : this.#eta * bound;
    const chance = after >= 1 ? 1 : (after - (1 - sigma) * before) / (1 - before);
    const drawn = (place: number): number => uniform(this.#seed, start, this.#step, place);
    const revealed = masked.filter(({ goal }) => drawn(goal) < chance).map((answer) => writeOf(answer));
    const weights = this.#weights();
    const doubted = [...this.#trust.keys()].filter((place) => drawn(place) < Math.min(1, sigma * (weights.get(place) ?? 1)));
    for (const place of doubted) this.#trust.delete(place);
    for (const { place, confidence = 1 } of revealed) this.#trust.set(place, confidence);
    return [...revealed, ...doubted.map((place) => ({ place, id: canvas.maskId }))];
  }

  /** How much more often than on average each token is masked again. */
  #weights(): Map<number, number> {
    if (this.#spread !== "confidence") return new Map();
    const raw = [...this.#trust].map(([place, confidence]) => [place, Math.exp(-confidence)] as const);
    const sum = raw.reduce((total, [, weight]) => total + weight, 0);
    return new Map(raw.map(([place, weight]) => [place, (weight * raw.length) / sum]));
  }
}

const remdm = <Name extends string>(name: Name, spread: Spread): Policy<Name, typeof settings> =>
  policy({
    name,
    source: "ReMDM, arXiv 2503.00307",
    settings,
    rule: (values, run) => ({
      rule: "host",
      metric: "confidence",
      host: { looksBack: false, block: () => new Remasking(values, run, spread) },
    }),
  });

export const remdmCap = remdm("remdm-cap", "cap");
export const remdmRescale = remdm("remdm-rescale", "rescale");
export const remdmConfidence = remdm("remdm-confidence", "confidence");
