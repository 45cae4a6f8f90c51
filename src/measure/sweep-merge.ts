/** Shards and repeated runs of a sweep into one document, and documents into CSV. */
import { ensure } from "../errors";
import type { SweepDocument, SweepPoint } from "./sweep";

/** What is one experiment: the same sweep, settings and models on one device. */
function experimentOf({ sweep, settings, models, device, dataset }: SweepDocument): string {
  const { vendor, architecture, description, browser } = device;
  return JSON.stringify([sweep, settings, models, vendor, architecture, description, browser ?? null, dataset ?? null]);
}

/**
 * Merges documents of one experiment, in order of appearance; points come out in the order of the plan. A point measured twice counts once: the first
 * that is ok.
 * @throws RidgepointError `bad-file`: two measured points of one key came to different tokens
 */
export function mergeSweeps(documents: readonly SweepDocument[]): SweepDocument[] {
  const experiments = new Map<string, SweepDocument[]>();
  for (const document of documents) {
    const key = experimentOf(document);
    experiments.set(key, [...(experiments.get(key) ?? []), document]);
  }
  return [...experiments.values()].map(mergeExperiment);
}

function mergeExperiment(parts: readonly SweepDocument[]): SweepDocument {
  const points = new Map<string, SweepPoint>();
  for (const point of parts.flatMap((part) => part.points)) {
    const before = points.get(point.key);
    const [a, b] = [before?.result?.digest, point.result?.digest];
    ensure(
      a === undefined || b === undefined || a === b,
      "bad-file",
      () =>
        `sweep ${point.sweep}, ${point.key}: measured twice with different tokens (${a}, ${b}); the files are not of one experiment`,
    );
    if (!before || (before.status !== "ok" && point.status === "ok")) points.set(point.key, point);
  }
  const [first] = parts as [SweepDocument, ...SweepDocument[]];
  const sorted = [...points.values()].sort((a, b) => a.index - b.index);
  return parts.length === 1 ? { ...first, points: sorted } : { ...first, shard: { index: 1, of: 1 }, points: sorted };
}

const COLUMNS: readonly (readonly [string, (point: SweepPoint, document: SweepDocument) => unknown])[] = [
  ["device", (_, { device }) => [device.vendor, device.architecture, device.description].filter(Boolean).join(" ")],
  ["browser", (_, { device }) => device.browser],
  ["sweep", (point) => point.sweep],
  ["model", (point) => point.model],
  ["family", (point) => point.family],
  ["decoding", (point) => point.decoding],
  ["prompt_length", (point) => point.promptLength],
  ["axis", (point) => point.axis],
  ["batch", (point) => point.batch],
  ["status", (point) => point.status],
  ["wall_ns", ({ result }) => result?.wallNs.median],
  ["wall_ns_mad", ({ result }) => result?.wallNs.mad],
  ["ttft_ns", ({ result }) => result?.ttftNs],
  ["tokens", ({ result }) => result?.tokens],
  ["tokens_per_second", ({ result }) => result?.tokensPerSecond.median],
  ["predicted_tokens_per_second", ({ result }) => result?.predictedTokensPerSecond],
  ["forwards", ({ result }) => result?.forwards],
  ["tokens_per_forward", ({ result }) => result?.tokensPerForward],
  ["rows_per_forward", ({ result }) => result?.rowsPerForward],
  ["flops_per_token", ({ result }) => result?.flopsPerToken],
  ["bytes_per_token", ({ result }) => result?.bytesPerToken],
  ["arithmetic_intensity", ({ result }) => result?.arithmeticIntensity],
  ["accuracy", ({ result }) => result?.accuracy],
  ["accuracy_low", ({ result }) => result?.confidence95?.low],
  ["accuracy_high", ({ result }) => result?.confidence95?.high],
  ["problems", ({ result }) => result?.problems],
  ["digest", ({ result }) => result?.digest],
];

const field = (value: unknown): string => {
  const text = value === undefined || value === null ? "" : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** One line a point, RFC 4180; empty fields where there is no number. Times in ns. */
export function sweepCsv(documents: readonly SweepDocument[]): string {
  const lines = documents.flatMap((document) =>
    document.points.map((point) => COLUMNS.map(([, value]) => field(value(point, document))).join(",")),
  );
  return `${[COLUMNS.map(([name]) => name).join(","), ...lines].join("\r\n")}\r\n`;
}
