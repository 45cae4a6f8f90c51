/** A case whose parameters are options of `generate`, made ready: what an option does is then compared pass by pass, from the option on. */
import { ensure } from "../errors";
import type { Family } from "../model/config";
import type { Engine } from "../model/engine";
import type { Canvas } from "./canvas";
import type { Decoder, DecoderContext } from "./decoder";
import type { GenerateOptions } from "./options";
import { resolve } from "./resolve";

/** A case made ready: its decoder, its canvas, and where the output is cut. */
export interface Prepared {
  readonly decoder: (context: DecoderContext) => Decoder;
  readonly canvas: Canvas;
  readonly stopIds: ReadonlySet<number>;
  readonly outputLength: number;
}

/** Parameters: the family that the weights are taken for, the model's block length and shift, and the options. */
interface OptionsCase {
  readonly params: Readonly<Record<string, unknown>>;
  readonly mask_id: number | null;
  readonly prompt: readonly number[];
  readonly canvas?: readonly number[];
}

const FAMILIES: readonly unknown[] = ["ar", "mdlm", "block"] satisfies Family[];

export function prepareOptions(engine: Engine, { params, mask_id, prompt, canvas }: OptionsCase): Prepared {
  const { family, block_length: blockLength = null, shift = false, options } = params;
  ensure(FAMILIES.includes(family), "bad-option", () => `replay: params.family: expected ${FAMILIES.join(", ")}, came ${family}`);
  ensure(typeof options === "object" && options, "bad-option", "replay: params.options: expected options of generate");
  const config = {
    ...engine.config,
    family: family as Family,
    blockLength: blockLength as number | null,
    shift: shift === true,
    maskTokenId: mask_id,
    eosTokenIds: [],
  };
  const tokens = canvas?.map((id, place) => (place >= prompt.length && id === mask_id ? null : id)) ?? prompt;
  const context = { config, contextLength: engine.slots, maxRows: engine.maxRows, usedVocabSize: config.vocabSize };
  const resolved = resolve(tokens, options as GenerateOptions, context);
  return { ...resolved, outputLength: resolved.answerLength };
}
