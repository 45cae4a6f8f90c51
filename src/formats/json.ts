/** Untrusted JSON text into values, with caps. It knows no schema beyond "an object". */
import { ensure, RidgepointError } from "../errors";

/** Deepest nesting of brackets accepted. Tokenizer files use about ten. */
const MAX_DEPTH = 64;

export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether `value` is a JSON object, not an array or null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Decodes UTF-8 strictly. Throws `bad-file` naming `what`. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RidgepointError("bad-file", `${what}: the text is not UTF-8`, { cause });
  }
}

/** Parses a JSON object. Throws `bad-file` naming `what` when it is not JSON, nests deeper than 64, or is no object. */
export function parseJsonObject(text: string, what: string): JsonObject {
  const value = parseJson(text, what);
  ensure(
    isObject(value),
    "bad-file",
    () => `${what}: expected a JSON object, got ${Array.isArray(value) ? "an array" : String(value)}`,
  );
  return value;
}

/** Parses JSON. Throws `bad-file` naming `what` when it is not JSON or nests deeper than 64. */
export function parseJson(text: string, what: string): unknown {
  ensure(nesting(text) <= MAX_DEPTH, "bad-file", `${what}: JSON nested deeper than ${MAX_DEPTH}`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RidgepointError("bad-file", `${what}: not JSON (${cause instanceof Error ? cause.message : cause})`, { cause });
  }
}

/** Greatest bracket depth outside of strings; stops counting one past the cap. */
function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > deepest) deepest = depth;
      if (deepest > MAX_DEPTH) break;
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return deepest;
}
