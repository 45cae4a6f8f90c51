/**
 * Speculative decoding of an autoregressive model: somebody cheap drafts tokens, one forward checks them all. The row of each place draws its own token;
 * drafts are kept up to the first that differs, and the token drawn there is the next. Every place draws with the chance that plain decoding gives it, so
 * the text is that of plain decoding at any temperature; a draft is kept with its own probability, as by the rule of rejection for drafts without chance
 * (arXiv 2302.01318, 2211.17192). Keys and values of refused rows are overwritten by the next forward. It does not know where drafts come from.
 */
import type { PassResult } from "../model/engine";
import { causal, prefillCausal } from "./autoregressive";
import { type Decoder, type DecoderContext, type PlannedPass, rowsOf } from "./decoder";

/** Counts of a speculation, kept by its decoder while it runs. */
export interface SpeculationTally {
  drafted: number;
  accepted: number;
  draftForwards: number;
  verifyForwards: number;
}

export const newTally = (): SpeculationTally => ({ drafted: 0, accepted: 0, draftForwards: 0, verifyForwards: 0 });

/** Proposes at most `count` tokens to follow what the canvas knows; may run passes on the assistant. */
export type Drafter = (count: number) => Generator<readonly PlannedPass[], readonly number[], readonly PassResult[]>;

export interface SpeculativeOptions {
  readonly maxNewTokens: number;
  /** Most tokens drafted at a time. */
  readonly draftTokens: number;
  readonly drafter: Drafter;
  readonly tally: SpeculationTally;
}

export function* speculative(context: DecoderContext, options: SpeculativeOptions): Decoder {
  const { canvas, stopIds, maxRows } = context;
  const { drafter, tally } = options;
  const end = canvas.promptLength + options.maxNewTokens;
  // Plain decoding draws the token of place g in forward number `drawOf(g)`.
  const prefills = Math.ceil(canvas.promptLength / maxRows);
  const drawOf = (place: number): number => prefills - 1 + place - canvas.promptLength;
  yield* prefillCausal(context);
  while (canvas.length < end && canvas.stopIndex(stopIds) < 0) {
    const known = canvas.length;
    // The checking forward makes a token of its own beside the drafts.
    const most = Math.min(options.draftTokens, end - known - 1, maxRows - 1);
    const drafts = most > 0 ? yield* drafter(most) : [];
    const rows = rowsOf(known - 1, known + drafts.length, causal, (place) => place + 1).map((row) => ({
      ...row,
      draw: drawOf(row.place + 1),
    }));
    const draft = drafts.map((id, i) => ({ place: known + i, id }));
    const kind = drafts.length > 0 ? "verify" : "commit";
    const [{ answers }] = (yield [{ kind, rows, draft, reveal: { rule: "none" } }]) as [PassResult];
    const drawn = answers.map(({ id }) => id);
    const differs = drafts.findIndex((id, i) => id !== drawn[i]);
    const kept = drawn.slice(0, (differs < 0 ? drafts.length : differs) + 1);
    const stop = kept.findIndex((id) => stopIds.has(id));
    const write = (stop < 0 ? kept : kept.slice(0, stop + 1)).map((id, i) => ({ place: known + i, id }));
    tally.drafted += drafts.length;
    tally.accepted += Math.min(write.length, kept.length - 1);
    if (drafts.length > 0) tally.verifyForwards++;
    yield [{ kind, rows: [], reveal: { rule: "none" }, write }];
  }
}
