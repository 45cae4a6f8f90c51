/**
 * LLaDA's schedule with ends of text last (confidence_eos_eot_inf of its generate.py): a place whose proposal ends the answer is revealed only when none
 * other is left, so that an answer is not cut before it is written.
 *
 * Departure: the reference takes both ids out of the logits after the proposal is made, at temperature 0 alone, which also moves every other confidence.
 */
import type { Answer } from "../../model/pass";
import { byConfidence, writeOf } from "../host-rule";
import { lladaSchedule } from "../schedule";
import { count, policy } from "./policy";

/** Answers by rank: all that go on before all that end. */
export function endsLast(masked: readonly Answer[], stopIds: ReadonlySet<number>): Answer[] {
  const ranked = byConfidence(masked);
  return [...ranked.filter(({ id }) => !stopIds.has(id)), ...ranked.filter(({ id }) => stopIds.has(id))];
}

export const eosLast = policy({
  name: "eos-last",
  source: "LLaDA, arXiv 2502.09992",
  settings: { steps: count(32, 1, 65536, "passes of a block") },
  rule: ({ steps }, { stopIds }) => ({
    rule: "host",
    metric: "confidence",
    host: {
      looksBack: false,
      block: () => {
        let counts: readonly number[] | null = null;
        return {
          choose: ({ masked, step }) => {
            counts ??= lladaSchedule(masked.length, steps);
            return endsLast(masked, stopIds)
              .slice(0, counts[step] ?? 1)
              .map((answer) => writeOf(answer));
          },
        };
      },
    },
  }),
});
