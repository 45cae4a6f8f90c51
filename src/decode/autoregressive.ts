/** Autoregressive decoding with a KV cache: prefill, then one row a token. Row i answers place i + 1. The last token is never forwarded. */
import type { TokenConstraint } from "./constraint";
import { type Decoder, type DecoderContext, type PlannedPass, rowsOf } from "./decoder";

export interface AutoregressiveOptions {
  readonly maxNewTokens: number;
  /**
   * Tokens decoded in one submit: each feeds the next on the device. The first token comes alone, then twice as many, so that the host has waited no more
   * than once for so many tokens from then on; the last submit takes what is left where that is less than twice as many. With a constraint, which
   * follows the tokens on the host, every token comes alone.
   */
  readonly tokensPerSubmit: number;
}

/** Every place sees itself and all before it. */
export const causal = (place: number): number => place + 1;

const pass = (kind: PlannedPass["kind"], from: number, to: number, emits: boolean): PlannedPass => ({
  kind,
  rows: rowsOf(from, to, causal, (place) => (emits && place === to - 1 ? to : null)),
  reveal: { rule: "all" },
  report: "revealed",
});

/** A pass that answers, restricted to what may come next. */
const restricted = (given: PlannedPass, constraint: TokenConstraint | undefined): PlannedPass =>
  constraint ? { ...given, allow: () => constraint.allowed() } : given;

/** Keeps the prompt's keys and values, in passes that fit; the last row makes the first token. */
export function* prefillCausal({
  canvas: { promptLength },
  maxRows,
  constraint,
}: Pick<DecoderContext, "canvas" | "maxRows" | "constraint">): Decoder {
  for (let from = 0; from < promptLength; from += maxRows) {
    const to = Math.min(from + maxRows, promptLength);
    yield [to === promptLength ? restricted(pass("prefill", from, to, true), constraint) : pass("prefill", from, to, false)];
  }
}

export function* autoregressive(context: DecoderContext, options: AutoregressiveOptions): Decoder {
  const { canvas, stopIds, constraint } = context;
  const { promptLength } = canvas;
  const tokensPerSubmit = constraint ? 1 : options.tokensPerSubmit;
  const end = promptLength + options.maxNewTokens;
  yield* prefillCausal(context);
  let place = promptLength;
  while (place < end - 1 && canvas.stopIndex(stopIds) < 0) {
    if (constraint) {
      // Nothing came: nothing may.
      if (canvas.length === place) return;
      constraint.accept(canvas.tokens[place] as number);
    }
    const left = end - 1 - place;
    const ahead = place === promptLength && tokensPerSubmit > 1 ? 2 * tokensPerSubmit : tokensPerSubmit;
    const count = left < 2 * tokensPerSubmit ? Math.min(left, 2 * tokensPerSubmit - 1) : ahead;
    yield Array.from({ length: count }, (_, i) => restricted(pass("commit", place + i, place + i + 1, true), constraint));
    place += count;
  }
}
