/**
 * Hierarchical decoding (dInfer, arXiv 2510.08666, parallel_strategy.py): every run of neighbouring masks reveals its most confident place where that is
 * sure enough, so that the block is cut into shorter runs; all places above the threshold and the best of all are revealed too. The second policy also
 * masks revealed tokens again that the model has come to doubt, and reveals at least one place more than it masks.
 */
import type { Answer } from "../../model/pass";
import type { Write } from "../decoder";
import { type BlockRule, byConfidence, type HostRule, type Scene, standing, writeOf } from "../host-rule";
import { policy, probability } from "./policy";

/** Answers of neighbouring masked places, run by run. */
function runsOf(answers: readonly Answer[]): Answer[][] {
  const runs: Answer[][] = [];
  for (const answer of answers) {
    const last = runs.at(-1);
    if (last?.at(-1)?.goal === answer.goal - 1) last.push(answer);
    else runs.push([answer]);
  }
  return runs;
}

/** Answers to be revealed: at least one. */
export function hierarchicalPicks(masked: readonly Answer[], threshold: number, low: number): Answer[] {
  const ranked = byConfidence(masked);
  const peaks = runsOf(masked).map((run) => byConfidence(run)[0] as Answer);
  const taken = new Set([
    ...peaks.filter((peak) => peak.confidence > low),
    ...ranked.filter(({ confidence }) => confidence > threshold),
  ]);
  if (ranked[0]) taken.add(ranked[0]);
  return ranked.filter((answer) => taken.has(answer));
}

/** What is written: picks, and masks over the doubted; progress is one place at least. */
export function remaskingWrites(
  { canvas, masked, known }: Scene,
  v: { threshold: number; low: number; remask: number },
): Write[] {
  const doubted = known
    .filter((answer) => standing(answer) < v.remask)
    .sort((a, b) => a.probe - b.probe || a.goal - b.goal)
    .slice(0, Math.max(0, masked.length - 1));
  const picks = hierarchicalPicks(masked, v.threshold, v.low);
  const more = byConfidence(masked).filter((answer) => !picks.includes(answer));
  const wanted = Math.max(0, doubted.length + 1 - picks.length);
  return [
    ...[...picks, ...more.slice(0, wanted)].map((answer) => writeOf(answer)),
    ...doubted.map(({ goal }) => ({ place: goal, id: canvas.maskId })),
  ];
}

const host = (looksBack: boolean, choose: BlockRule["choose"]): HostRule => ({ looksBack, block: () => ({ choose }) });

const settings = {
  threshold: probability(0.9, "every place above it is revealed"),
  low: probability(0.4, "the best place of a run of masks is revealed above it"),
};

export const hierarchical = policy({
  name: "hierarchical",
  source: "dInfer, arXiv 2510.08666",
  settings,
  rule: ({ threshold, low }) => ({
    rule: "host",
    metric: "confidence",
    host: host(false, ({ masked }) => hierarchicalPicks(masked, threshold, low).map((answer) => writeOf(answer))),
  }),
});

export const hierarchicalRemask = policy({
  name: "hierarchical-remask",
  source: "dInfer, arXiv 2510.08666",
  settings: { ...settings, remask: probability(0.4, "a revealed token below it is masked again") },
  rule: (values) => ({ rule: "host", metric: "confidence", host: host(true, (scene) => remaskingWrites(scene, values)) }),
});
