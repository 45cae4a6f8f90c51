/** `genLength: "auto"`: what excludes it, and how long an answer may become. */
import { ensure } from "../errors";
import type { Made } from "./resolve-diffusion";

/** Lengths of an answer that grows. */
export interface GrowingLengths {
  readonly blockLength: number;
  /** Of the first canvas. */
  readonly first: number;
  readonly most: number;
}

/**
 * The lengths of a growing answer, null where its length is given. `room` is how many places there are for prompt and answer.
 * @throws `bad-option` for an option that needs to know the length, or when nothing would end the answer
 */
export function growingLengths({ options, prompt, promptLength, context, shared }: Made, room: number): GrowingLengths | null {
  if (options.genLength !== "auto") return null;
  ensure(prompt.length === promptLength, "bad-option", "genLength: the canvas has the length it was given; leave auto out");
  const needing = (["steps", "cfgScale"] as const).filter((name) => options[name] !== undefined);
  ensure(
    needing.length === 0,
    "bad-option",
    () => `genLength: auto grows the canvas, and ${needing.join(", ")} need to know its length; give a number, or leave them out`,
  );
  ensure(
    options.earlyStop !== false,
    "bad-option",
    "earlyStop: genLength auto ends at a stop id; give a number, or leave it out",
  );
  ensure(
    shared.stopIds.size > 0 || options.maxNewTokens !== undefined,
    "bad-option",
    "genLength: auto ends at a stop id, and there is none; give maxNewTokens",
  );
  const most = options.maxNewTokens ?? room - promptLength;
  const blockLength = options.blockLength ?? context.config.blockLength ?? 32;
  return { blockLength, first: Math.min(blockLength, most), most };
}
