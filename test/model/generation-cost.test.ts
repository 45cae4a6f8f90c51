/** Generations of loaded models cost what the closed forms say: one of each family, on this device. The many cases are a test without one. */
import { expect, test } from "vitest";
import { generationCost } from "../../src/measure/cost-model";
import { engineLayout } from "../../src/measure/layout";
import { caseOf, counted, MASK } from "../support/generations";
import { loadRandom } from "../support/random-model";

// An autoregressive, a masked and a block diffusion model, in three weight formats.
const CASES = [0, 3, 6].map((index) => ({ index, ...caseOf(index) }));

test.each(CASES)("$family, $format", async (one) => {
  const { workload, size, format, suppressed, filtered } = one;
  const stride = workload.promptLength + workload.genLength + 16;
  const contextLength = Math.max(64, stride * workload.batch);
  const model = await loadRandom({ ...size, contextLength: 4096, maskTokenId: MASK }, { quantize: format, contextLength });
  const { engine, config, quantization } = model;
  expect(quantization).toBe(format);
  const formats = { embed: format, layers: format, head: format };
  const layout = engineLayout(engine.gpu.profile, config, { formats, contextLength });
  const { phases } = generationCost(config, layout, workload, { suppressed, filtered });
  const recorded = counted(engine, one, stride);
  engine.dispose();
  const closed = Object.entries(phases).map(([name, { forwards, flops, bytes, dispatches }]) => [
    name,
    { forwards, flops, bytes, dispatches },
  ]);
  expect(Object.fromEntries(closed)).toEqual(recorded);
});
