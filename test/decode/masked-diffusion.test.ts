/** Masked diffusion and its caches, on the device: what each pass computes against the whole canvas computed at once. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Canvas } from "../../src/decode/canvas";
import type { PlannedPass } from "../../src/decode/decoder";
import type { Engine } from "../../src/model/engine";
import { GREEDY, type Row } from "../../src/model/pass";
import {
  cacheRows,
  canvasOf,
  DIFFERENT,
  decode,
  disposeEngines,
  follow,
  gap,
  gapsToWhole,
  golden,
  MASK,
  masked,
  NEVER,
  prompt,
  random,
  range,
  steps,
  TOLERANCE,
  toEnd,
  told,
  wholeLogits,
} from "../support/following";
import { GENERATION } from "../support/random-model";

let llada: Engine;
let lladaTwin: Engine;
beforeAll(async () => {
  llada = await golden("llada");
  lladaTwin = await golden("llada");
}, 120_000);
afterAll(disposeEngines);

describe("masked diffusion, attention over the whole canvas", () => {
  test("J1 with one layer, prefix and dual caches are exact in every pass", async () => {
    const one = { layers: 1, maskTokenId: 62, generation: GENERATION.masked };
    const [cached, reference] = [await random(one), await random(one)];
    for (const cache of ["prefix", "dual"] as const) {
      const canvas = new Canvas(
        prompt(9).map((id) => id % 60),
        9,
        62,
      );
      canvas.extend(25);
      const run = await follow(cached, masked(cache), canvas, { sampling: { ...GREEDY, suppress: [62, 63] } });
      expect(run.seen.filter(({ pass }) => pass.kind !== "full")).toHaveLength(6);
      expect(Math.max(...(await gapsToWhole(run, reference, toEnd)))).toBeLessThan(TOLERANCE);
    }
  });

  test.each(["prefix", "dual"] as const)(
    "J2, J3 cache %s: the first pass of a block is exact, the others are not",
    async (cache) => {
      const run = await follow(llada, masked(cache), canvasOf(9, 16));
      const gaps = await gapsToWhole(run, lladaTwin, toEnd);
      for (const [i, { pass }] of run.seen.entries()) {
        if (pass.kind === "full") expect(gaps[i], `pass ${i}`).toBeLessThan(TOLERANCE);
        else expect(gaps[i], `pass ${i}`).toBeGreaterThan(DIFFERENT);
      }
      expect(run.seen.map(({ pass }) => pass.kind).filter((kind) => kind === "full")).toHaveLength(2);
    },
  );

  test("J2 refreshed every pass, prefix and dual are no cache at all", async () => {
    const none = await decode(llada, masked("none"), canvasOf(9, 16));
    for (const cache of ["prefix", "dual"] as const) {
      expect(told(await decode(llada, masked(cache, { refresh: 1 }), canvasOf(9, 16)))).toEqual(told(none));
    }
  });

  test("J4 one block as long as the answer: dual is prefix, pass for pass", async () => {
    const over = { blockLength: 16, schedule: steps(5) };
    const [prefix, dual] = [
      await follow(llada, masked("prefix", over), canvasOf(9, 16)),
      await follow(lladaTwin, masked("dual", over), canvasOf(9, 16)),
    ];
    expect(dual.canvas.tokens).toEqual(prefix.canvas.tokens);
    expect(dual.seen).toHaveLength(5);
    for (const [i, { logits }] of dual.seen.entries()) expect(gap(logits, prefix.seen[i]?.logits ?? [])).toBeLessThan(TOLERANCE);
  });

  test("J8 logits depend on how long the canvas is", async () => {
    const first = async (genLength: number) => {
      const whole = await wholeLogits(llada, canvasOf(9, genLength).tokens, () => 1e9);
      return whole.subarray(0, 9 * llada.config.vocabSize);
    };
    expect(gap(await first(8), await first(16))).toBeGreaterThan(DIFFERENT);
  });

  test("J12 the prompt and what was given stay; no mask and no padding id comes out", async () => {
    const given = [...prompt(9), MASK, 5, MASK, MASK, 8, MASK, MASK, MASK, ...range(0, 8).map((i) => (i % 3 ? MASK : 40 + i))];
    for (const cache of ["none", "prefix", "dual"] as const) {
      const { canvas } = await decode(llada, masked(cache), new Canvas(given, 9, MASK));
      given.forEach((id, place) => {
        if (id === MASK) expect(NEVER).not.toContain(canvas.tokens[place]);
        else expect(canvas.tokens[place]).toBe(id);
      });
      expect(canvas.length).toBe(given.length);
    }
  });

  test("J29 dual cache: a block pass changes exactly the cache rows of its block", async () => {
    let before = await cacheRows(llada, 0, 40);
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      const now = await cacheRows(llada, 0, 40);
      const changed = range(0, 40).filter((slot) => gap(now[slot] ?? [], before[slot] ?? []) > 0);
      before = now;
      if (kind === "block") expect(changed).toEqual(rows.map(({ slot }) => slot));
      else expect(changed.every((slot) => slot < 25)).toBe(true);
    };
    // A full pass first writes all; the spy's logits come before `after` looks, so changes are seen from pass to pass.
    await follow(llada, masked("dual", { schedule: steps(2) }), canvasOf(9, 16), { after });
  });

  test("J29 prefix cache: a suffix pass leaves the rows before its block alone", async () => {
    let before: Float32Array[] = [];
    const after = async ({ kind, rows }: PlannedPass): Promise<void> => {
      const now = await cacheRows(llada, 0, 25);
      const start = (rows[0] as Row).slot;
      if (kind === "suffix") for (const slot of range(0, start)) expect(now[slot]).toEqual(before[slot]);
      before = now;
    };
    await follow(llada, masked("prefix", { schedule: steps(2) }), canvasOf(9, 16), { after });
  });
});
