/** Documents into text for people. */
import { formatNumber } from "../../cli/format";
import { type Column, formatTable } from "../../cli/table";
import type { CaseResult, Outcome, PeersDocument } from "./protocol";
import { type CaseRatio, caseRatio, type GroupRatio, groupRatios, type Ratio, rateOf, type Summary } from "./ratios";

const ratioText = (ratio: Ratio | null): string =>
  ratio ? `${formatNumber(ratio.median)} (${formatNumber(ratio.low)}–${formatNumber(ratio.high)})` : "–";
const rateText = (result: CaseResult, outcome: Outcome | null): string =>
  outcome ? formatNumber(rateOf(result, outcome, outcome.gpuNs.length > 0 ? "gpuNs" : "wallNs")) : "–";
const engineText = ({ engine, name }: Outcome): string => `${engine} ${name}`;

/** A peer with a wrong result is told beside its time, in case no other is there. */
function bestText({ best, fair }: CaseRatio): string {
  if (!best) return "none";
  return fair ? engineText(best) : `${engineText(best)} (WRONG RESULT)`;
}

/** One line a case: ours, the best peer, and how many times as long that takes. */
export function caseTable(cases: readonly CaseResult[]): string {
  const columns: readonly Column<CaseRatio>[] = [
    { head: "case", left: true, cell: ({ result }) => result.name },
    { head: "ours", left: true, cell: ({ ours }) => ours?.name ?? "failed" },
    { head: "rate", cell: ({ result, ours }) => rateText(result, ours) },
    { head: "best peer", left: true, cell: bestText },
    { head: "rate", cell: ({ result, best }) => rateText(result, best) },
    { head: "unit", left: true, cell: ({ result }) => result.unit },
    { head: "× GPU time", cell: ({ gpu }) => ratioText(gpu) },
    { head: "× wall", cell: ({ wall }) => ratioText(wall) },
  ];
  return formatTable(cases.map(caseRatio), columns);
}

const meanText = (summary: Summary | null): string => (summary ? formatNumber(summary.mean) : "–");
const worstText = (summary: Summary | null): string => (summary ? `${formatNumber(summary.worst)} at ${summary.worstCase}` : "–");
const yesText = (summary: Summary | null): string => (summary ? (summary.everywhere ? "yes" : "NO") : "–");

/** One line a group: geometric mean of its cases, the worst, and whether ours is faster at every shape. */
export function groupTable(cases: readonly CaseResult[]): string {
  const columns: readonly Column<GroupRatio>[] = [
    { head: "group", left: true, cell: ({ group }) => group },
    { head: "cases", cell: ({ cases: count }) => String(count) },
    { head: "mean × GPU", cell: ({ gpu }) => meanText(gpu) },
    { head: "mean × wall", cell: ({ wall }) => meanText(wall) },
    { head: "faster at every shape", cell: ({ gpu, wall }) => `${yesText(gpu)} / ${yesText(wall)}` },
    { head: "worst × GPU", left: true, cell: ({ gpu }) => worstText(gpu) },
    { head: "worst × wall", left: true, cell: ({ wall }) => worstText(wall) },
  ];
  return formatTable(groupRatios(cases.map(caseRatio)), columns);
}

/** One line a contestant, with what is left out and why. */
export function contestantTable(cases: readonly CaseResult[]): string {
  const lines = cases.flatMap((result) => result.outcomes.map((outcome) => ({ result, outcome })));
  const columns: readonly Column<(typeof lines)[number]>[] = [
    { head: "case", left: true, cell: ({ result }) => result.name },
    { head: "contestant", left: true, cell: ({ outcome }) => engineText(outcome) },
    { head: "rate GPU", cell: ({ result, outcome }) => formatNumber(rateOf(result, outcome, "gpuNs")) },
    { head: "rate wall", cell: ({ result, outcome }) => formatNumber(rateOf(result, outcome, "wallNs")) },
    { head: "unit", left: true, cell: ({ result }) => result.unit },
    { head: "dispatches", cell: ({ outcome }) => formatNumber(outcome.dispatches) },
    { head: "error", cell: ({ outcome }) => (outcome.error === null ? "–" : outcome.error.toExponential(1)) },
    {
      head: "note",
      left: true,
      cell: ({ outcome }) => (outcome.standing === "failed" ? `failed: ${outcome.note}` : outcome.note),
    },
  ];
  return formatTable(lines, columns);
}

/** Everything of a run that people read. */
export function documentText(document: PeersDocument, everyContestant: boolean): string {
  const { cases, device, adapter, browser, cpus, versions, effort, date } = document;
  const kernels = cases.filter(({ unit }) => unit !== "tok/s");
  const whole = cases.filter(({ unit }) => unit === "tok/s");
  const subgroups = device.subgroupMaxSize > 0 ? `, subgroups of ${device.subgroupMinSize} to ${device.subgroupMaxSize}` : "";
  const head = [
    `${adapter}: ${[device.vendor, device.architecture, device.description].filter(Boolean).join(" ")}${subgroups}; ${browser}; ${cpus}; ${date}`,
    Object.entries(versions)
      .map((entry) => entry.join(" "))
      .join(", "),
    `medians of ${effort.rounds} interleaved rounds, smallest and largest in brackets; above 1 the peer takes longer`,
  ];
  if (document.peersWithout.length > 0) head.push(`peers in the page without ${document.peersWithout.join(", ")}`);
  const parts = [`${head.join("\n")}\n`];
  if (kernels.length > 0) parts.push(caseTable(kernels));
  if (kernels.length > 0 && everyContestant) parts.push(contestantTable(kernels));
  if (whole.length > 0) parts.push(contestantTable(whole));
  if (cases.length > 0) parts.push(groupTable(cases));
  return parts.join("\n");
}
