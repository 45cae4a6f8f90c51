/**
 * Guided diffusion (FlashDLM, arXiv 2505.21467): an autoregressive model reads a diffusion model's proposals, and those that it would have written itself,
 * given all before them, are kept, however many and however sure the diffusion model is. It corrects nothing: where it agrees with none, the most
 * confident proposal is kept. Goes round any diffusion decoder; its rule of selection is replaced, its rows and caches stay.
 */
import type { PassResult } from "../model/engine";
import type { Answer } from "../model/pass";
import { causal } from "./autoregressive";
import type { Canvas } from "./canvas";
import { type Decoder, type DecoderContext, type PlannedPass, rowsOf, type Write } from "./decoder";
import type { SpeculationTally } from "./speculative";

export interface GuidedFinalizationOptions {
  /** The diffusion decoder; its passes reveal by a rule, not by writes of their own. */
  readonly decoder: (context: DecoderContext) => Decoder;
  /** The guide's canvas, which begins with the same prompt. */
  readonly guideCanvas: Canvas;
  /** Most rows of one pass of the guide. */
  readonly guideRows: number;
  readonly tally: SpeculationTally;
}

export function* guidedFinalization(context: DecoderContext, options: GuidedFinalizationOptions): Decoder {
  const { canvas } = context;
  const { tally } = options;
  const decoder = options.decoder(context);
  const guide = new Guide(canvas, options);
  let results: readonly PassResult[] = [];
  for (let next = decoder.next(); !next.done; next = decoder.next(results)) {
    const came: PassResult[] = [];
    for (const pass of next.value) {
      if (!chooses(pass)) {
        came.push(...(yield [pass]));
        continue;
      }
      // A pass planned ahead has nothing to do where the ones before it have revealed all that it asks for.
      if (!pass.rows.some(({ goal }) => goal !== null && canvas.isMasked(goal))) continue;
      const [result] = (yield [{ ...pass, reveal: { rule: "none" }, report: "all" }]) as [PassResult];
      came.push(result);
      const proposals = result.answers.filter(({ goal }) => canvas.isMasked(goal)).sort((a, b) => a.goal - b.goal);
      const agreed = yield* guide.agreed(proposals);
      tally.draftForwards++;
      tally.drafted += proposals.length;
      tally.accepted += agreed.length;
      const surest = [...proposals].sort((a, b) => a.doubt - b.doubt || a.goal - b.goal).slice(0, 1);
      const kept = agreed.length > 0 ? agreed : surest;
      const write = kept.map(({ goal, id, confidence }) => ({ place: goal, id, confidence }));
      yield [{ kind: pass.kind, rows: [], reveal: { rule: "none" }, write }];
    }
    results = came;
  }
}

/** Whether a pass reveals some of its answers; prefill and commit passes reveal none or all. */
const chooses = ({ reveal }: PlannedPass): boolean => reveal.rule !== "none" && reveal.rule !== "all";

/** The autoregressive model with what it has read so far. */
class Guide {
  readonly #canvas: Canvas;
  readonly #own: Canvas;
  readonly #maxRows: number;
  readonly #tally: SpeculationTally;
  /** Tokens whose keys and values its cache holds, from place 0. */
  #read: number[] = [];

  constructor(canvas: Canvas, { guideCanvas, guideRows, tally }: GuidedFinalizationOptions) {
    this.#canvas = canvas;
    this.#own = guideCanvas;
    this.#maxRows = guideRows;
    this.#tally = tally;
  }

  /** Proposals that it would have made too. It reads what is known and, in the gaps, what is proposed; row i − 1 speaks of place i. */
  *agreed(proposals: readonly Answer[]): Generator<readonly PlannedPass[], Answer[], readonly PassResult[]> {
    const proposed = new Map(proposals.map((answer) => [answer.goal, answer]));
    const last = proposals.at(-1)?.goal ?? 0;
    const text = Array.from({ length: last }, (_, place) => proposed.get(place)?.id ?? (this.#canvas.tokens[place] as number));
    const standing = this.#read.findIndex((id, place) => id !== text[place]);
    const first = (proposals[0]?.goal ?? 1) - 1;
    const start = Math.min(standing < 0 ? this.#read.length : standing, first);
    let write: Write[] = text.flatMap((id, place) =>
      place >= this.#own.promptLength && this.#own.tokens[place] !== id ? [{ place, id }] : [],
    );
    const agreed: Answer[] = [];
    for (let from = start; from < last; from += this.#maxRows) {
      const to = Math.min(from + this.#maxRows, last);
      const rows = rowsOf(from, to, causal, (place) => (proposed.has(place + 1) ? place + 1 : null));
      const results = yield [{ kind: "verify", on: "assistant", rows, reveal: { rule: "none" }, write }];
      write = [];
      this.#tally.verifyForwards++;
      for (const { goal, id } of results[0]?.answers ?? []) {
        const answer = proposed.get(goal);
        if (answer?.id === id) agreed.push(answer);
      }
    }
    this.#read = text;
    return agreed;
  }
}
