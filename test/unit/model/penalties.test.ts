/** What penalties cost a forward: listed with its dispatches, from the pasts of its rows. */
import { expect, test } from "vitest";
import { MODEL_PRESETS } from "../../../src/measure/presets";
import { GREEDY, type Pass } from "../../../src/model/pass";
import { PROFILES } from "../../support/profiles";
import { recordingEngine } from "../../support/recording-engine";

const CONFIG = {
  ...MODEL_PRESETS["llama-3-8b"],
  numHiddenLayers: 1,
  hiddenSize: 64,
  intermediateSize: 64,
  headDim: 32,
  vocabSize: 100,
};
const PLAIN = { ...CONFIG, numAttentionHeads: 2, numKeyValueHeads: 1 };

test("every place of a row's past is compared with every other, every token's logit changed", async () => {
  const formats = { embed: "f32", layers: "f32", head: "f32" } as const;
  const engine = await recordingEngine(PROFILES.bareCpu, PLAIN, { formats, contextLength: 64 });
  const row = (place: number, goal: number | null, length: number) => {
    const past = { start: 2, answer: 3, limit: 2 + length };
    return { place, position: place, slot: place, start: 0, limit: place + 1, goal, past };
  };
  // The second row answers nothing: nothing is counted for it.
  const pass: Pass = { rows: [row(9, 10, 7), row(10, null, 50), row(11, 12, 9)], reveal: { rule: "all" } };
  const penalties = { repetition: 1.1, presence: 0, frequency: 0 };
  const listed = engine.record(pass, { ...GREEDY, penalties }).filter(({ kernel }) => kernel === "penalize");
  expect(listed.map(({ flops, bytes, loads }) => [flops, bytes, loads])).toEqual([[4 * 16, 12 * 16, 2 * 16 + 7 * 7 + 9 * 9]]);
  expect(engine.record(pass).some(({ kernel }) => kernel === "penalize")).toBe(false);
});
