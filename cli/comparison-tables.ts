/** What `compare` prints for people. */

import type { KernelRow } from "../src/index";
import { formatBytes, formatFlops, formatNs, formatNumber, formatPercent, formatShape } from "../src/measure/format";
import { FASTEST, NAIVE, type Run, type Summary, speedups } from "./comparison";
import { formatTable } from "./table";

/** One line a kernel, variant, role, phase and shape, the longest first. */
export function kernelTable(kernels: readonly KernelRow[]): string {
  const rows = kernels.toSorted((a, b) => (b.ns ?? 0) - (a.ns ?? 0));
  return formatTable(rows, [
    { head: "kernel", cell: ({ kernel }) => kernel, left: true },
    { head: "variant", cell: ({ variant }) => variant, left: true },
    { head: "role", cell: ({ role }) => role, left: true },
    { head: "phase", cell: ({ phase }) => phase, left: true },
    { head: "shape", cell: ({ shape }) => formatShape(shape), left: true },
    { head: "calls", cell: ({ calls }) => String(calls) },
    { head: "time", cell: ({ ns }) => formatNs(ns) },
    { head: "GFLOP/s", cell: ({ gflops }) => formatNumber(gflops) },
    { head: "GB/s", cell: ({ gbps }) => formatNumber(gbps) },
    { head: "% roof", cell: ({ percentOfRoof }) => formatPercent(percentOfRoof) },
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
export function timeLine({ timings }: Run): string {
  const { sumOfFloorsNs, sumOfKernelsNs, stepNs, wallNs } = timings;
  const times = [sumOfFloorsNs, sumOfKernelsNs, stepNs, wallNs].map(formatNs).join(" / ");
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
