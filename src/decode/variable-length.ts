/** An answer of no given length: a canvas that grows by a block for as long as what is on it holds no stop id. Goes round a diffusion decoder. */
import type { Decoder, DecoderContext } from "./decoder";

export interface VariableLengthOptions {
  /** Decodes every mask on the canvas as it stands; blocks without masks cost it nothing. */
  readonly decoder: (context: DecoderContext) => Decoder;
  readonly blockLength: number;
  /** Longest answer. */
  readonly most: number;
}

/**
 * A bidirectional model sees no more masks than there are places so far: each block is decoded as if the answer ended with it, so the text is that of one
 * run a block, each with all the text before it as its prompt.
 */
export function* variableLength(context: DecoderContext, { decoder, blockLength, most }: VariableLengthOptions): Decoder {
  const { canvas, stopIds } = context;
  const end = canvas.promptLength + most;
  for (;;) {
    yield* decoder(context);
    if (canvas.stopIndex(stopIds) >= 0 || canvas.length >= end) return;
    canvas.extend(Math.min(canvas.length + blockLength, end));
  }
}
