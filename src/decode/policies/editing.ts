/**
 * Editing of revealed tokens (LLaDA 2.1; dllm's pipelines/llada21/sampler.py): threshold decoding in which a token of the active block is replaced when the
 * model proposes another one with enough confidence. The block is finished when no mask is left and a pass edits nothing, or after 16 more passes.
 */
import type { Write } from "../decoder";
import { type BlockRule, byConfidence, type Scene, writeOf } from "../host-rule";
import { count, policy, probability } from "./policy";

interface Bounds {
  readonly threshold: number;
  readonly edit: number;
  readonly checks: number;
  readonly strict: boolean;
}

export class Editing implements BlockRule {
  readonly #bounds: Bounds;
  /** Passes since no mask was left, the last of them without an edit or not. */
  #checks = 0;
  #changed = true;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  unsettled(): boolean {
    return this.#changed && this.#checks < this.#bounds.checks;
  }

  choose({ canvas, masked, known }: Scene): Write[] {
    const { threshold, edit, strict } = this.#bounds;
    const ranked = byConfidence(masked);
    const sure = ({ confidence: c }: { confidence: number }): boolean => (strict ? c > threshold : c >= threshold);
    const revealed = ranked.filter((answer, i) => i === 0 || sure(answer)).map((answer) => writeOf(answer));
    const edits = known
      .filter(({ goal, id, confidence }) => confidence > edit && canvas.tokens[goal] !== id)
      .map((answer) => writeOf(answer));
    if (masked.length === 0) this.#checks++;
    this.#changed = masked.length > 0 || edits.length > 0;
    return [...revealed, ...edits];
  }
}

export const editing = policy({
  name: "editing",
  source: "LLaDA 2.1",
  settings: {
    threshold: probability(0.95, "every masked place above it is revealed"),
    edit: { fallback: 0.9, from: 0, to: 2, meaning: "a token is replaced by one proposed with more confidence; above 1 never" },
    checks: count(16, 1, 1024, "most passes after the last mask"),
  },
  rule: (values, { strict }) => ({
    rule: "host",
    metric: "confidence",
    host: { looksBack: true, block: () => new Editing({ ...values, strict }) },
  }),
});
