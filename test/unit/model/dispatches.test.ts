/** Dispatches of a layer: a token of an autoregressive model takes at most seven, a pass of a diffusion model eight, on every kind of device. */
import { describe, expect, test } from "vitest";
import { MODEL_PRESETS } from "../../../src/measure/presets";
import type { ModelConfig } from "../../../src/model/config";
import type { Row } from "../../../src/model/pass";
import { PROFILES } from "../../support/profiles";
import { recordingEngine } from "../../support/recording-engine";

const LAYERS = 3;
const config: ModelConfig = {
  ...MODEL_PRESETS["llama-3-8b"],
  hiddenSize: 576,
  intermediateSize: 1536,
  numHiddenLayers: LAYERS,
  numAttentionHeads: 9,
  numKeyValueHeads: 3,
  headDim: 64,
  vocabSize: 1000,
};
const formats = { embed: "q8", layers: "q4", head: "q8" } as const;

const rowsOf = (count: number, limit: (place: number) => number): Row[] =>
  Array.from({ length: count }, (_, place) => ({
    place,
    position: place,
    slot: place,
    start: 0,
    limit: limit(place),
    goal: place,
  }));

/** Roles of the dispatches of one layer, in order, after having seen that all layers are alike. */
async function layerOf(profile: keyof typeof PROFILES, rows: readonly Row[]): Promise<string[]> {
  const engine = await recordingEngine(PROFILES[profile], config, { formats, contextLength: 2048 });
  const dispatches = engine.record({ rows, reveal: { rule: "all" } });
  const roles = (layer: number) => dispatches.filter((d) => d.layer === layer).map(({ role }) => role);
  for (let layer = 1; layer < LAYERS; layer++) expect(roles(layer)).toEqual(roles(0));
  return roles(0);
}

describe.each(Object.keys(PROFILES) as (keyof typeof PROFILES)[])("%s", (profile) => {
  test("a token behind a short context and behind a long one", async () => {
    for (const visible of [10, 2000]) {
      const roles = await layerOf(
        profile,
        rowsOf(1, () => visible),
      );
      expect(roles.length, `${visible} keys: ${roles}`).toBeLessThanOrEqual(7);
      // The norms are part of what they feed, and the gate of what it gates.
      expect(roles.filter((role) => role.includes("norm") || role === "swiglu")).toEqual([]);
    }
  });

  test("a prompt, and blocks of a diffusion model", async () => {
    for (const count of [8, 32, 128, 512]) {
      const causal = await layerOf(
        profile,
        rowsOf(count, (place) => place + 1),
      );
      expect(causal.length, `${count} causal rows: ${causal}`).toBeLessThanOrEqual(8);
      const whole = await layerOf(
        profile,
        rowsOf(count, () => 512),
      );
      expect(whole.length, `${count} rows: ${whole}`).toBeLessThanOrEqual(8);
    }
  });
});
