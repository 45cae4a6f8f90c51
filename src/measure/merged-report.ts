/** Documents of any runs into one page: devices side by side, sweeps merged over their shards, comparisons, evaluations. It measures nothing. */
import { ensure } from "../errors";
import { escapeText } from "./figure";
import { formatCount, formatFlops, formatGbps, formatGflops, formatNs, formatNumber, formatPercent } from "./format";
import { publishedRooflineSvg } from "./published-figures";
import { renderPage } from "./report-page";
import {
  accountSection,
  card,
  cell,
  glossarySection,
  heading,
  headlineSection,
  rooflineSection,
  speedSection,
  table,
} from "./report-sections";
import { type CompareDocument, contestants } from "./report-summary";
import type { Interval } from "./statistics";
import type { SweepDocument, SweepName, SweepPoint } from "./sweep";
import { sweepFigures } from "./sweep-figures";
import { mergeSweeps, sweepCsv } from "./sweep-merge";
import type { Calibration, Spread } from "./types";

/** The document of `ridgepoint eval --json`, as far as it is shown. */
export interface EvaluationDocument {
  readonly command: "eval";
  readonly device: Calibration["device"] & { readonly browser?: string };
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
  readonly device: Calibration["device"] & { readonly browser?: string };
  readonly calibration: Calibration;
}

export type RunDocument =
  | (CompareDocument & { readonly command: "compare" })
  | SweepDocument
  | EvaluationDocument
  | CalibrationDocument;

export interface MergedReport {
  /** One self-contained page. */
  readonly html: string;
  /** Every point of every sweep; null without any. */
  readonly csv: string | null;
  /** Sweeps after merging, e.g. to be written as JSON. */
  readonly sweeps: readonly SweepDocument[];
}

const KNOWN = ["compare", "sweep", "eval", "calibrate"] as const;

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
  const list = command === "compare" ? "runs" : command === "sweep" ? "points" : null;
  const whole =
    typeof document?.device === "object" && document.device !== null && (list === null || Array.isArray(document[list]));
  ensure(
    whole,
    "bad-file",
    () => `${name}: the document of ${String(command)} has no ${list ?? "device"}; it may be that of a failure`,
  );
  return document as unknown as RunDocument;
}

const nameOfDevice = ({ vendor, architecture, description }: RunDocument["device"]): string =>
  [vendor, architecture, description].filter(Boolean).join(" ") || "unnamed device";

/** A device in one browser. */
const keyOfDevice = (device: RunDocument["device"]): string =>
  JSON.stringify([nameOfDevice(device), device.browser ?? device.userAgent]);

interface Seen {
  readonly device: RunDocument["device"];
  readonly calibration: Calibration | null;
}

function devicesOf(documents: readonly RunDocument[]): Seen[] {
  const seen = new Map<string, Seen>();
  for (const document of documents) {
    const key = keyOfDevice(document.device);
    const calibration = "calibration" in document ? document.calibration : null;
    if (!seen.get(key)?.calibration) seen.set(key, { device: document.device, calibration });
  }
  return [...seen.values()];
}

function deviceSection(devices: readonly Seen[]): string {
  const row = (label: string, show: (seen: Seen) => string): string =>
    `<tr><td>${label}</td>${devices.map((seen) => `<td class="text">${escapeText(show(seen))}</td>`).join("")}</tr>`;
  const roof =
    (pick: (calibration: Calibration) => Spread | undefined, show: (value: number) => string) =>
    ({ calibration }: Seen): string => {
      const measured = calibration && pick(calibration);
      return measured ? `${show(measured.median)} ± ${formatPercent((100 * measured.mad) / measured.median)}` : "–";
    };
  const rows = [
    row("kind", ({ device }) => (device.software ? "CPU adapter: speeds say nothing of a GPU" : "GPU")),
    row("browser", ({ device }) => device.browser ?? device.userAgent),
    row(
      "f32 multiply-add",
      roof(({ flopsPerNs }) => flopsPerNs.f32, formatGflops),
    ),
    row(
      "f16 multiply-add",
      roof(({ flopsPerNs }) => flopsPerNs.f16, formatGflops),
    ),
    row(
      "memory read",
      roof(({ bytesPerNs }) => bytesPerNs.read, formatGbps),
    ),
    row(
      "load issue",
      roof(
        ({ loadsPerNs }) => loadsPerNs,
        (value) => `${formatNumber(value)} loads/ns`,
      ),
    ),
    row(
      "a dispatch",
      roof(({ dispatchNs }) => dispatchNs, formatNs),
    ),
    row(
      "submit until mapped",
      roof(({ submitMapNs }) => submitMapNs, formatNs),
    ),
  ];
  const head = ["", ...devices.map(({ device }) => nameOfDevice(device))].map(
    (name) => `<th scope="col" class="text">${escapeText(name)}</th>`,
  );
  return card(
    devices.length === 1 ? "The device" : "The devices",
    "Roofs as they were measured before the runs, median and spread.",
    `<div class="scroll"><table><thead><tr>${head.join("")}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`,
  );
}

const TITLES: Readonly<Record<SweepName, readonly [heading: string, note: string]>> = {
  length: [
    "Length",
    "Generations past the end of text, by how many tokens they make. A cross is a point that did not fit, or took too long.",
  ],
  block: ["Block length", "One generation by the places that are decoded together."],
  batch: ["Batch", "Sequences that are generated together. A cross is a batch that did not fit into memory, or took too long."],
  steps: ["Denoising steps", "Problems solved when a canvas is filled in fewer steps, with 95 % Wilson intervals."],
  threshold: [
    "Confidence threshold",
    "Problems solved when all places above a confidence are revealed at once, with 95 % Wilson intervals. AUP is accuracy under parallelism.",
  ],
};

function pointRow(point: SweepPoint, device: string): string {
  const { result, status } = point;
  const accuracy = result?.accuracy;
  return (
    `<tr><td class="text">${escapeText(device)}</td><td class="text">${escapeText(point.model)}</td><td class="text">${escapeText(point.decoding)}</td>` +
    cell(point.promptLength === null ? "dataset" : formatCount(point.promptLength), point.promptLength) +
    cell(formatNumber(point.axis), point.axis) +
    (result
      ? cell(formatNs(result.wallNs.median), result.wallNs.median)
      : `<td class="text" title="${escapeText(point.message)}">${status}</td>`) +
    cell(formatNumber(result?.tokensPerSecond.median), result?.tokensPerSecond.median) +
    cell(formatNumber(result?.predictedTokensPerSecond), result?.predictedTokensPerSecond) +
    cell(formatNumber(result?.tokensPerForward), result?.tokensPerForward) +
    cell(formatFlops(result?.flopsPerToken), result?.flopsPerToken) +
    cell(formatNumber(result?.arithmeticIntensity), result?.arithmeticIntensity) +
    `${cell(accuracy === undefined ? "–" : formatPercent(100 * accuracy), accuracy)}</tr>`
  );
}

function sweepSection(name: SweepName, documents: readonly SweepDocument[]): string {
  const figures = sweepFigures(documents).map(({ svg }) => `<div class="figure">${svg("auto")}</div>`);
  const words = ["Device", "Model", "Decoding"].map((word) => heading(word, "", "text"));
  const numbers = ["Prompt", "Axis", "Latency", "tok/s", "Predicted", "TPF", "Work a token", "FLOP/byte", "Right"].map((word) =>
    heading(word),
  );
  const rows = documents.flatMap((document) => document.points.map((point) => pointRow(point, nameOfDevice(document.device))));
  const missing = documents.flatMap(({ planned, points, device }) =>
    points.length < planned
      ? [
          `<p class="warning">${escapeText(nameOfDevice(device))}: ${points.length} of ${planned} points; the others were not measured yet.</p>`,
        ]
      : [],
  );
  const [title, note] = TITLES[name];
  const all = `<details><summary>All ${rows.length} points</summary>${table([...words, ...numbers], rows)}</details>`;
  return card(title, note, `${missing.join("")}${figures.join("")}${all}`);
}

function evaluationSection(documents: readonly EvaluationDocument[]): string {
  const rows = documents.map((one) => {
    const [low, high] = [one.confidence95.low, one.confidence95.high].map((share) => (100 * share).toFixed(0));
    const options = Object.entries(one.options).map(([key, value]) => `${key} ${String(value)}`);
    return (
      `<tr><td class="text">${escapeText(nameOfDevice(one.device))}</td><td class="text">${escapeText(one.model.name)}</td>` +
      `<td class="text">${escapeText(options.join(", ") || "default")}</td><td class="text">${escapeText(one.dataset.path.replace(/^.*\//, ""))}</td>` +
      cell(`${formatPercent(100 * one.accuracy)} (${low}–${high} %)`, one.accuracy) +
      cell(formatCount(one.n), one.n) +
      cell(formatNumber(one.tokensPerSecond), one.tokensPerSecond) +
      cell(formatNumber(one.tokensPerForward), one.tokensPerForward) +
      `${cell(formatFlops(one.flopsPerToken), one.flopsPerToken)}</tr>`
    );
  });
  const heads = ["Device", "Model", "Decoding", "Dataset"].map((word) => heading(word, "", "text"));
  const numbers = ["Right", "Problems", "tok/s", "TPF", "Work a token"].map((word) => heading(word));
  return card("Answers", "Problems solved, with 95 % Wilson intervals.", table([...heads, ...numbers], rows));
}

function compareSections(document: CompareDocument, several: boolean): string[] {
  const all = contestants(document);
  const where = several ? `<h2>${escapeText(nameOfDevice(document.device))}: comparison</h2>` : "";
  return [where, headlineSection(all), speedSection(all), rooflineSection(document.calibration, all), accountSection(all)].filter(
    Boolean,
  );
}

const isCommand =
  <C extends RunDocument["command"]>(command: C) =>
  (document: RunDocument): document is Extract<RunDocument, { command: C }> =>
    document.command === command;

/**
 * Renders the report of documents; shards of one sweep become one.
 * @throws RidgepointError `bad-file`: none, or shards that contradict each other
 */
export function mergedReport(documents: readonly RunDocument[]): MergedReport {
  ensure(documents.length > 0, "bad-file", "report: expected at least one document, came none");
  const sweeps = mergeSweeps(documents.filter(isCommand("sweep")));
  const comparisons = documents.filter(isCommand("compare"));
  const evaluations = documents.filter(isCommand("eval"));
  const devices = devicesOf(documents);
  const names = [...new Set(sweeps.map(({ sweep }) => sweep))];
  const sections = [
    deviceSection(devices),
    ...names.map((name) =>
      sweepSection(
        name,
        sweeps.filter(({ sweep }) => sweep === name),
      ),
    ),
    ...comparisons.flatMap((document) => compareSections(document, comparisons.length > 1)),
    ...(evaluations.length > 0 ? [evaluationSection(evaluations)] : []),
    ...(sweeps.length > 0 ? [theorySection()] : []),
    glossarySection(),
  ];
  const what = [
    sweeps.length > 0 && `${sweeps.length} ${sweeps.length === 1 ? "sweep" : "sweeps"}`,
    comparisons.length > 0 && `${comparisons.length} ${comparisons.length === 1 ? "comparison" : "comparisons"}`,
    evaluations.length > 0 && `${evaluations.length} ${evaluations.length === 1 ? "evaluation" : "evaluations"}`,
  ].filter(Boolean);
  const where = devices.length === 1 ? nameOfDevice((devices[0] as Seen).device) : `${devices.length} devices`;
  const title = `${what.join(", ") || "Roofs"} on ${where}`;
  const footer =
    "Every number was measured on the device it stands beside, but for those that are called published or predicted.";
  return {
    html: renderPage({ title, header: "", sections, footer }),
    csv: sweeps.length > 0 ? sweepCsv(sweeps) : null,
    sweeps,
  };
}

function theorySection(): string {
  const figures = (["a6000", "a800"] as const).map(
    (device) => `<div class="figure">${publishedRooflineSvg(device, { theme: "auto" })}</div>`,
  );
  return card(
    "The papers' models, in theory",
    "From the cost model and published roofs alone: every point stands where the roofs allow it at its arithmetic intensity. Nothing here was measured.",
    figures.join(""),
  );
}
