/** The report's sections about all contestants: headline table, speed, roofline, where time went, ceilings, words. Each returns HTML. */
import { barChartSvg, stackedChartSvg } from "./charts";
import { escapeText, seriesColour } from "./figure";
import {
  formatBinaryBytes,
  formatBytes,
  formatFlops,
  formatGbps,
  formatGflops,
  formatNs,
  formatNumber,
  formatPercent,
} from "./format";
import { accountOf, type CompareDocument, type Contestant, nameOf } from "./report-summary";
import { rooflineSvg } from "./roofline-figure";
import type { Calibration, Spread } from "./types";

/** A card with a heading and a sentence that says what to look for. */
export const card = (heading: string, note: string, content: string): string =>
  `<section class="card"><h2>${heading}</h2><p class="note">${note}</p>${content}</section>`;

export const dot = (series: number): string => `<span class="dot" style="--colour:${seriesColour(series)}"></span>`;

/** A numeric cell that sorts by its value. */
export const cell = (shown: string, value: number | null | undefined, best = false): string =>
  `<td${best ? ' class="best"' : ""} data-value="${value ?? -1}">${escapeText(shown)}</td>`;

/** A heading cell; sortable tables put the word into a button. */
export const heading = (word: string, under = "", cls = ""): string =>
  `<th scope="col"${cls && ` class="${cls}"`}><button type="button">${word}</button>${under && `<small>${under}</small>`}</th>`;

interface Column {
  readonly heading: readonly [string, string];
  readonly value: (one: Contestant) => number | null;
  readonly show: (one: Contestant) => string;
  /** Which way is better; the best is set in bold. */
  readonly better?: "more" | "less";
}

const COLUMNS: readonly Column[] = [
  { heading: ["Speed", "tok/s"], value: (c) => c.tokensPerSecond, show: (c) => formatNumber(c.tokensPerSecond), better: "more" },
  {
    heading: ["TPF", "tokens / forward"],
    value: (c) => c.tokensPerForward,
    show: (c) => formatNumber(c.tokensPerForward),
    better: "more",
  },
  { heading: ["Rows", "per forward"], value: (c) => c.rowsPerForward, show: (c) => formatNumber(c.rowsPerForward) },
  { heading: ["Work", "per token"], value: (c) => c.flopsPerToken, show: (c) => formatFlops(c.flopsPerToken), better: "less" },
  { heading: ["Traffic", "per token"], value: (c) => c.bytesPerToken, show: (c) => formatBytes(c.bytesPerToken), better: "less" },
  { heading: ["Intensity", "FLOP/byte"], value: (c) => c.arithmeticIntensity, show: (c) => formatNumber(c.arithmeticIntensity) },
  { heading: ["Bubble", "of wall time"], value: bubbleOf, show: (c) => formatPercent(bubbleOf(c)), better: "less" },
];

function bubbleOf({ profiled }: Contestant): number | null {
  const account = profiled && accountOf(profiled);
  return account && (account.outside / account.wall) * 100;
}

export function headlineSection(all: readonly Contestant[]): string {
  const judged = all.some((one) => one.answered > 0);
  const best = COLUMNS.map(({ value, better }) => {
    const values = all.map(value).filter((v) => v !== null);
    const same = new Set(values).size < 2;
    return better === undefined || same ? null : better === "more" ? Math.max(...values) : Math.min(...values);
  });
  const rows = all.map((one) => {
    const cells = COLUMNS.map(({ value, show }, i) => cell(show(one), value(one), best[i] !== null && value(one) === best[i]));
    const match = judged ? cell(matchText(one), one.answered ? one.matches / one.answered : null) : "";
    return `<tr><td data-value="${escapeText(nameOf(one))}">${dot(one.series)}${escapeText(nameOf(one))}</td>${cells.join("")}${match}</tr>`;
  });
  const heads = [heading("Model · decoding"), ...COLUMNS.map((column) => heading(...column.heading))];
  if (judged) heads.push(heading("Exact match", "95 % interval"));
  const prompts = Math.max(...all.map((one) => one.runs.length));
  return card(
    "Side by side",
    `Totals over ${prompts} ${prompts === 1 ? "prompt" : "prompts"}. Speed is wall clock, from the call to the last token. Work and traffic are counted from the kernels that ran.`,
    table(heads, rows),
  );
}

export const table = (heads: readonly string[], rows: readonly string[]): string =>
  `<div class="scroll"><table data-sortable><thead><tr>${heads.join("")}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;

function matchText({ matches, answered, matchInterval }: Contestant): string {
  if (!matchInterval) return "–";
  const [low, high] = [matchInterval.low, matchInterval.high].map((share) => (share * 100).toFixed(0));
  return `${matches}/${answered} (${low}–${high} %)`;
}

export function speedSection(all: readonly Contestant[]): string {
  const bars = all.map((one) => {
    const speeds = one.runs.map((run) => run.tokensPerSecond);
    const interval = speeds.length > 1 ? { interval: { low: Math.min(...speeds), high: Math.max(...speeds) } } : {};
    return { label: nameOf(one), value: one.tokensPerSecond, series: one.series, ...interval };
  });
  const several = all.some((one) => one.runs.length > 1);
  return card(
    "Speed",
    `Answer tokens over wall time${several ? ", all prompts together; the whisker spans the slowest and the fastest prompt" : ""}.`,
    `<div class="figure">${barChartSvg({ title: "Tokens per second", unit: "tok/s", bars }, { theme: "auto" })}</div>`,
  );
}

export function rooflineSection(calibration: Calibration, all: readonly Contestant[]): string {
  const profiled = all.filter((one) => one.profiled);
  // One decoding a model: its fastest. The others have their own figure below.
  const models = [...new Set(profiled.map((one) => one.model))];
  const shown = models.map((model) =>
    profiled
      .filter((one) => one.model === model)
      .reduce((best, one) => (one.tokensPerSecond > best.tokensPerSecond ? one : best)),
  );
  if (shown.length === 0) return "";
  const kernels = shown.map((one) => ({ series: nameOf(one), rows: one.kernels }));
  return card(
    "Where the kernels stand",
    "Each mark is one kind of kernel of a model's fastest decoding, all its calls together. Its stalk ends at its own roof, which also counts load issue and the cost of a dispatch. Point at a mark or a roof for its numbers.",
    `<div class="figure">${rooflineSvg({ calibration, kernels, title: "Roofline of this device" }, { theme: "auto" })}</div>`,
  );
}

export function accountSection(all: readonly Contestant[]): string {
  const bars = all.flatMap((one) => {
    const account = one.profiled && accountOf(one.profiled);
    return account
      ? [{ label: nameOf(one), values: [account.floors, account.aboveFloors, account.betweenKernels, account.outside] }]
      : [];
  });
  if (bars.length === 0) return "";
  const parts = ["floors: the least possible", "kernels above their floors", "between kernels", "outside the GPU's steps"];
  return card(
    "Where the time went",
    "Wall time of one profiled run each. The first part cannot be saved on this device by better kernels, only by less work; the second is what better kernels could save; the rest is the bubble: launches, submits, readbacks and the host.",
    `<div class="figure">${stackedChartSvg({ title: "Wall time by what it was spent on", parts, bars, format: formatNs }, { theme: "auto" })}</div>`,
  );
}

export function ceilingSection({ calibration }: CompareDocument): string {
  const { flopsPerNs, bytesPerNs, loadsPerNs, dispatchNs, submitMapNs, configurations = {}, sentinelDriftPercent } = calibration;
  const row = (name: string, measured: Spread | undefined, show: (value: number) => string, configuration?: string) =>
    measured
      ? `<tr><td>${name}</td><td>${escapeText(show(measured.median))}</td><td>± ${formatPercent((measured.mad / measured.median) * 100)}</td>` +
        `<td class="text">${escapeText(configuration ?? "")}</td></tr>`
      : "";
  const rows = [
    row("f32 multiply-add", flopsPerNs.f32, formatGflops, configurations.f32),
    row("f16 multiply-add", flopsPerNs.f16, formatGflops, configurations.f16),
    row("int8 dot product (dp4a)", flopsPerNs.dp4a, (value) => formatGflops(value).replace("FLOP", "OP"), configurations.dp4a),
    ...bytesPerNs.levels.map((level) => row(`read, working set ${formatBinaryBytes(level.workingSetBytes)}`, level, formatGbps)),
    row("copy", bytesPerNs.copy, formatGbps, configurations.copy),
    row("load issue", loadsPerNs, (value) => `${formatNumber(value)} loads/ns`, configurations.loads),
    row("dispatch, among dependent ones", dispatchNs, formatNs),
    row("submit until mapped", submitMapNs, formatNs),
  ];
  const head = ["Ceiling", "Measured", "Spread"].map((word) => `<th scope="col">${word}</th>`).join("");
  const drift =
    sentinelDriftPercent === undefined
      ? ""
      : ` The sentinel kernel moved by ${sentinelDriftPercent.toFixed(1)} % from the first to the last measurement.`;
  return card(
    "The roofs of this device",
    `Measured in this browser before the runs, each by its fastest kernel, and each kernel's result checked.${drift}`,
    `<div class="scroll"><table><thead><tr>${head}<th scope="col" class="text">Fastest kernel</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`,
  );
}

const GLOSSARY: readonly (readonly [string, string])[] = [
  ["tok/s", "Answer tokens over wall time, prompt processing included."],
  ["Forward", "One pass of the model. Its rows are the positions it computes."],
  ["TPF", "Tokens per forward: answer tokens over forwards of every kind. 1 for autoregressive decoding."],
  [
    "FLOP, FLOP/s",
    "Floating-point operations of the matrix products and attention, counted from shapes; and how many a second. A multiply-add is two.",
  ],
  ["Traffic", "Bytes that must be moved at least: every operand of a kernel once."],
  ["Arithmetic intensity", "FLOP per byte of traffic. Left of the ridge point memory binds, right of it arithmetic."],
  ["Ridge point", "The intensity at which memory and arithmetic take equally long on this device."],
  ["Roof, floor", "The most GFLOP/s a kernel's work allows on this device; the least time it can take, which says the same."],
  ["% of roof", "Floor over measured time. 100 % cannot be beaten; more means that a count or a ceiling is wrong."],
  [
    "Bound by",
    "The largest term of the floor: compute, memory, issue (32-bit loads an invocation asks for) or launch (the cost of a dispatch).",
  ],
  ["Bubble", "Wall time in which the GPU worked on no step: launches, submits, readbacks, the host."],
  [
    "Prefix, dual cache",
    "For masked diffusion: keys and values kept for the prompt and earlier blocks, or for all but the active block.",
  ],
  ["Threshold", "Every masked position whose confidence reaches it is revealed in one forward."],
  ["Exact match", "Answers equal to the expected one, with a 95 % Wilson interval."],
];

export function glossarySection(): string {
  const entries = GLOSSARY.map(([term, meaning]) => `<div><dt>${term}</dt><dd>${meaning}</dd></div>`);
  return `<section class="card"><h2>Words</h2><dl class="glossary">${entries.join("")}</dl></section>`;
}
