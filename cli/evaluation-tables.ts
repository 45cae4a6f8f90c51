/** What was evaluated as Markdown: the tables of `docs/accuracy.md` and of the model cards, and their figures. It reads and writes no file. */
import { ensure } from "../src/errors";
import { lineChartSvg } from "../src/index";
import type { EvaluationSummary } from "./evaluation";
import { curvesOf, type DatasetName, keyOf, LENGTH, type ModelName, type Setting, type Table } from "./evaluation-settings";
import { formatFlops, formatNumber } from "./format";

/** Results by {@link keyOf}; settings that were not evaluated are absent. */
export type Results = ReadonlyMap<string, EvaluationSummary>;

/** Where and how the numbers were taken. */
export interface Provenance {
  readonly command: string;
  readonly device: string;
  readonly browser: string;
  /** Problems answered together. */
  readonly batch: number;
  /** Day of writing, ISO 8601. */
  readonly date: string;
}

interface Line {
  readonly setting: Setting;
  readonly summary: EvaluationSummary;
}

const percent = (share: number): string => (100 * share).toFixed(1);

const COLUMNS: readonly { head: string; cell: (line: Line) => string; left?: boolean }[] = [
  { head: "model", cell: ({ setting }) => setting.model, left: true },
  { head: "weights", cell: ({ setting }) => setting.weights, left: true },
  { head: "decoding", cell: ({ setting }) => setting.decoding, left: true },
  { head: "right, %", cell: ({ summary }) => percent(summary.accuracy) },
  { head: "95 %", cell: ({ summary: { confidence95 } }) => `${percent(confidence95.low)} – ${percent(confidence95.high)}` },
  { head: "n", cell: ({ summary }) => String(summary.n) },
  { head: "tokens/forward", cell: ({ summary }) => formatNumber(summary.tokensPerForward) },
  { head: "forwards/answer", cell: ({ summary }) => formatNumber(summary.forwards) },
  { head: "tok/s", cell: ({ summary }) => formatNumber(summary.tokensPerSecond) },
  { head: "FLOP/token", cell: ({ summary }) => formatFlops(summary.flopsPerToken) },
];

/** A Markdown table of the settings that have results; columns that say the same in every line are left out. */
export function resultTable(settings: readonly Setting[], results: Results): string {
  const lines = settings.flatMap((setting) => {
    const summary = results.get(keyOf(setting));
    return summary ? [{ setting, summary }] : [];
  });
  if (lines.length === 0) return "Not evaluated.\n";
  const says = (cell: (line: Line) => string): number => new Set(lines.map(cell)).size;
  const shown = COLUMNS.filter(({ head, cell }) => (head !== "model" && head !== "weights") || says(cell) > 1);
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return [
    row(shown.map(({ head }) => head)),
    row(shown.map(({ left }) => (left ? "---" : "---:"))),
    ...lines.map((line) => row(shown.map(({ cell }) => cell(line)))),
  ].join("");
}

function provenanceText({ command, device, browser, batch, date }: Provenance): string {
  return `\`${command}\` on ${device}, ${browser}, batch ${batch}, ${date}`;
}

/** The whole of `docs/accuracy.md`. */
export function accuracyPage(all: readonly Table[], results: Results, provenance: Provenance): string {
  const sections = all.map(({ title, about, settings }) => `## ${title}\n\n${about}\n\n${resultTable(settings, results)}`);
  return `# Accuracy

How often the embedded models answer right, by how they are decoded. Written by ${provenanceText(provenance)}.

Word problems are those of \`models/heldout.jsonl\`, right when the number after \`####\` is; stories are answers to
\`models/stories.jsonl\`, right when the generator of the corpus could have told them. No model was trained on any of these questions
(\`training/corpus.py\`). Every answer has room for L = ${LENGTH} tokens. Intervals are Wilson's at 95 %, of this sample of questions: training
the models anew would move the numbers too. Tokens a forward count the end of the answer; tok/s is what this
device happened to do with ${provenance.batch} answers at a time.

![right answers against tokens per forward](accuracy.svg)

![valid stories against tokens per forward](stories.svg)

${sections.join("\n")}`;
}

/** Begin and end of the part of a model card that is written by the tables. */
export const CARD_MARKERS = ["<!-- accuracy -->", "<!-- /accuracy -->"] as const;

/**
 * A model card with its tables written anew between {@link CARD_MARKERS}.
 *
 * @throws RidgepointError `bad-file` without the two markers in their order
 */
export function updateCard(
  card: string,
  name: ModelName,
  { all, results, provenance }: { all: readonly Table[]; results: Results; provenance: Provenance },
): string {
  const [begin, end] = CARD_MARKERS;
  const [from, to] = [card.indexOf(begin), card.indexOf(end)];
  ensure(
    from >= 0 && to > from,
    "bad-file",
    () =>
      `the card of ${name}, README.md: expected ${begin} and, after it, ${end} on lines of their own; put them where the tables belong`,
  );
  const byKey = new Map(all.flatMap(({ settings }) => settings).map((one) => [keyOf(one), one]));
  const own = [...byKey.values()].filter(({ model }) => model === name);
  const of = (dataset: DatasetName) =>
    resultTable(
      own.filter((one) => one.dataset === dataset),
      results,
    );
  const text = `Measured in this engine by ${provenanceText(provenance)}. Answers have room for ${LENGTH} tokens.

Held-out word problems:

${of("problems")}
Held-out story prompts:

${of("stories")}`;
  return `${card.slice(0, from + begin.length)}\n${text}${card.slice(to)}`;
}

/** Accuracy against tokens a forward, a line for each way of choosing how many. */
export function accuracyFigure(dataset: DatasetName, results: Results): string {
  const series = curvesOf(dataset).flatMap(({ name, settings }) => {
    const points = settings.flatMap((setting) => {
      const summary = results.get(keyOf(setting));
      if (!summary || summary.tokensPerForward === null) return [];
      return [{ x: summary.tokensPerForward, y: 100 * summary.accuracy, interval: scaled(summary) }];
    });
    return points.length > 0 ? [{ name, points: points.toSorted((a, b) => a.x - b.x) }] : [];
  });
  const most = Math.max(2, ...series.flatMap(({ points }) => points.map(({ x }) => x)));
  const xTicks = [1, 2, 4, 8, 16, 32, 64].filter((tick) => tick < 2 * most);
  return lineChartSvg(
    {
      title: dataset === "problems" ? "Right answers" : "Valid stories",
      xLabel: "tokens per forward",
      yLabel: dataset === "problems" ? "right, %" : "valid, %",
      log: { x: true },
      xTicks,
      series,
    },
    { theme: "auto" },
  );
}

const scaled = ({ confidence95: { low, high } }: EvaluationSummary) => ({ low: 100 * low, high: 100 * high });
