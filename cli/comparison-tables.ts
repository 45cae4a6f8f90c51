/** What `compare` prints for people. */

import type { KernelRow } from "../src/index";
import { FASTEST, NAIVE, profiledWallNs, type Run, type Summary, speedups } from "./comparison";
import { formatBytes, formatFlops, formatNs, formatNumber, formatPercent } from "./format";
import { formatTable } from "./table";

/** A shape, as a range where the calls differ: `T=1 S=33–73`. */
function shapeRange(parts: readonly KernelRow[]): string {
  const range = (name: string) => {
    const sizes = parts.map(({ shape }) => shape[name] ?? 0);
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    return `${name}=${least === most ? least : `${least}–${most}`}`;
  };
  return Object.keys(parts[0]?.shape ?? {})
    .map(range)
    .join(" ");
}

/** A line of the terminal's table: calls that differ in shape only (a growing cache). A time that was not resolved leaves all unresolved. */
function merge(parts: readonly KernelRow[]) {
  const total = (pick: (row: KernelRow) => number | null | undefined) =>
    parts.reduce<number | null>((sum, row) => (sum === null ? null : isKnown(pick(row)) ? sum + pick(row)! : null), 0);
  const { kernel, variant, role, phase } = parts[0]!;
  const [ns, flops, bytes] = [total((row) => row.ns), total((row) => row.flops), total((row) => row.bytes)];
  const floorNs = total((row) => row.floorNs ?? (isKnown(row.ns) ? ((row.percentOfRoof ?? 0) / 100) * row.ns : null));
  const rate = (work: number | null) => (ns && work !== null ? work / ns : null);
  const longest = parts.reduce((top, row) => ((row.ns ?? 0) > (top.ns ?? 0) ? row : top));
  return {
    ...{ kernel, variant, role, phase, ns },
    shape: shapeRange(parts),
    calls: total((row) => row.calls),
    gflops: rate(flops),
    gbps: rate(bytes),
    percentOfRoof: rate(floorNs === null ? null : floorNs * 100),
    boundBy: longest.boundBy,
    share: total((row) => row.share),
    aboveRoof: parts.some((row) => row.aboveRoof),
  };
}

const isKnown = (value: number | null | undefined): value is number => value !== null && value !== undefined;

/** One line a kernel, variant, role and phase, the longest first. */
export function kernelTable(kernels: readonly KernelRow[]): string {
  const keyOf = ({ kernel, variant, role, phase }: KernelRow) => [kernel, variant, role, phase].join();
  const rows = [...new Set(kernels.map(keyOf))]
    .map((key) => merge(kernels.filter((row) => keyOf(row) === key)))
    .toSorted((a, b) => (b.ns ?? 0) - (a.ns ?? 0));
  return formatTable(rows, [
    { head: "kernel", cell: ({ kernel }) => kernel, left: true },
    { head: "variant", cell: ({ variant }) => variant, left: true },
    { head: "role", cell: ({ role }) => role, left: true },
    { head: "phase", cell: ({ phase }) => phase, left: true },
    { head: "shape", cell: ({ shape }) => shape, left: true },
    { head: "calls", cell: ({ calls }) => String(calls) },
    { head: "time", cell: ({ ns }) => formatNs(ns) },
    { head: "GFLOP/s", cell: ({ gflops }) => formatNumber(gflops) },
    { head: "GB/s", cell: ({ gbps }) => formatNumber(gbps) },
    // A point above its roof is an error of the count or of the calibration: it is marked.
    { head: "% roof", cell: ({ percentOfRoof, aboveRoof }) => `${aboveRoof ? "!" : ""}${formatPercent(percentOfRoof)}` },
    { head: "bound by", cell: ({ boundBy }) => boundBy ?? "–", left: true },
    { head: "share", cell: ({ share }) => formatPercent(share === null ? null : share * 100) },
  ]);
}

/** One line a model and decoding. */
export function summaryTable(summaries: readonly Summary[]): string {
  return formatTable(summaries, [
    { head: "model", cell: ({ model }) => model, left: true },
    { head: "decoding", cell: ({ decoding }) => decoding, left: true },
    { head: "tok/s", cell: ({ tokensPerSecond }) => formatNumber(tokensPerSecond) },
    { head: "tok/forward", cell: ({ tokensPerForward }) => formatNumber(tokensPerForward) },
    { head: "rows/forward", cell: ({ rowsPerForward }) => formatNumber(rowsPerForward) },
    { head: "FLOP/tok", cell: ({ flopsPerToken }) => formatFlops(flopsPerToken) },
    { head: "bytes/tok", cell: ({ bytesPerToken }) => formatBytes(bytesPerToken) },
    { head: "FLOP/byte", cell: ({ arithmeticIntensity }) => formatNumber(arithmeticIntensity) },
    { head: "bubble", cell: ({ bubblePercent }) => formatPercent(bubblePercent) },
    { head: "right", cell: ({ exactMatches, answers }) => (answers > 0 ? `${exactMatches}/${answers}` : "–") },
  ]);
}

/** The four times that must be read together. */
export function timeLine(run: Run): string {
  const { sumOfFloorsNs, sumOfKernelsNs, stepNs } = run.timings;
  const times = [sumOfFloorsNs, sumOfKernelsNs, stepNs, profiledWallNs(run)].map(formatNs).join(" / ");
  return `sum of floors / sum of kernels / step / wall: ${times}\n`;
}

/** The profiled run of one decoding: its text, its kernels and its four times. */
export function runSection(run: Run): string {
  const { model, decoding, prompt, text, kernels } = run;
  return `\n── ${model}, ${decoding.name}\n${prompt}\n  → ${text.trim()}\n\n${kernelTable(kernels)}${timeLine(run)}`;
}

/** How much the cache and the threshold gain over naive decoding. */
export function speedupLines(summaries: readonly Summary[]): string {
  return speedups(summaries)
    .map(({ model, ratio }) => `${model}: ${FASTEST} is ${formatNumber(ratio)}× as fast as ${NAIVE}\n`)
    .join("");
}
