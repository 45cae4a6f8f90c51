/**
 * Constrained decoding: which tokens may come next, from a JSON schema, a regular expression or a grammar. The automaton is XGrammar's (Dong et al. 2024,
 * arXiv 2411.15100), a WebAssembly library that is fetched when the first constraint is used. It knows tokens, not models.
 */
import { ensure, RidgepointError } from "../errors";
import type { Vocabulary } from "../text/tokenizer";

/** What an answer must be: one of the three. */
export type Constraint =
  /** A JSON document on one line that fits the schema (JSON Schema as an object or as its text). Properties that the schema does not name are not written. */
  | { readonly jsonSchema: Readonly<Record<string, unknown>> | string }
  /** A text that the expression matches as a whole. No lookaround and no back references. */
  | { readonly regex: string }
  /** GBNF-like EBNF whose first rule is `root`. */
  | { readonly grammar: string };

/** Follows an answer token by token. */
export interface TokenConstraint {
  /** A bit for each id that may come next, 32 ids a word, the lowest bit first; null where nothing may: the answer is complete. */
  allowed(): Promise<Uint32Array<ArrayBuffer> | null>;
  /** Takes the token that came. */
  accept(id: number): void;
  /** Whether the answer is one that the constraint allows, with nothing left to follow. */
  readonly complete: boolean;
  dispose(): void;
}

const KINDS = ["jsonSchema", "regex", "grammar"] as const;

const refusal = (message: string, cause?: unknown): RidgepointError =>
  new RidgepointError("bad-option", `constraint: ${message}`, { cause });

/** The text that the library is given. */
function sourceOf(constraint: Constraint): { readonly kind: (typeof KINDS)[number]; readonly text: string } {
  if ("regex" in constraint) return { kind: "regex", text: constraint.regex };
  if ("grammar" in constraint) return { kind: "grammar", text: constraint.grammar };
  const { jsonSchema } = constraint;
  return { kind: "jsonSchema", text: typeof jsonSchema === "string" ? jsonSchema : JSON.stringify(jsonSchema) };
}

/**
 * Checks what can be checked without the library.
 * @throws `bad-option`
 */
export function checkConstraint(given: unknown): void {
  const named = typeof given === "object" && given !== null ? Object.keys(given) : [];
  const known = named.filter((name) => KINDS.includes(name as (typeof KINDS)[number]));
  if (named.length !== 1 || known.length !== 1)
    throw refusal(`expected an object with one of ${KINDS.join(", ")}, came ${JSON.stringify(given)}`);
  const [kind] = known as ["jsonSchema" | "regex" | "grammar"];
  const value = (given as Readonly<Record<string, unknown>>)[kind];
  if (kind === "jsonSchema") {
    checkSchema(value);
    return;
  }
  if (typeof value !== "string" || value === "")
    throw refusal(`${kind}: expected a text that is not empty, came ${JSON.stringify(value)}`);
  if (kind !== "regex") return;
  try {
    new RegExp(value, "u");
  } catch (cause) {
    throw refusal(`regex: ${(cause as Error).message}`, cause);
  }
}

function checkSchema(value: unknown): void {
  let schema = value;
  if (typeof value === "string") {
    try {
      schema = JSON.parse(value);
    } catch (cause) {
      throw refusal(`jsonSchema: not JSON: ${(cause as Error).message}`, cause);
    }
  }
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    throw refusal(`jsonSchema: expected a schema object, came ${JSON.stringify(schema)}`);
}

type Library = typeof import("@mlc-ai/web-xgrammar");

/** The package is a script that calls itself a module: what it exports is where the bundler puts it, else on the global object. */
async function loadLibrary(): Promise<Library> {
  let came: Partial<Library> & { readonly default?: Partial<Library> };
  try {
    came = await import("@mlc-ai/web-xgrammar");
  } catch (cause) {
    throw refusal(`the grammar library @mlc-ai/web-xgrammar could not be loaded: ${(cause as Error).message}`, cause);
  }
  const { xgrammar } = globalThis as { readonly xgrammar?: Library };
  const found = [came, came.default, xgrammar].find((library) => library?.GrammarMatcher !== undefined);
  if (!found)
    throw refusal("the grammar library @mlc-ai/web-xgrammar was loaded, and holds no GrammarMatcher; expected version 0.1.27");
  return found as Library;
}

/** Bits of ids, 32 a word. */
const bitsOf = (ids: readonly number[], words: number): Uint32Array<ArrayBuffer> => {
  const bits = new Uint32Array(words);
  for (const id of ids) bits[id >> 5] = (bits[id >> 5] as number) | (1 << (id & 31));
  return bits;
};

export interface ConstraintContext {
  readonly vocabulary: Vocabulary;
  /** Rows of the logits. */
  readonly vocabSize: number;
  /** Ids that end an answer. */
  readonly endIds: readonly number[];
  /** Whether an answer that may go on may end with one of them. Default true. */
  readonly mayEnd?: boolean;
}

/**
 * Compiles a constraint for a vocabulary.
 * @throws `bad-option` where the library is not there, cannot run or refuses the schema, expression or grammar
 */
export async function createConstraint(constraint: Constraint, context: ConstraintContext): Promise<TokenConstraint> {
  const { vocabulary, vocabSize, endIds, mayEnd = true } = context;
  ensure(endIds.length > 0, "bad-option", "constraint: a model without an end of text needs stopIds, came none");
  const { GrammarCompiler, GrammarMatcher, TokenizerInfo } = await loadLibrary();
  const made: { dispose(): void }[] = [];
  const keep = <T extends { dispose(): void }>(object: T): T => {
    made.push(object);
    return object;
  };
  const dispose = (): void => {
    for (const object of made.splice(0).reverse()) object.dispose();
  };
  try {
    const { pieces, encoding } = vocabulary;
    const info = await TokenizerInfo.createTokenizerInfo([...pieces], encoding, false, vocabSize, [...endIds]).catch((cause) => {
      throw refusal(
        `the grammar library cannot run here: ${(cause as Error).message}; a page's policy must allow 'wasm-unsafe-eval'`,
        cause,
      );
    });
    const compiler = keep(await GrammarCompiler.createGrammarCompiler(keep(info), false));
    const { kind, text } = sourceOf(constraint);
    const compile = {
      jsonSchema: () => compiler.compileJSONSchema(text, false, -1, undefined, true),
      regex: () => compiler.compileStructuralTag({ type: "structural_tag", format: { type: "regex", pattern: text } }),
      grammar: () => compiler.compileGrammar(text),
    }[kind];
    const compiled = keep(
      await compile().catch((cause: unknown) => {
        throw refusal(`${kind}: the grammar library refuses it, its reason is on the console; came ${text.slice(0, 200)}`, cause);
      }),
    );
    const matcher = keep(await GrammarMatcher.createGrammarMatcher(compiled, [...endIds]));
    const ends = bitsOf(endIds, Math.ceil(vocabSize / 32));
    return new MatchedConstraint(matcher, { ends, endIds: new Set(endIds), mayEnd, dispose });
  } catch (cause) {
    dispose();
    throw cause;
  }
}

interface Matcher {
  acceptToken(id: number): boolean;
  getNextTokenBitmask(): Promise<Int32Array>;
}

interface Matching {
  readonly ends: Uint32Array<ArrayBuffer>;
  readonly endIds: ReadonlySet<number>;
  readonly mayEnd: boolean;
  readonly dispose: () => void;
}

class MatchedConstraint implements TokenConstraint {
  readonly #matcher: Matcher;
  readonly #with: Matching;
  complete = false;

  constructor(matcher: Matcher, matching: Matching) {
    this.#matcher = matcher;
    this.#with = matching;
  }

  async allowed(): Promise<Uint32Array<ArrayBuffer> | null> {
    const { ends, mayEnd } = this.#with;
    const bits = new Uint32Array(await this.#matcher.getNextTokenBitmask());
    const more = bits.some((word, i) => (word & ~(ends[i] as number)) !== 0);
    const ending = bits.some((word, i) => (word & (ends[i] as number)) !== 0);
    if (!more) {
      if (!ending) throw refusal("no token of this vocabulary can continue what the constraint has allowed so far");
      this.complete = true;
      return null;
    }
    return mayEnd ? bits : bits.map((word, i) => word & ~(ends[i] as number));
  }

  accept(id: number): void {
    if (!this.#matcher.acceptToken(id)) throw refusal(`token ${id} came, which was not allowed`);
    if (this.#with.endIds.has(id)) this.complete = true;
  }

  dispose(): void {
    this.#with.dispose();
  }
}
