/** The report's sections about single contestants: phases and kernels against their roofs, prompts and texts. Each returns HTML. */
import { escapeText, seriesColour } from "./figure";
import { formatBytes, formatCount, formatFlops, formatNs, formatNumber, formatPercent, formatShapes } from "./format";
import { card, cell, dot, heading, table } from "./report-sections";
import { type Contestant, nameOf } from "./report-summary";
import { rooflineSvg } from "./roofline-figure";
import type { Calibration, KernelRow, PhaseRow } from "./types";

export function kernelSection(calibration: Calibration, all: readonly Contestant[]): string {
  const profiled = all.filter((one) => one.kernels.length > 0);
  if (profiled.length === 0) return "";
  const parts = profiled.map((one, i) => kernelsOf(calibration, one, i === 0));
  return card(
    "Kernel by kernel",
    "Every kernel that ran, longest first; press a heading to sort. A dash is a time the GPU's clock could not resolve.",
    parts.join(""),
  );
}

function kernelsOf(calibration: Calibration, one: Contestant, open: boolean): string {
  const { dispatches, submits, readbacks, forwards, phases = [] } = one.profiled ?? ({} as Partial<Contestant["runs"][number]>);
  const counts = [
    [dispatches, "dispatches"],
    [submits, "submits"],
    [readbacks, "readbacks"],
    [forwards, "forwards"],
  ].flatMap(([count, what]) => (count === undefined ? [] : [`${formatCount(count as number)} ${what}`]));
  const figure = rooflineSvg(
    { calibration, kernels: [{ series: one.decoding, rows: one.kernels }], title: nameOf(one) },
    { theme: "auto" },
  );
  return (
    `<details${open ? " open" : ""}><summary>${dot(one.series)}${escapeText(nameOf(one))}<span class="aside">${counts.join(" · ")}</span></summary>` +
    (phases.length ? `<h3>Phases</h3>${phaseTable(phases)}` : "") +
    `<h3>Kernels</h3>${kernelTable(one)}<div class="figure">${figure}</div></details>`
  );
}

function phaseTable(phases: readonly PhaseRow[]): string {
  const rows = phases.map(
    (phase) =>
      `<tr><td>${escapeText(phase.name)}</td>${cell(formatCount(phase.forwards), phase.forwards)}${cell(formatCount(phase.tokens), phase.tokens)}` +
      `${cell(formatNs(phase.ns), phase.ns)}${cell(formatFlops(phase.flops), phase.flops)}${cell(formatBytes(phase.bytes), phase.bytes)}` +
      `${cell(formatNumber(phase.flops / phase.bytes), phase.flops / phase.bytes)}</tr>`,
  );
  const heads = ["Phase", "Forwards", "Tokens", "GPU time", "Work", "Traffic", "Intensity"].map((word) => heading(word));
  return table(heads, rows);
}

function kernelTable({ kernels, shapesOf }: Contestant): string {
  const rows = kernels.map(
    (row) =>
      `<tr><td class="text" data-value="${escapeText(row.kernel)}"><code>${escapeText(row.kernel)}</code> ${escapeText(row.variant)}</td>` +
      `<td class="text">${escapeText(row.role)}</td><td class="text">${escapeText(row.phase)}</td>` +
      `<td class="text shape">${escapeText(formatShapes(shapesOf.get(row) ?? [row.shape]))}</td>` +
      `${cell(formatCount(row.calls), row.calls)}${cell(formatNs(row.ns), row.ns)}${cell(formatPercent(row.share === null ? null : row.share * 100), row.share)}` +
      `${cell(formatNumber(row.gflops), row.gflops)}${cell(formatNumber(row.gbps), row.gbps)}${roofCell(row)}${boundCell(row)}</tr>`,
  );
  const heads = [
    heading("Kernel", "", "text"),
    heading("Role", "", "text"),
    heading("Phase", "", "text"),
    heading("Shape", "", "text"),
    heading("Calls"),
    heading("Time"),
    heading("Share"),
    heading("GFLOP/s"),
    heading("GB/s"),
    heading("% of roof"),
    heading("Bound by", "", "text"),
  ];
  return table(heads, rows);
}

function roofCell({ percentOfRoof, aboveRoof }: KernelRow): string {
  if (percentOfRoof === null) return cell("–", null);
  const meter = `<span class="meter"><i style="--at:${Math.min(100, percentOfRoof).toFixed(1)}%"></i></span>`;
  const note = aboveRoof
    ? ' title="Above its roof: its work is counted wrong, or the device was busy while it was calibrated"'
    : "";
  return `<td${aboveRoof ? ' class="above"' : ""}${note} data-value="${percentOfRoof}">${formatPercent(percentOfRoof)}${meter}</td>`;
}

const boundCell = ({ boundBy }: KernelRow): string =>
  `<td class="text">${boundBy === null ? "–" : `<span class="bound ${boundBy}">${boundBy}</span>`}</td>`;

export function textSection(all: readonly Contestant[]): string {
  const prompts = [...new Set(all.flatMap((one) => one.runs.map((run) => run.prompt)))];
  const parts = prompts.map((prompt, i) => {
    const answers = all.flatMap((one) =>
      one.runs
        .filter((run) => run.prompt === prompt)
        .map((run) => {
          const verdict =
            run.exactMatch === undefined
              ? ""
              : run.exactMatch
                ? ' · <span class="right">match</span>'
                : ' · <span class="wrong">no match</span>';
          const finish = run.finishReason ? ` · ${escapeText(run.finishReason)}` : "";
          return (
            `<article style="--colour:${seriesColour(one.series)}"><header>${escapeText(nameOf(one))} · ${formatCount(run.forwards)} forwards` +
            `${finish}${verdict}</header><pre>${escapeText(run.text) || "<i>nothing</i>"}</pre></article>`
          );
        }),
    );
    const short = prompt.length > 90 ? `${prompt.slice(0, 90)}…` : prompt;
    return `<details${i === 0 ? " open" : ""}><summary>${escapeText(short)}</summary><pre class="prompt">${escapeText(prompt)}</pre><div class="texts">${answers.join("")}</div></details>`;
  });
  return card(
    "What they wrote",
    `${prompts.length === 1 ? "The prompt" : `The ${prompts.length} prompts`} and every answer.`,
    parts.join(""),
  );
}
