/** What is refused of a constraint before any library is there, and why. */
import { expect, test } from "vitest";
import { checkOptions } from "../../../src/decode/check-options";
import type { GenerateOptions } from "../../../src/decode/options";

const check = (constraint: unknown, family: "ar" | "mdlm" | "block" = "ar", more: GenerateOptions = {}) =>
  checkOptions({ ...more, constraint } as GenerateOptions, family);

test.each([{ jsonSchema: {} }, { jsonSchema: '{"type":"object"}' }, { regex: "a+" }, { grammar: 'root ::= "a"' }])(
  "%o fits",
  (constraint) => {
    expect(() => check(constraint)).not.toThrow();
  },
);

test.each([
  ["a", /expected an object with one of jsonSchema, regex, grammar/],
  [null, /expected an object with one of/],
  [{}, /expected an object with one of/],
  [{ regex: "a", grammar: "b" }, /expected an object with one of/],
  [{ schema: {} }, /expected an object with one of/],
  [{ regex: "a", flags: "i" }, /expected an object with one of/],
  [{ regex: "" }, /regex: expected a text that is not empty/],
  [{ regex: 3 }, /regex: expected a text/],
  [{ regex: "(a" }, /regex: Invalid regular expression/],
  [{ regex: "[ab" }, /regex: Invalid regular expression/],
  [{ grammar: "" }, /grammar: expected a text/],
  [{ jsonSchema: "{nope" }, /jsonSchema: not JSON/],
  [{ jsonSchema: "3" }, /jsonSchema: expected a schema object, came 3/],
  [{ jsonSchema: [] }, /jsonSchema: expected a schema object/],
  [{ jsonSchema: null }, /jsonSchema: expected a schema object/],
])("%o is refused", (constraint, message) => {
  expect(() => check(constraint)).toThrow(
    expect.objectContaining({ code: "bad-option", message: expect.stringMatching(message) }),
  );
});

test.each(["mdlm", "block"] as const)("a model of family %s fills places in any order", (family) => {
  expect(() => check({ regex: "a" }, family)).toThrow(/constraint: does not apply to a model of family .*any order/);
});

test("not with drafts", () => {
  expect(() => check({ regex: "a" }, "ar", { speculate: { kind: "prompt-lookup" } })).toThrow(
    /constraint: not together with speculate/,
  );
});
