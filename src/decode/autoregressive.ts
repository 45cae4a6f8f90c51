/** Autoregressive decoding with a KV cache: prefill, then one row a token. Row i answers place i + 1. The last token is never forwarded. */
import { type Decoder, type DecoderContext, type PlannedPass, rowsOf } from "./decoder";

export interface AutoregressiveOptions {
  readonly maxNewTokens: number;
  /** Tokens decoded in one submit once streaming has begun: each feeds the next on the device. */
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

/** Keeps the prompt's keys and values, in passes that fit; the last row makes the first token. */
export function* prefillCausal({ canvas: { promptLength }, maxRows }: Pick<DecoderContext, "canvas" | "maxRows">): Decoder {
  for (let from = 0; from < promptLength; from += maxRows) {
    const to = Math.min(from + maxRows, promptLength);
    yield [pass("prefill", from, to, to === promptLength)];
  }
}

export function* autoregressive(context: DecoderContext, options: AutoregressiveOptions): Decoder {
  const { canvas, stopIds } = context;
  const { promptLength } = canvas;
  const end = promptLength + options.maxNewTokens;
  yield* prefillCausal(context);
  let place = promptLength;
  while (place < end - 1 && canvas.stopIndex(stopIds) < 0) {
    const ahead = place === promptLength ? 1 : options.tokensPerSubmit;
    const count = Math.min(ahead, end - 1 - place);
    yield Array.from({ length: count }, (_, i) => pass("commit", place + i, place + i + 1, true));
    place += count;
  }
}
