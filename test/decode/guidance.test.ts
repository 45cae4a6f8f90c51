/** Classifier-free guidance, on the device. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Canvas } from "../../src/decode/canvas";
import { type Forwarded, runDecoder } from "../../src/decode/runner";
import type { Engine } from "../../src/model/engine";
import { canvasOf, decode, disposeEngines, golden, ids, MASK, masked, prompt, range, SAMPLING, told } from "../support/following";

let llada: Engine;
beforeAll(async () => {
  llada = await golden("llada");
}, 120_000);
afterAll(disposeEngines);

describe("J19 classifier-free guidance", () => {
  test("scale 0 is off; any other takes two forwards a pass and changes the answer", async () => {
    const off = await decode(llada, masked("none"), canvasOf(9, 16));
    const guided = async (guidance: number) => {
      const canvas = canvasOf(9, 16);
      const forwards: Forwarded[] = [];
      const decoder = masked("none", { guidance })({ canvas, stopIds: new Set(), maxRows: llada.maxRows });
      const options = { canvas, sampling: SAMPLING, stopIds: new Set<number>(), guided: guidance > 0 };
      for await (const step of runDecoder(llada, decoder, options)) forwards.push(...step.forwards);
      return { canvas, forwards };
    };
    expect(told(await guided(0))).toEqual(told(off));
    const on = await guided(1.5);
    expect(on.forwards.map(({ forwards }) => forwards)).toEqual(off.forwards.map(() => 2));
    expect(on.canvas.tokens).not.toEqual(off.canvas.tokens);
    expect(on.canvas.tokens.slice(0, 9)).toEqual(prompt(9));
  });

  test("a prompt that is all masks: both halves are one, and guidance changes nothing", async () => {
    // Known tokens in between, so that places are told apart by more than rounding.
    const blank = () =>
      new Canvas([...new Array<number>(4).fill(MASK), ...range(0, 16).map((i) => (i % 2 ? 11 * i : MASK))], 4, MASK);
    const off = await decode(llada, masked("none"), blank());
    const canvas = blank();
    const forwards: Forwarded[] = [];
    const decoder = masked("none", { guidance: 2 })({ canvas, stopIds: new Set(), maxRows: llada.maxRows });
    for await (const step of runDecoder(llada, decoder, { canvas, sampling: SAMPLING, stopIds: new Set(), guided: true }))
      forwards.push(...step.forwards);
    expect(ids({ forwards })).toEqual(ids(off));
  });
});
