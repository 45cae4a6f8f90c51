/** What `kernels` prints for people. */
import type { ForwardMeasurement, KernelBench, KernelMeasurement, Scaling, TuneReport } from "../src/index";
import { formatGbps, formatGflops, formatNs, formatNumber, formatPercent } from "./format";
import { formatTable } from "./table";

const shapeText = (shape: KernelMeasurement["shape"]): string =>
  Object.entries(shape)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

/** One line a kernel, variant and number of rows. */
export function kernelTableText({ kernels, clock }: KernelBench): string {
  const table = formatTable(kernels, [
    { head: "role", cell: ({ role }) => role, left: true },
    { head: "kernel", cell: ({ kernel, variant, chosen }) => `${chosen ? "" : "· "}${kernel} ${variant}`, left: true },
    { head: "shape", cell: ({ shape }) => shapeText(shape), left: true },
    { head: "calls", cell: ({ calls }) => String(calls) },
    { head: "time", cell: ({ ns }) => formatNs(ns?.median) },
    { head: "spread", cell: ({ ns }) => (ns ? `± ${formatPercent((100 * ns.mad) / ns.median)}` : "–") },
    { head: "rate", cell: ({ gflops }) => formatGflops(gflops) },
    { head: "moved", cell: ({ gbps }) => formatGbps(gbps) },
    { head: "of its floor", cell: ({ percentOfRoof }) => formatPercent(percentOfRoof) },
    { head: "bound by", cell: ({ boundBy }) => boundBy, left: true },
    { head: "right", cell: ({ correct, fault }) => (correct ? "yes" : `NO: ${fault}`), left: true },
  ]);
  const host = clock === "host" ? "times are the host's: this device has no clock that pages may read; submits count in\n" : "";
  return `${table}${host}`;
}

/** Forwards as sums of their kernels, and what is weakest in each. */
export function forwardTable(forwards: readonly ForwardMeasurement[]): string {
  const table = formatTable(forwards, [
    { head: "rows", cell: ({ rows }) => String(rows) },
    { head: "sum of kernels", cell: ({ ns }) => formatNs(ns) },
    { head: "of floors", cell: ({ floorNs }) => formatNs(floorNs) },
    { head: "of its floor", cell: ({ percentOfRoof }) => formatPercent(percentOfRoof) },
    { head: "weakest", cell: ({ weakest }) => (weakest ? `${weakest.role} (${weakest.kernel})` : "–"), left: true },
    { head: "gives back", cell: ({ weakest }) => formatNs(weakest?.lostNs) },
  ]);
  const reasons = forwards.flatMap(({ rows, weakest }) => (weakest ? [`${rows} rows, ${weakest.role}: ${weakest.reason}`] : []));
  return `${table}${reasons.map((line) => `${line}\n`).join("")}`;
}

/** What rows cost, and the tokens that a forward must reveal for that. */
export const scalingTable = ({ forward }: Scaling): string =>
  formatTable(forward, [
    { head: "rows", cell: ({ rows }) => String(rows) },
    { head: "t(rows) / t(1) = tokens a forward at break-even", cell: ({ ratio }) => formatNumber(ratio) },
    { head: "time a row", cell: ({ rows, ratio }) => formatPercent((100 * ratio) / rows) },
  ]);

/** What the autotuner decided, and what it had no time for. */
export function tuningTable({ document, decided, remembered, undecided, clock, notKept, ms }: TuneReport): string {
  const table = formatTable(document.entries, [
    { head: "class", cell: ({ key }) => key, left: true },
    { head: "runs", cell: ({ variant }) => variant, left: true },
    { head: "instead of", cell: ({ variant, before }) => (variant === before ? "" : before), left: true },
    { head: "faster", cell: ({ variant, before, speedup }) => (variant === before ? "" : `${formatNumber(speedup)}×`) },
    { head: "wrong here", cell: ({ rejected }) => rejected.map(({ id }) => id).join(", "), left: true },
  ]);
  const lines = [
    `tuned ${decided} classes in ${formatNs(ms * 1e6)}${remembered > 0 ? `, ${remembered} remembered` : ""}; ${clock === "gpu" ? "the GPU's clock" : "the host's clock, in which submits count"}`,
    ...undecided.map(({ key, reason }) => `undecided: ${key} (${reason})`),
    ...(notKept === null ? [] : [`not kept for the next visit: ${notKept}`]),
  ];
  return `${table}${lines.join("\n")}\n`;
}
