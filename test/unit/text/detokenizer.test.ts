import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StreamDetokenizer, textOfCanvas } from "../../../src/text/detokenizer";
import { createTokenizer, type Tokenizer } from "../../../src/text/tokenizer";
import { checkpoint, MULTILINGUAL, shipped, smollm2Metadata } from "./checkpoints";

/** A decoder in SentencePiece's manner: a leading space is dropped, `<0x..>` pieces join to characters. */
const sentencePiece: Tokenizer = (() => {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const pieces = ["<s>", ...bytes, "▁", "▁Hello", "▁world", "ing", ",", "日"];
  const vocab = Object.fromEntries(pieces.map((piece, id) => [piece, id]));
  const json = {
    added_tokens: [{ id: 0, content: "<s>", special: true }],
    model: { type: "BPE", vocab, merges: [], byte_fallback: true },
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
  };
  return createTokenizer(checkpoint({ sidecars: new Map([["tokenizer.json", JSON.stringify(json)]]) }));
})();

const tokenizers: [string, Tokenizer][] = [
  ["tiny", createTokenizer(shipped("ar"))],
  ["SmolLM2", createTokenizer(checkpoint({ metadata: smollm2Metadata() }))],
  ["SentencePiece", sentencePiece],
];

/** Pushes `ids` in chunks of the given sizes; returns the deltas, finish included. */
function stream(tokenizer: Tokenizer, ids: readonly number[], sizes: readonly number[], skipSpecialTokens: boolean): string[] {
  const detokenizer = new StreamDetokenizer(tokenizer, { skipSpecialTokens });
  const deltas: string[] = [];
  for (let start = 0, i = 0; start < ids.length; start += sizes[i++ % sizes.length]!) {
    deltas.push(detokenizer.push(ids.slice(start, start + sizes[i % sizes.length]!)));
  }
  return [...deltas, detokenizer.finish()];
}

const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });
const unicode = fc
  .array(fc.oneof(fc.constantFrom(...MULTILINGUAL), fc.string({ unit: "grapheme", maxLength: 12 })), { maxLength: 4 })
  .map((parts) => parts.join(""))
  .filter((text) => !text.includes("\uFFFD"));

test("text in any script comes back, whole characters in every delta", () => {
  const [, tokenizer] = tokenizers[0]!;
  fc.assert(
    fc.property(unicode, sizes, (text, chunks) => {
      const deltas = stream(tokenizer, tokenizer.encode(text), chunks, true);
      expect(deltas.join("")).toBe(text);
      expect(deltas.join("|")).not.toMatch(/\uFFFD|\p{Surrogate}/u);
    }),
  );
});

describe.each(tokenizers)("%s", (_, tokenizer) => {
  test("any ids: the deltas are the decoded text", () => {
    const ids = fc.array(fc.integer({ min: 0, max: tokenizer.vocabSize + 2 }), { maxLength: 60 });
    fc.assert(
      fc.property(ids, sizes, fc.boolean(), (all, chunks, skipSpecialTokens) => {
        expect(stream(tokenizer, all, chunks, skipSpecialTokens).join("")).toBe(tokenizer.decode(all, { skipSpecialTokens }));
      }),
      { numRuns: 300 },
    );
  });
});

test("the ends of a split character wait for one another", () => {
  const tokenizer = createTokenizer(shipped("ar"));
  const detokenizer = new StreamDetokenizer(tokenizer);
  const ids = tokenizer.encode("a日b");
  expect(ids.map((id) => detokenizer.push([id]))).toEqual(["a", "", "", "日", "b"]);
  expect(detokenizer.finish()).toBe("");
});

test("bytes that never become a character end as U+FFFD", () => {
  const tokenizer = createTokenizer(shipped("ar"));
  const detokenizer = new StreamDetokenizer(tokenizer);
  expect(detokenizer.push(tokenizer.encode("a日").slice(0, 2))).toBe("a");
  expect(detokenizer.finish()).toBe("\uFFFD");
  expect(detokenizer.push(tokenizer.encode("b"))).toBe("b");
});

test("a long stream decodes only its window", () => {
  const tokenizer = createTokenizer(shipped("ar"));
  let longest = 0;
  const spy: Tokenizer = Object.assign(Object.create(tokenizer), {
    decode: (ids: readonly number[], options: object) => {
      longest = Math.max(longest, ids.length);
      return tokenizer.decode(ids, options);
    },
  });
  const ids = tokenizer.encode("Hugo reads 38 pages. 日本 ".repeat(40));
  expect(new StreamDetokenizer(spy).push(ids)).toBe(tokenizer.decode(ids));
  expect(longest).toBeLessThan(16);
});

test("the text of a canvas ends at its first mask", () => {
  const tokenizer = createTokenizer(shipped("mdlm"));
  const [a, b] = [tokenizer.encode("So 12"), tokenizer.encode(" pages.")];
  expect(textOfCanvas(tokenizer, [...a, 1, ...b], 1)).toBe("So 12");
  expect(textOfCanvas(tokenizer, [...a, ...b, 0, 0], 1)).toBe("So 12 pages.");
  expect(textOfCanvas(tokenizer, [1, ...a], 1)).toBe("");
  expect(textOfCanvas(tokenizer, [...tokenizer.encode("a日").slice(0, 2), 1], 1)).toBe("a");
});
