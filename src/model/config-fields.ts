/** Untrusted key-value data into checked numbers, booleans and ids. It knows no architecture. */
import { ensure, RidgepointError } from "../errors";

/** Caps far above any model that fits a browser; they keep sizes exact and allocations sane. */
export const CAPS = {
  width: 2 ** 17,
  layers: 1024,
  heads: 1024,
  vocabulary: 2 ** 22,
  positions: 2 ** 27,
} as const;

/** Looks up fields by key. Every error is `bad-config` and names the origin, the key, what was expected, what came. */
export class Fields {
  readonly origin: string;
  readonly #get: (key: string) => unknown;
  readonly #spell: (key: string) => string;

  /** `spell` turns the key asked for into the key of this file: LLaDA's own names, GGUF's prefix. */
  constructor(origin: string, get: (key: string) => unknown, spell: (key: string) => string = (key) => key) {
    this.origin = origin;
    this.#get = get;
    this.#spell = spell;
  }

  /** The raw value; null counts as absent. */
  raw(key: string): unknown {
    return this.#get(this.#spell(key)) ?? undefined;
  }

  /** A `bad-config` error about `key`, for the caller to throw. */
  wrong(key: string, expected: string, advice = ""): RidgepointError {
    const value = this.raw(key);
    const got = value === undefined ? "nothing" : shorten(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}` : v)));
    return new RidgepointError("bad-config", `${this.origin}: ${this.#spell(key)}: expected ${expected}, got ${got}${advice}`);
  }

  /** A positive integer up to `cap`; `fallback` when the key is absent, an error when there is none. */
  size(key: string, cap: number, fallback?: number): number {
    const value = this.raw(key) ?? fallback;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= cap) return value;
    throw this.wrong(key, `a positive integer up to ${cap}`);
  }

  /** A finite number in `(0, most]`. */
  positive(key: string, most: number, fallback?: number): number {
    const value = this.raw(key) ?? fallback;
    if (typeof value === "number" && Number.isFinite(value) && value > 0 && value <= most) return value;
    throw this.wrong(key, `a number above 0, at most ${most}`);
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.raw(key) ?? fallback;
    if (typeof value === "boolean") return value;
    throw this.wrong(key, "true or false");
  }

  /** Throws unless the key is absent or has one of `allowed`: for features this project does not have. */
  only(key: string, ...allowed: readonly (string | number | boolean)[]): void {
    const value = this.raw(key);
    const fine = value === undefined || allowed.some((one) => one === value);
    if (!fine) throw this.wrong(key, allowed.map((one) => JSON.stringify(one)).join(" or "), "; other values are not supported");
  }

  /** A token id below `vocabSize`, or null when absent. */
  tokenId(key: string, vocabSize: number): number | null {
    return this.tokenIds(key, vocabSize)[0] ?? null;
  }

  /** Token ids of a number, a list, or nothing. */
  tokenIds(key: string, vocabSize: number): number[] {
    const value = this.raw(key);
    if (value === undefined) return [];
    const ids: unknown[] = Array.isArray(value) ? value : [value];
    const isId = (id: unknown) => typeof id === "number" && Number.isInteger(id) && id >= 0 && id < vocabSize;
    if (ids.length <= 1024 && ids.every(isId)) return ids as number[];
    throw this.wrong(key, `token ids below the vocabulary's size ${vocabSize}`);
  }

  /** Throws `bad-config` unless `condition` holds, with `key`'s value in the message. */
  check(condition: boolean, key: string, expected: string): void {
    ensure(condition, "bad-config", () => this.wrong(key, expected).message);
  }
}

function shorten(text: string | undefined): string {
  return text === undefined ? "nothing" : text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
