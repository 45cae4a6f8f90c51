/** The merged report's sections about devices, sweeps, evaluations and benchmarks. Each returns HTML. */
import { escapeText } from "./figure";
import { formatBytes, formatCount, formatFlops, formatGbps, formatGflops, formatNs, formatNumber, formatPercent } from "./format";
import { card, cell, heading, table } from "./report-sections";
import { type BenchDocument, type EvaluationDocument, keyOfDevice, nameOfDevice, type RunDocument } from "./run-documents";
import type { SweepDocument, SweepName, SweepPoint } from "./sweep";
import { sweepFigures } from "./sweep-figures";
import type { Calibration, Spread } from "./types";

/** A device, and its roofs where a document has them. */
export interface Seen {
  readonly device: RunDocument["device"];
  readonly calibration: Calibration | null;
}

/** Every device of the documents once. */
export function devicesOf(documents: readonly RunDocument[]): Seen[] {
  const seen = new Map<string, Seen>();
  for (const document of documents) {
    const key = keyOfDevice(document.device);
    const calibration = "calibration" in document ? document.calibration : null;
    if (!seen.get(key)?.calibration) seen.set(key, { device: document.device, calibration });
  }
  return [...seen.values()];
}

export function deviceSection(devices: readonly Seen[]): string {
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

export function sweepSection(name: SweepName, documents: readonly SweepDocument[]): string {
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

export function evaluationSection(documents: readonly EvaluationDocument[]): string {
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

export function benchSection(documents: readonly BenchDocument[]): string {
  const rows = documents.flatMap(({ device, rows }) =>
    rows.map((row) => {
      const rate = row.tokensPerSecond;
      const speed = rate ? `${formatNumber(rate.median)} ± ${formatPercent((100 * rate.mad) / rate.median)}` : row.status;
      return (
        `<tr><td class="text">${escapeText(nameOfDevice(device))}</td><td class="text">${escapeText(row.model)}</td><td class="text">${escapeText(row.name)}</td>` +
        `${cell(formatCount(row.batch), row.batch)}${cell(speed, rate?.median)}${cell(formatNs(row.ns?.median), row.ns?.median)}` +
        `${cell(formatNumber(row.forwards), row.forwards)}${cell(formatNumber(row.dispatches), row.dispatches)}` +
        `${cell(formatBytes(row.allocatedBytes), row.allocatedBytes)}</tr>`
      );
    }),
  );
  const words = ["Device", "Model", "Test"].map((word) => heading(word, "", "text"));
  const numbers = ["Batch", "tok/s", "Time", "Forwards", "Dispatches", "Allocated"].map((word) => heading(word));
  const note = "pp: a prompt processed; tg: tokens generated one a forward; dlm: a canvas filled, its length × its block length.";
  return card("Benchmarks", note, table([...words, ...numbers], rows));
}
