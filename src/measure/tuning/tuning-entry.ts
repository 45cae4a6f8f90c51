/** What was decided for one class of dispatches, with what it was decided on; and a table of such decisions as a document. */
import { ensure } from "../../errors";
import type { Tuning } from "../../kernels/tuning";
import type { Rejected, Round, Verdict } from "./contest";

/** Whose clock it was: the GPU's, or, without `timestamp-query`, the host's. */
export type TuningClock = "gpu" | "host";

export interface TuningEntry {
  /** Class of dispatches, as `kernels/tuning.ts` writes it. */
  readonly key: string;
  readonly variant: string;
  /** What runs without a tuning. */
  readonly before: string;
  readonly reason: Verdict["reason"];
  readonly speedup: number;
  readonly rounds: readonly Round[];
  readonly rejected: readonly Rejected[];
  /** Candidates that there was no time for: such a decision holds for this visit, and is not kept. */
  readonly untried: readonly string[];
  readonly clock: TuningClock;
  /** Of the candidates' code: {@link candidatesHash}. */
  readonly candidates: string;
  /** Unix time in ms at which it was decided. */
  readonly at: number;
}

/** A tuning to be kept or given to others on the same device. */
export interface TuningDocument {
  readonly schema: typeof TUNING_SCHEMA;
  /** {@link deviceKey} */
  readonly device: string;
  readonly entries: readonly TuningEntry[];
}

export const TUNING_SCHEMA = "ridgepoint/tuning-1";

/** A tuning holds no longer than this. */
export const TUNING_DAYS = 30;
const DAY_MS = 24 * 3600 * 1000;

/** Whether an entry is too old at a time, or from the future. */
export const isExpired = ({ at }: TuningEntry, now: number): boolean => !(now - at <= TUNING_DAYS * DAY_MS && at <= now + DAY_MS);

/** The choices of entries, as kernels take them. */
export const tuningOf = (entries: readonly TuningEntry[]): Tuning =>
  Object.fromEntries(entries.map(({ key, variant }) => [key, variant]));

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isEntry = (value: unknown): value is TuningEntry =>
  isRecord(value) &&
  ["key", "variant", "before", "reason", "clock", "candidates"].every((name) => typeof value[name] === "string") &&
  ["speedup", "at"].every((name) => Number.isFinite(value[name])) &&
  Array.isArray(value.rounds) &&
  Array.isArray(value.rejected) &&
  Array.isArray(value.untried);

/** Classes as `kernels/tuning.ts` and `kernels/attention-variants.ts` write them. */
const KEY = /^(linear (q4|q8|f16|f32) \d+( \d+x\d+)?|attention (f32|f16|q8) \d+\/\d+x\d+ \d+ \d+( sparse)?)$/;

/**
 * The choices of a document, or of a plain table of keys and variants, for a device.
 * @param device {@link deviceKey} of the device that will run them
 * @param now Unix time in ms
 * @throws `bad-option` for anything else, for a document of another device, and for one of more than 30 days
 */
export function readTuning(value: unknown, { device, now }: { readonly device: string; readonly now: number }): Tuning {
  ensure(isRecord(value), "bad-option", () => `tuning: expected a document of ${TUNING_SCHEMA} or a table, came ${typeof value}`);
  if (!("schema" in value)) {
    const wrong = Object.entries(value).find(([, variant]) => typeof variant !== "string");
    ensure(
      !wrong,
      "bad-option",
      () => `tuning: expected the name of a variant for "${wrong?.[0]}", came ${JSON.stringify(wrong?.[1])}`,
    );
    return checkedKeys(value as Tuning);
  }
  const { schema, entries } = value;
  ensure(
    schema === TUNING_SCHEMA,
    "bad-option",
    () => `tuning: expected schema ${TUNING_SCHEMA}, came ${String(schema)}; tune again`,
  );
  ensure(
    Array.isArray(entries) && entries.every(isEntry),
    "bad-option",
    "tuning: its entries are not those of a tuning; tune again",
  );
  ensure(
    value.device === device,
    "bad-option",
    () => `tuning: made on ${String(value.device)}, this is ${device}; tune on this device, or give the table of choices alone`,
  );
  const old = entries.find((entry) => isExpired(entry, now));
  ensure(!old, "bad-option", () => `tuning: "${old?.key}" is more than ${TUNING_DAYS} days old; tune again`);
  return checkedKeys(tuningOf(entries));
}

/** A class that nothing looks up would be ignored in silence. */
function checkedKeys(tuning: Tuning): Tuning {
  const unknown = Object.keys(tuning).find((key) => !KEY.test(key));
  ensure(unknown === undefined, "bad-option", () => `tuning: expected classes such as "linear q4 8 576x1536", came "${unknown}"`);
  return tuning;
}
