/**
 * Wide-in, narrow-out (WINO, arXiv 2507.18578): many places are revealed at a low threshold, and a verifying shadow of the block takes back what it doubts.
 * The shadow is a second copy of the block, all masks, at the same rotary positions: its row j sees everything but the real place j, so it says how likely
 * the token there is from the rest alone. Real rows do not see the shadow.
 *
 * It ends within as many passes as there are masks: a pass takes back fewer than the pass before revealed. Departure: given tokens are never taken back.
 */
import type { Answer, Row } from "../../model/pass";
import type { Decoder, DecoderContext, Write } from "../decoder";
import { goalsOf, rowsOf } from "../decoder";
import { byConfidence, type Probed, standing, writeOf } from "../host-rule";
import { count, decoderPolicy, probability, type Values } from "./policy";

const settings = {
  threshold: probability(0.6, "places above it are revealed"),
  back: probability(0.9, "a token whose shadow is below it is masked again"),
  least: count(5, 1, 65536, "the cap on places of a pass is 0.7 of the masks, but not below this"),
  most: count(20, 1, 65536, "and not above this"),
};
type Bounds = Values<typeof settings>;

/** As many tokens as the first pass that verifies may take back, plus one. */
const FIRST = 30;

/** Most places that a pass reveals. */
export const acceptCap = (masks: number, { least, most }: Pick<Bounds, "least" | "most">): number =>
  Math.min(Math.max(Math.floor(masks * 0.7), least), most);

/** Answers to be revealed: at least one. */
export function accepted(masked: readonly Answer[], { threshold, ...caps }: Omit<Bounds, "back">): Answer[] {
  const ranked = byConfidence(masked);
  const wide = ranked.filter(({ confidence }) => confidence > threshold).slice(0, acceptCap(masked.length, caps));
  return wide.length > 0 ? wide : ranked.slice(0, 1);
}

/** Shadow answers whose tokens are taken back: fewer than `last`. */
export function takenBack(shadows: readonly Probed[], back: number, last: number): Probed[] {
  const doubted = shadows.filter((answer) => standing(answer) < back).sort((a, b) => a.probe - b.probe || a.goal - b.goal);
  return doubted.length >= last ? doubted.slice(0, last - 1) : doubted;
}

/** The shadow of places [start, stop), behind a canvas of `end` places; `probes` are the tokens to verify. */
export function shadowRows(start: number, stop: number, end: number, probes: ReadonlyMap<number, number>): Row[] {
  return Array.from({ length: stop - start }, (_, i) => {
    const place = start + i;
    const probe = probes.get(place);
    const row = {
      place: end + i,
      position: place,
      slot: end + i,
      start: 0,
      limit: end + stop - start,
      hole: [place, place + 1] as const,
    };
    return probe === undefined ? { ...row, goal: null } : { ...row, goal: place, probe };
  });
}

export const wino = decoderPolicy({
  name: "wino",
  source: "WINO, arXiv 2507.18578",
  settings,
  family: "mdlm",
  room: ({ blockLength }) => blockLength,
  *decoder({ canvas, stopIds }: DecoderContext, bounds, { blockLength, earlyStop }): Decoder {
    const end = canvas.length;
    for (let start = canvas.promptLength; start < end; start += blockLength) {
      const stop = Math.min(start + blockLength, end);
      const open = canvas.masks(start, stop);
      for (let last = FIRST, masks = open; masks.length > 0; masks = canvas.masks(start, stop)) {
        const known = open.filter((place) => !canvas.isMasked(place));
        const probes = new Map(known.map((place) => [place, canvas.tokens[place] as number]));
        const rows = [...rowsOf(0, end, () => end, goalsOf(masks, false)), ...shadowRows(start, stop, end, probes)];
        const results = yield [{ kind: "full", rows, reveal: { rule: "none" } }];
        const answers = results.at(-1)?.answers ?? [];
        const taken = accepted(
          answers.filter(({ goal }) => !probes.has(goal)),
          bounds,
        );
        const shadows = answers.filter((answer): answer is Probed => probes.has(answer.goal) && answer.probe !== undefined);
        const back = taken.length > 1 ? takenBack(shadows, bounds.back, last) : [];
        last = taken.length;
        const write: Write[] = [
          ...taken.map((answer) => writeOf(answer)),
          ...back.map(({ goal }) => ({ place: goal, id: canvas.maskId })),
        ];
        yield [{ kind: "full", rows: [], reveal: { rule: "none" }, write }];
      }
      if (earlyStop && canvas.stopIndex(stopIds) >= 0) return;
    }
  },
});
