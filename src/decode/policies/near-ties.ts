/** Threshold decoding as dInfer has it (arXiv 2510.08666): places that all but tie with the best one go along with it, however unsure it is. */
import type { Answer } from "../../model/pass";
import { byConfidence, writeOf } from "../host-rule";
import { policy, probability } from "./policy";

/** Answers to be revealed: those of c ≥ min(threshold, best c − slack). */
export function nearTies(masked: readonly Answer[], threshold: number, slack: number): Answer[] {
  const ranked = byConfidence(masked);
  const bound = Math.min(threshold, (ranked[0]?.confidence ?? 0) - slack);
  return ranked.filter(({ confidence }, rank) => rank === 0 || confidence >= bound);
}

export const nearTie = policy({
  name: "near-ties",
  source: "dInfer, arXiv 2510.08666",
  settings: {
    threshold: probability(0.9, "every place that reaches it is revealed"),
    slack: probability(1e-5, "so much below the best is a tie with it"),
  },
  rule: ({ threshold, slack }) => ({
    rule: "host",
    metric: "confidence",
    host: {
      looksBack: false,
      block: () => ({ choose: ({ masked }) => nearTies(masked, threshold, slack).map((answer) => writeOf(answer)) }),
    },
  }),
});
