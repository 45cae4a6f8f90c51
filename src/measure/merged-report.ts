/** Documents of any runs into one page: devices side by side, sweeps merged over their shards, comparisons, evaluations. It measures nothing. */
import { ensure } from "../errors";
import { escapeText } from "./figure";
import { benchSection, deviceSection, devicesOf, evaluationSection, type Seen, sweepSection } from "./merged-sections";
import { renderPage } from "./report-page";
import { accountSection, glossarySection, headlineSection, rooflineSection, speedSection } from "./report-sections";
import { type CompareDocument, contestants } from "./report-summary";
import { nameOfDevice, type RunDocument } from "./run-documents";
import type { SweepDocument } from "./sweep";
import { mergeSweeps, sweepCsv } from "./sweep-merge";
import { theorySection } from "./theory-section";

export interface MergedReport {
  /** One self-contained page. */
  readonly html: string;
  /** Every point of every sweep; null without any. */
  readonly csv: string | null;
  /** Sweeps after merging, e.g. to be written as JSON. */
  readonly sweeps: readonly SweepDocument[];
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
  const benchmarks = documents.filter(isCommand("bench"));
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
    ...(benchmarks.length > 0 ? [benchSection(benchmarks)] : []),
    ...(sweeps.length > 0 ? [theorySection(devices)] : []),
    glossarySection(),
  ];
  const what = [
    sweeps.length > 0 && `${sweeps.length} ${sweeps.length === 1 ? "sweep" : "sweeps"}`,
    comparisons.length > 0 && `${comparisons.length} ${comparisons.length === 1 ? "comparison" : "comparisons"}`,
    benchmarks.length > 0 && `${benchmarks.length} ${benchmarks.length === 1 ? "benchmark" : "benchmarks"}`,
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
