import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RidgepointError } from "../../../src/errors";
import type { Checkpoint } from "../../../src/formats/tensor";
import { preTokenizer } from "../../../src/text/pre-tokenizers";
import { createTokenizer } from "../../../src/text/tokenizer";
import { checkpoint, MULTILINGUAL, shipped, smollm2Metadata, tinyMetadata } from "./checkpoints";

function errorOf(act: () => unknown): RidgepointError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(RidgepointError);
    return error as RidgepointError;
  }
  throw new Error("nothing was thrown");
}

describe("GGUF metadata", () => {
  const tokenizer = createTokenizer(checkpoint({ metadata: smollm2Metadata() }));

  test("SmolLM2: 260 texts give llama.cpp's ids", () => {
    const golden = new URL("../../goldens/smollm2-tokens.json", import.meta.url);
    const cases: { text: string; ids: number[] }[] = JSON.parse(readFileSync(golden, "utf8"));
    expect(cases).toHaveLength(260);
    for (const { text, ids } of cases) expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
  });

  test("special tokens, sizes, template", () => {
    expect(tokenizer.vocabSize).toBe(49152);
    expect([tokenizer.bosTokenId, tokenizer.eosTokenId, tokenizer.padTokenId, tokenizer.maskTokenId]).toEqual([1, 2, 2, null]);
    expect(tokenizer.specialIds.size).toBe(17);
    expect(tokenizer.encode("<|im_start|>user")).toEqual([1, 4093]);
    expect(tokenizer.decode([1, 4093], { skipSpecialTokens: true })).toBe("user");
    expect(tokenizer.chatTemplate).toContain("<|im_start|>");
  });

  test("texts come back", () => {
    for (const text of MULTILINGUAL) expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  test("add_bos_token puts BOS before text, not before a rendered chat", () => {
    const metadata = smollm2Metadata().set("tokenizer.ggml.add_bos_token", true);
    const withBos = createTokenizer(checkpoint({ metadata }));
    expect(withBos.encode(" a")).toEqual([1, 253]);
    expect(withBos.encode(" a", { addSpecialTokens: false })).toEqual([253]);
  });

  test("the tiny vocabulary gives the same ids as its tokenizer.json", () => {
    const fromJson = createTokenizer(shipped("ar"));
    const fromMetadata = createTokenizer(checkpoint({ metadata: tinyMetadata() }));
    const letters = fc.string({ unit: fc.constantFrom(...'aehinorst THEM.,?!+-*/=#0123456789\n"é日😀'), maxLength: 40 });
    fc.assert(
      fc.property(letters, (text) => {
        expect(fromMetadata.encode(text)).toEqual(fromJson.encode(text));
      }),
    );
  });

  test("a user-defined token is found in text, kept by skipSpecialTokens", () => {
    const metadata = tinyMetadata();
    (metadata.get("tokenizer.ggml.token_type") as number[])[2] = 4;
    const custom = createTokenizer(checkpoint({ metadata }));
    expect(custom.encode("<|user|>a")[0]).toBe(2);
    expect(custom.specialIds.has(2)).toBe(false);
    expect(custom.decode([2, 0], { skipSpecialTokens: true })).toBe("<|user|>");
  });

  test("a token named like a prototype's property is an ordinary one", () => {
    const metadata = tinyMetadata();
    (metadata.get("tokenizer.ggml.tokens") as string[]).push("__proto__", "constructor");
    (metadata.get("tokenizer.ggml.token_type") as number[]).push(4, 4);
    const odd = createTokenizer(checkpoint({ metadata }));
    expect(odd.encode("__proto__constructor")).toEqual([768, 769]);
    expect(odd.decode([768, 769])).toBe("__proto__constructor");
  });

  const broken: [string, Map<string, unknown>, RegExp][] = [
    ["sentencepiece", tinyMetadata().set("tokenizer.ggml.model", "llama"), /"llama" is not supported/],
    [
      "unknown pre",
      tinyMetadata().set("tokenizer.ggml.pre", "martian"),
      /"martian" is not supported; known are gpt-2.*smollm.*qwen2/,
    ],
    ["no tokens", tinyMetadata().set("tokenizer.ggml.tokens", undefined), /tokens: expected an array/],
    ["tokens that are no strings", tinyMetadata().set("tokenizer.ggml.tokens", [1, 2]), /tokens: expected an array of strings/],
    ["a merge of one half", tinyMetadata().set("tokenizer.ggml.merges", ["h e", "he"]), /merges\[1\]/],
    ["token_type too short", tinyMetadata().set("tokenizer.ggml.token_type", [1]), /token_type: expected 768/],
    ["eos outside", tinyMetadata().set("tokenizer.ggml.eos_token_id", 768), /eos_token_id: 768/],
  ];
  test.each(broken)("bad-tokenizer: %s", (_, metadata, message) => {
    const error = errorOf(() => createTokenizer(checkpoint({ metadata })));
    expect(error.code).toBe("bad-tokenizer");
    expect(error.message).toMatch(message);
  });
});

describe("pre-tokenizers", () => {
  function split(name: string, text: string): string[] {
    let pieces = [text];
    for (const pattern of preTokenizer(name).patterns) {
      pieces = pieces.flatMap((piece) => {
        const parts: string[] = [];
        let end = 0;
        for (const match of piece.matchAll(new RegExp(pattern, "gu"))) {
          parts.push(piece.slice(end, match.index), match[0]);
          end = match.index + match[0].length;
        }
        return [...parts, piece.slice(end)].filter((part) => part !== "");
      });
    }
    return pieces;
  }

  const text = "I'LL  say: it's 12345\n\n ok";
  const table: [string, string[]][] = [
    ["gpt-2", ["I", "'", "LL", " ", " say", ":", " it", "'s", " 12345", "\n\n", " ok"]],
    ["smollm", ["I", "'", "LL", " ", " say", ":", " it", "'s", " ", "1", "2", "3", "4", "5", "\n\n", " ok"]],
    ["qwen2", ["I", "'LL", " ", " say", ":", " it", "'s", " ", "1", "2", "3", "4", "5", "\n\n", " ok"]],
    ["llama-bpe", ["I", "'LL", " ", " say", ":", " it", "'s", " ", "123", "45", "\n\n", " ok"]],
    ["default", ["I", "'", "LL", " ", " say", ":", " it", "'", "s", " ", "123", "45", "\n\n", " ok"]],
  ];
  test.each(table)("%s", (name, pieces) => expect(split(name, text)).toEqual(pieces));

  test("other names of the same split", () => {
    expect(preTokenizer("llama-v3")).toBe(preTokenizer("llama-bpe"));
    for (const name of ["dream", "llada"]) expect(preTokenizer(name)).toBe(preTokenizer("qwen2"));
    expect(preTokenizer("llama3")).toMatchObject({ ignoreMerges: true, addBos: true });
  });
});

describe("tokenizer.json", () => {
  const tokenizer = createTokenizer(shipped("mdlm"));

  test("prompt markers, digits, specials", () => {
    const ids = tokenizer.encode("<|user|>Mia has 12 apples.<|assistant|>");
    expect(ids[0]).toBe(2);
    expect(ids.at(-1)).toBe(3);
    expect(ids.map((id) => tokenizer.piece(id))).toEqual([
      ...["<|user|>", "Mia", " has", " ", "1", "2", " apples", ".", "<|assistant|>"],
    ]);
    expect(tokenizer.vocabSize).toBe(768);
    expect([tokenizer.bosTokenId, tokenizer.eosTokenId, tokenizer.padTokenId, tokenizer.maskTokenId]).toEqual([null, 0, 0, 1]);
    expect([...tokenizer.specialIds]).toEqual([0, 1, 2, 3]);
  });

  test("it goes before GGUF metadata; the template of the GGUF is used where there is no other", () => {
    const sidecars = new Map([["tokenizer.json", shipped("ar").sidecars.get("tokenizer.json")!]]);
    const both = createTokenizer(checkpoint({ sidecars, metadata: smollm2Metadata() }));
    expect(both.vocabSize).toBe(768);
    expect(both.chatTemplate).toContain("<|im_start|>");
    sidecars.set("chat_template.jinja", "{{ messages[0].content }}");
    expect(createTokenizer(checkpoint({ sidecars })).chatTemplate).toBe("{{ messages[0].content }}");
  });

  test("a template out of several", () => {
    const chat_template = [
      { name: "tool_use", template: "T" },
      { name: "default", template: "D" },
    ];
    const sidecars = new Map([...shipped("ar").sidecars, ["tokenizer_config.json", JSON.stringify({ chat_template })]]);
    expect(createTokenizer(checkpoint({ sidecars })).chatTemplate).toBe("D");
  });

  test("a padding row gives no text, and a piece that says so", () => {
    const a = tokenizer.encode("a");
    expect(tokenizer.decode([800, ...a, 800])).toBe("a");
    expect(tokenizer.piece(800)).toBe("<800>");
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.encode("")).toEqual([]);
  });

  test("half a character has a readable piece", () => {
    expect(tokenizer.encode("日").map((id) => tokenizer.piece(id))).toEqual(["<0xE6>", "<0x97>", "<0xA5>"]);
  });

  const broken: [string, Checkpoint, string, RegExp][] = [
    ["nothing", checkpoint({}), "no-tokenizer", /no tokenizer\.json.*token ids/],
    ["no JSON", checkpoint({ sidecars: new Map([["tokenizer.json", "{"]]) }), "bad-tokenizer", /tokenizer\.json: not JSON/],
    ["an array", checkpoint({ sidecars: new Map([["tokenizer.json", "[]"]]) }), "bad-tokenizer", /expected an object/],
    ["empty", checkpoint({ sidecars: new Map([["tokenizer.json", "{}"]]) }), "bad-tokenizer", /tokenizer\.json:/],
    [
      "an unknown model",
      checkpoint({ sidecars: new Map([["tokenizer.json", '{"model":{"type":"Telepathy"}}']]) }),
      "bad-tokenizer",
      /Telepathy/,
    ],
    [
      "an empty vocabulary",
      checkpoint({ sidecars: new Map([["tokenizer.json", '{"model":{"type":"BPE","vocab":{},"merges":[]}}']]) }),
      "bad-tokenizer",
      /empty/,
    ],
  ];
  test.each(broken)("%s", (_, source, code, message) => {
    const error = errorOf(() => createTokenizer(source));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});
