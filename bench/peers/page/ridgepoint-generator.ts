/** This project end to end, through its public interface. */
import { ensure, RidgepointError } from "../../../src/errors";
import type { Model } from "../../../src/index";
import type { Generator } from "./generator";

/** Takes the model over. */
export function ridgepointGenerator(model: Model): Generator {
  return {
    engine: "ridgepoint",
    name: `WebGPU, ${model.info.quantization}`,
    cpu: null,
    continue: async ({ ids }, tokens) => {
      const result = await model.generate({ ids: [...ids] }, { maxNewTokens: tokens, ignoreEos: true }).result;
      const { timings, usage, text } = result;
      ensure(result.ids.length === tokens, "context-overflow", () => `expected ${tokens} tokens, came ${result.ids.length}`);
      const restNs = timings.wallNs - timings.ttftNs;
      return { promptTokens: usage.promptTokens, firstNs: timings.ttftNs, restNs, ids: result.ids, text };
    },
    close: () => model.dispose(),
  };
}

/** The model's tokenizer. */
export function tokenizerOf({ tokenizer }: Model): NonNullable<Model["tokenizer"]> {
  if (!tokenizer)
    throw new RidgepointError("no-tokenizer", "--gguf: the file has no tokenizer, which prompts need; take a whole model");
  return tokenizer;
}
