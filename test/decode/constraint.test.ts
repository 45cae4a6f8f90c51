/** Constrained answers: whatever a model would say, what comes out fits the schema, the expression or the grammar; what cannot be is refused with a reason. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Constraint, type GenerateOptions, loadModel, type Model } from "../../src/index";
import { testGpu } from "../support/goldens";

const PROMPT = "Ben has 12 apples and buys 30 more. How many apples does Ben have?";
let ar: Model;
beforeAll(async () => {
  ar = await loadModel("builtin:ar", { gpu: await testGpu(), builtinBase: new URL("/models/", location.href).href });
}, 180_000);
afterAll(() => ar.dispose());

const answer = (constraint: Constraint, options: GenerateOptions = {}) =>
  ar.generate(PROMPT, { maxNewTokens: 120, constraint, ...options }).result;

type Schema = Readonly<Record<string, unknown>>;

/** Schemas of finite documents, so that every answer ends. */
const leaf: fc.Arbitrary<Schema> = fc.oneof(
  fc.constant({ type: "boolean" }),
  fc.constant({ type: "null" }),
  fc.record({
    type: fc.constant("integer"),
    minimum: fc.integer({ min: 0, max: 20 }),
    maximum: fc.integer({ min: 21, max: 999 }),
  }),
  fc.record({ type: fc.constant("string"), maxLength: fc.integer({ min: 1, max: 6 }) }),
  fc.uniqueArray(fc.constantFrom("red", "green", 'a "b"', "ä", "x y"), { minLength: 1 }).map((names) => ({ enum: names })),
);
const list = fc.tuple(leaf, fc.integer({ min: 1, max: 3 })).map(([items, maxItems]) => ({ type: "array", items, maxItems }));
const document = fc
  .uniqueArray(fc.tuple(fc.constantFrom("a", "name", "n 1", "ö"), fc.oneof(leaf, list)), {
    minLength: 1,
    maxLength: 3,
    selector: ([key]) => key,
  })
  .map((pairs) => ({
    type: "object",
    properties: Object.fromEntries(pairs),
    required: pairs.map(([key]) => key),
    additionalProperties: false,
  }));

/** Why a value does not fit; null where it does. Of JSON Schema only what the schemas above use. */
function fault(value: unknown, schema: Schema, at = "$"): string | null {
  const { type, properties, items } = schema as { type?: string; properties?: Record<string, Schema>; items?: Schema };
  const limit = (name: string, otherwise: number): number => (schema[name] as number | undefined) ?? otherwise;
  if (schema.enum) return (schema.enum as unknown[]).includes(value) ? null : `${at}: not in the list`;
  if (type === "object") {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return `${at}: no object`;
    const names = Object.keys(properties ?? {});
    if (Object.keys(value).toSorted().join() !== names.toSorted().join()) return `${at}: names ${Object.keys(value)}`;
    const held = value as Record<string, unknown>;
    return names.map((name) => fault(held[name], properties![name]!, `${at}.${name}`)).find((found) => found !== null) ?? null;
  }
  if (type === "array") {
    if (!Array.isArray(value) || value.length > limit("maxItems", 0)) return `${at}: no list of at most ${schema.maxItems}`;
    return value.map((item, i) => fault(item, items!, `${at}[${i}]`)).find((found) => found !== null) ?? null;
  }
  if (type === "integer")
    return Number.isInteger(value) && (value as number) >= limit("minimum", 0) && (value as number) <= limit("maximum", 0)
      ? null
      : `${at}: ${value}`;
  if (type === "string")
    return typeof value === "string" && [...value].length <= limit("maxLength", 0) ? null : `${at}: ${value}`;
  if (type === "null") return value === null ? null : `${at}: ${value}`;
  return typeof value === type ? null : `${at}: ${value}`;
}

describe("every answer parses and fits", () => {
  test("random schemas, drawn at temperature 1.5", async () => {
    await fc.assert(
      fc.asyncProperty(document, fc.nat(1e6), async (jsonSchema, seed) => {
        const { text, finishReason } = await answer({ jsonSchema }, { temperature: 1.5, seed });
        expect(finishReason, text).toBe("stop");
        expect(fault(JSON.parse(text), jsonSchema), text).toBeNull();
      }),
      { numRuns: 12, seed: 5, endOnFailure: true },
    );
  }, 120_000);

  test("a schema as text is the schema", async () => {
    const jsonSchema = {
      type: "object",
      properties: { apples: { type: "integer", minimum: 0, maximum: 99 } },
      required: ["apples"],
    };
    const [one, other] = await Promise.all([answer({ jsonSchema }), answer({ jsonSchema: JSON.stringify(jsonSchema) })]);
    expect(JSON.parse(one.text)).toEqual({ apples: expect.any(Number) });
    expect(other.ids).toEqual(one.ids);
  });

  test.each(["(ab|c){1,3}-[0-9]{1,2}", "[A-Z][a-z]{0,8}\\.", "#### \\d{1,3}", "ä|ö|\\u{1F600}"])("regex %s", async (regex) => {
    for (const seed of [1, 2, 3]) {
      const { text, finishReason } = await answer({ regex }, { temperature: 1.5, seed });
      expect(text).toMatch(new RegExp(`^(?:${regex})$`, "u"));
      expect(finishReason).toBe("stop");
    }
  });

  test("a grammar, with and without an end of text", async () => {
    const grammar = 'root ::= "yes" | "no" tail\ntail ::= " " [0-9] tail | "."';
    for (const [seed, ignoreEos] of [
      [1, false],
      [2, true],
      [3, true],
    ] as const) {
      const { text, finishReason, ids, forwards } = await answer({ grammar }, { temperature: 1, seed, ignoreEos });
      expect(text).toMatch(/^(yes|no( \d)*\.)$/);
      expect(finishReason).toBe("stop");
      // Where nothing may follow, no forward asks what does.
      expect(forwards).toBe(ids.length);
    }
  });
});

describe("an answer that is cut off", () => {
  test("says so, and began as it should", async () => {
    const { text, finishReason, ids } = await answer({ regex: "(abc)+x" }, { maxNewTokens: 5, logitBias: {} });
    expect([finishReason, ids.length]).toEqual(["length", 5]);
    expect("abc".repeat(10).startsWith(text)).toBe(true);
  });

  test("where it may end it may go on: the end of text is one of the choices, unless it is ignored", async () => {
    const { text, finishReason } = await answer({ regex: "[a-z ]*" }, { maxNewTokens: 24, ignoreEos: true });
    expect(finishReason).toBe("length");
    expect(text).toMatch(/^[a-z ]+$/);
  });
});

describe("refused", () => {
  const refusal = (message: RegExp) => ({ code: "bad-option", message: expect.stringMatching(message) });

  test.each([
    [{ jsonSchema: { type: "banana" } }, /jsonSchema: the grammar library refuses it/],
    [{ jsonSchema: { type: "integer", minimum: 5, maximum: 2 } }, /jsonSchema: the grammar library refuses it/],
    [{ grammar: 'root := "a"' }, /grammar: the grammar library refuses it/],
    [{ grammar: 'other ::= "a"' }, /grammar: the grammar library refuses it/],
    [{ regex: "(?=a)b" }, /regex: the grammar library refuses it/],
  ] as const)("%o, when it is compiled; the next one works", async (constraint, message) => {
    await expect(answer(constraint)).rejects.toMatchObject(refusal(message));
    expect((await answer({ regex: "ok" })).text).toBe("ok");
  });

  test("for several answers at once", () => {
    expect(() => ar.generateBatch([PROMPT, PROMPT], { constraint: { regex: "a" } })).toThrow(/constraint: .*one sequence/);
  });
});

test("an abort ends it like any other", async () => {
  const controller = new AbortController();
  const run = ar.generate(PROMPT, { constraint: { regex: "[a-z]{40}" }, signal: controller.signal });
  for await (const { forwards } of run) if (forwards === 3) controller.abort();
  const { finishReason, ids } = await run.result;
  expect(finishReason).toBe("abort");
  expect(ids.length).toBeLessThan(10);
});
