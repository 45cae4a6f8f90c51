/** Speculation without a device: what is copied, what is decided, what is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { autoregressive } from "../../../src/decode/autoregressive";
import { Canvas, NO_TOKEN } from "../../../src/decode/canvas";
import { lookup, promptLookup } from "../../../src/decode/prompt-lookup";
import { newTally, speculative } from "../../../src/decode/speculative";
import { drive, prompt, saying } from "./drive";

const rule = { most: 3, least: 1 };

describe("prompt lookup", () => {
  test.each([
    [[1, 2, 3, 4, 1, 2], 2, [3, 4]],
    [[1, 2, 3, 4, 1, 2], 9, [3, 4, 1, 2]],
    [[9, 2, 5, 1, 2, 6, 1, 2], 1, [6]],
    [[7, 8, 7, 8, 7, 8], 2, [7, 8]],
    [[1, 2, 3], 4, []],
    [[5], 4, []],
  ])("%j, %i at most: %j", (tokens, count, expected) => {
    expect(lookup(tokens, count, rule)).toEqual(expected);
  });

  test("a longer match goes before a later one; below the least length there is none", () => {
    expect(lookup([1, 2, 3, 9, 3, 8, 1, 2, 3], 1, rule)).toEqual([9]);
    expect(lookup([1, 2, 3, 9, 3, 8, 7, 3], 1, { most: 3, least: 2 })).toEqual([]);
  });

  test("what is copied followed the last tokens somewhere before", () => {
    const tokens = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(tokens, fc.integer({ min: 1, max: 8 }), (text, count) => {
        const copied = lookup(text, count, rule);
        expect(copied.length).toBeLessThanOrEqual(count);
        if (copied.length === 0) {
          expect(text.slice(0, -1)).not.toContain(text.at(-1));
          return;
        }
        const followed = [text.at(-1), ...copied].join();
        expect(`,${text.join()},`).toContain(`,${followed},`);
      }),
    );
  });
});

describe("speculative decoding on a symbolic model", () => {
  const P = 7;
  const plain = (stopIds: readonly number[] = []) =>
    drive((context) => autoregressive(context, { maxNewTokens: 20, tokensPerSubmit: 1 }), new Canvas(prompt(P), P, NO_TOKEN), {
      stopIds,
      model: saying(new Map()),
    });

  test("whatever is drafted, the tokens are those of plain decoding", async () => {
    const whole = (await plain()).canvas.tokens;
    const drafts = fc.array(fc.array(fc.boolean(), { maxLength: 6 }), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(drafts, fc.integer({ min: 1, max: 6 }), async (rights, draftTokens) => {
        const canvas = new Canvas(prompt(P), P, NO_TOKEN);
        const tally = newTally();
        let turn = 0;
        // Each turn drafts tokens that are right or wrong as told.
        const drafter = function* (count: number) {
          const right = rights[turn++ % rights.length] ?? [];
          return right
            .slice(0, count)
            .map((is, i) => (is ? (whole[canvas.length + i] as number) : ((whole[canvas.length + i] as number) + 1) % 199));
        };
        const run = await drive((context) => speculative(context, { maxNewTokens: 20, draftTokens, drafter, tally }), canvas, {
          model: saying(new Map()),
        });
        expect(run.canvas.tokens).toEqual(whole);
        expect(run.forwards.filter(({ kind }) => kind !== "prefill")).toHaveLength(19 - tally.accepted);
      }),
      { numRuns: 60 },
    );
  });

  test("an accepted stop id ends the answer, drafts behind it are nothing", async () => {
    const whole = (await plain()).canvas.tokens;
    const stop = whole[P + 9] as number;
    const canvas = new Canvas(prompt(P), P, NO_TOKEN);
    // biome-ignore lint/correctness/useYield: a drafter may run passes, this one has none to run
    const drafter = function* (count: number) {
      return whole.slice(canvas.length, canvas.length + count);
    };
    const run = await drive(
      (context) => speculative(context, { maxNewTokens: 20, draftTokens: 6, drafter, tally: newTally() }),
      canvas,
      { stopIds: [stop], model: saying(new Map()) },
    );
    expect(run.canvas.tokens).toEqual(whole.slice(0, whole.indexOf(stop, P) + 1));
    expect(promptLookup(canvas, rule)(3).next().done).toBe(true);
  });
});
