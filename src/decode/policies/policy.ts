/** A decoding policy as an entry of a table: its name, its numbers with their ranges and defaults, and the rule that they make. */
import { ensure } from "../../errors";
import type { Family } from "../../model/config";
import type { Decoder, DecoderContext } from "../decoder";
import type { Selection } from "../selection";

/** One number of a policy. */
export interface Setting {
  readonly fallback: number;
  readonly from: number;
  readonly to: number;
  readonly integer?: boolean;
  readonly meaning: string;
}

export type Settings = Readonly<Record<string, Setting>>;
export type Values<S extends Settings> = { readonly [K in keyof S]: number };

/** What a policy is told of a run. */
export interface PolicyRun {
  readonly seed: number;
  readonly blockLength: number;
  /** Ids that end the answer. */
  readonly stopIds: ReadonlySet<number>;
  /** Whether the threshold of the preset leaves out its bound. */
  readonly strict: boolean;
}

export interface Policy<Name extends string = string, S extends Settings = Settings> {
  readonly name: Name;
  /** Where it is from. */
  readonly source: string;
  readonly settings: S;
  rule(values: Values<S>, run: PolicyRun): Selection;
}

/** What a decoder of its own is told of a run. */
export interface PlannedRun {
  readonly blockLength: number;
  /** Blocks lie on ⌊(place + gridOffset) / blockLength⌋; only for block models. */
  readonly gridOffset: number;
  readonly earlyStop: boolean;
}

/** A policy that plans passes of its own instead of ruling what others reveal. For models without shift of one family. */
export interface DecoderPolicy<Name extends string = string, S extends Settings = Settings> {
  readonly name: Name;
  readonly source: string;
  readonly settings: S;
  readonly family: Family;
  /** Places beyond the canvas that it uses. */
  room(run: PlannedRun): number;
  decoder(context: DecoderContext, values: Values<S>, run: PlannedRun): Decoder;
}

/** A policy's options as `generate` takes them. */
export type OptionsOf<P> =
  P extends Policy<infer Name, infer S> ? { readonly name: Name } & { readonly [K in keyof S]?: number } : never;

export const policy = <Name extends string, S extends Settings>(made: Policy<Name, S>): Policy<Name, S> => made;
export const decoderPolicy = <Name extends string, S extends Settings>(made: DecoderPolicy<Name, S>): DecoderPolicy<Name, S> =>
  made;

/** A probability. */
export const probability = (fallback: number, meaning: string): Setting => ({ fallback, from: 0, to: 1, meaning });

/** Passes, places, tokens. */
export const count = (fallback: number, from: number, to: number, meaning: string): Setting => ({
  fallback,
  from,
  to,
  integer: true,
  meaning,
});

/**
 * Numbers of a policy, defaults filled in.
 * @throws `bad-option` for a number that is unknown or out of its range
 */
export function valuesOf<S extends Settings>(
  { name, settings }: { readonly name: string; readonly settings: S },
  given: Readonly<Record<string, unknown>>,
): Values<S> {
  for (const [key, value] of Object.entries(given)) {
    if (key === "name" || value === undefined) continue;
    const setting = Object.hasOwn(settings, key) ? settings[key] : undefined;
    const names = Object.keys(settings).join(", ") || "no numbers";
    ensure(setting, "bad-option", () => `policy ${name}: expected ${names}, came ${key}`);
    const fits =
      typeof value === "number" && value >= setting.from && value <= setting.to && (!setting.integer || Number.isInteger(value));
    const kind = setting.integer ? "an integer" : "a number";
    ensure(
      fits,
      "bad-option",
      () =>
        `policy ${name}: ${key}: expected ${kind} from ${setting.from} to ${setting.to}, came ${JSON.stringify(value) ?? value}`,
    );
  }
  const values = Object.entries(settings).map(([key, { fallback }]) => [key, (given[key] as number | undefined) ?? fallback]);
  return Object.fromEntries(values) as Values<S>;
}
