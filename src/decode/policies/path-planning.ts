/**
 * Path planning (P2, arXiv 2502.03540; the sampler of Open-dLLM): after pass i of S the ⌊N (i + 1) / S⌋ most confident of a block's N places are known. All
 * places compete, masked ones with the token proposed, known ones with the probability that their token has now, times eta; who loses is masked again.
 */
import type { Write } from "../decoder";
import { type Scene, standing, writeOf } from "../host-rule";
import { count, policy } from "./policy";

/** What is written so that the `keep` best places are known. */
export function planWrites({ canvas, masked, known }: Scene, keep: number, eta: number): Write[] {
  const places = [
    ...masked.map((answer) => ({ place: answer.goal, score: answer.confidence, doubt: answer.doubt, write: writeOf(answer) })),
    ...known.map((answer) => ({
      place: answer.goal,
      score: eta * standing(answer),
      doubt: 1 / (eta * standing(answer)) - 1,
      write: null,
    })),
  ].sort((a, b) => a.doubt - b.doubt || a.place - b.place);
  return places.flatMap(({ place, write }, rank) => {
    if (rank < keep) return write ? [write] : [];
    return write ? [] : [{ place, id: canvas.maskId }];
  });
}

export const p2 = policy({
  name: "p2",
  source: "P2, arXiv 2502.03540",
  settings: {
    steps: count(32, 1, 65536, "passes of a block"),
    eta: {
      fallback: 1,
      from: 1e-6,
      to: 1e6,
      meaning: "weight of known tokens against proposed ones; above 1 fewer are masked again",
    },
  },
  rule: ({ steps, eta }) => ({
    rule: "host",
    metric: "confidence",
    host: {
      looksBack: true,
      block: () => ({
        choose: (scene) => {
          const places = scene.masked.length + scene.known.length;
          return planWrites(scene, Math.floor((places * Math.min(scene.step + 1, steps)) / steps), eta);
        },
      }),
    },
  }),
});
