/** What the commands print with `--json`, as far as a report shows it, and whether a file holds one of them. */
import { ensure } from "../errors";
import type { CompareDocument } from "./report-summary";
import type { Interval } from "./statistics";
import type { SweepDocument } from "./sweep";
import type { Calibration, Spread } from "./types";

type ReportedDevice = Calibration["device"] & { readonly browser?: string };

/** The document of `ridgepoint eval --json`, as far as it is shown. */
export interface EvaluationDocument {
  readonly command: "eval";
  readonly device: ReportedDevice;
  readonly model: { readonly name: string };
  readonly dataset: { readonly path: string };
  readonly options: Readonly<object>;
  readonly n: number;
  readonly accuracy: number;
  readonly confidence95: Interval;
  readonly tokensPerSecond: number | null;
  readonly tokensPerForward: number | null;
  readonly flopsPerToken: number | null;
}

/** The document of `ridgepoint calibrate --json`, as far as it is shown. */
export interface CalibrationDocument {
  readonly command: "calibrate";
  readonly device: ReportedDevice;
  readonly calibration: Calibration;
}

/** The document of `ridgepoint bench --json`, as far as it is shown. */
export interface BenchDocument {
  readonly command: "bench";
  readonly device: ReportedDevice;
  readonly rows: readonly {
    readonly name: string;
    readonly model: string;
    readonly batch: number;
    readonly status: string;
    readonly tokensPerSecond: Spread | null;
    readonly ns: Spread | null;
    readonly forwards: number | null;
    readonly dispatches: number | null;
    readonly allocatedBytes: number | null;
  }[];
}

export type RunDocument =
  | (CompareDocument & { readonly command: "compare" })
  | SweepDocument
  | EvaluationDocument
  | CalibrationDocument
  | BenchDocument;

const KNOWN = ["compare", "sweep", "eval", "bench", "calibrate"] as const;

/**
 * Checks that a parsed JSON value is a document that a report can show.
 * @throws RidgepointError `bad-file`, naming it
 */
export function asRunDocument(value: unknown, name: string): RunDocument {
  const document = value as Partial<Record<string, unknown>> | null;
  const command = typeof document === "object" && document !== null ? document.command : undefined;
  ensure(
    KNOWN.some((known) => known === command),
    "bad-file",
    () =>
      `${name}: expected a document of ${KNOWN.join(", ")} (--json), came ${command === undefined ? "something else" : String(command)}`,
  );
  const list = command === "compare" ? "runs" : command === "sweep" ? "points" : command === "bench" ? "rows" : null;
  const whole =
    typeof document?.device === "object" && document.device !== null && (list === null || Array.isArray(document[list]));
  ensure(
    whole,
    "bad-file",
    () => `${name}: the document of ${String(command)} has no ${list ?? "device"}; it may be that of a failure`,
  );
  return document as unknown as RunDocument;
}

/** The adapter as it names itself. */
export const nameOfDevice = ({ vendor, architecture, description }: RunDocument["device"]): string =>
  [vendor, architecture, description].filter(Boolean).join(" ") || "unnamed device";

/** A device in one browser. */
export const keyOfDevice = (device: RunDocument["device"]): string =>
  JSON.stringify([nameOfDevice(device), device.browser ?? device.userAgent]);
