/** Points of sweeps into figures: lines over the axis, predictions against measurements, every point under the device's roofs. It measures nothing. */
import { type LineSeries, lineChartSvg } from "./charts";
import type { Theme } from "./figure";
import { accuracyUnderParallelism } from "./parallelism";
import { rooflineSvg } from "./roofline-figure";
import { scatterSvg } from "./scatter";
import type { SweepDocument, SweepName, SweepPoint, SweepResult } from "./sweep";

/** A figure, to be drawn in a theme. */
export interface SweepFigure {
  /** Of its file, without extension. */
  readonly name: string;
  readonly title: string;
  readonly svg: (theme: Theme) => string;
}

/** A point and where it was measured. */
interface Placed {
  readonly point: SweepPoint;
  readonly device: string;
}

interface Measure {
  readonly name: string;
  readonly title: string;
  readonly yLabel: string;
  readonly log: boolean;
  readonly value: (result: SweepResult) => number | null;
  readonly interval?: (result: SweepResult) => { low: number; high: number } | undefined;
}

const LATENCY: Measure = {
  name: "latency",
  title: "Latency",
  yLabel: "s a generation",
  log: true,
  value: ({ wallNs }) => wallNs.median / 1e9,
};
const SPEED: Measure = {
  name: "throughput",
  title: "Throughput",
  yLabel: "tokens a second",
  log: true,
  value: ({ tokensPerSecond }) => tokensPerSecond.median,
};
const INTENSITY: Measure = {
  name: "intensity",
  title: "Arithmetic intensity",
  yLabel: "FLOP a byte",
  log: true,
  value: ({ arithmeticIntensity }) => arithmeticIntensity,
};
const WORK: Measure = {
  name: "work",
  title: "Work a token",
  yLabel: "MFLOP a token",
  log: true,
  value: ({ flopsPerToken }) => flopsPerToken / 1e6,
};
const ACCURACY: Measure = {
  name: "accuracy",
  title: "Exact match",
  yLabel: "% of problems solved",
  log: false,
  value: ({ accuracy }) => (accuracy === undefined ? null : 100 * accuracy),
  interval: ({ confidence95 }) => confidence95 && { low: 100 * confidence95.low, high: 100 * confidence95.high },
};
const PARALLELISM: Measure = {
  name: "parallelism",
  title: "Parallelism",
  yLabel: "tokens a forward",
  log: false,
  value: ({ tokensPerForward }) => tokensPerForward,
};

const AXES: Readonly<
  Record<SweepName, { readonly label: string; readonly log: boolean; readonly measures: readonly Measure[] }>
> = {
  length: { label: "generated tokens", log: true, measures: [LATENCY, SPEED, INTENSITY, WORK] },
  block: { label: "block length", log: true, measures: [LATENCY, SPEED, INTENSITY] },
  batch: { label: "batch", log: true, measures: [SPEED, INTENSITY] },
  steps: { label: "denoising steps", log: true, measures: [ACCURACY, SPEED] },
  threshold: { label: "confidence threshold", log: false, measures: [ACCURACY, PARALLELISM, SPEED] },
};

const deviceOf = ({ device }: SweepDocument): string =>
  [device.vendor, device.architecture, device.description].filter(Boolean).join(" ") || "unnamed device";

/** Short enough for a legend: a builtin without its scheme, a file without its folder. */
const modelOf = (name: string): string => name.replace(/^builtin:/, "").replace(/^.*\//, "");

const several = (placed: readonly Placed[]): boolean => new Set(placed.map(({ device }) => device)).size > 1;

const seriesName = ({ point, device }: Placed, all: readonly Placed[]): string =>
  [`${modelOf(point.model)}, ${point.decoding}`, several(all) && device].filter(Boolean).join(" · ");

function linesOf(
  all: readonly Placed[],
  { value, interval }: Measure,
  x = (point: SweepPoint): number | null => point.axis,
): LineSeries[] {
  const names = [...new Set(all.map((placed) => seriesName(placed, all)))];
  return names
    .map((name) => ({
      name,
      points: all
        .filter((placed) => seriesName(placed, all) === name)
        .flatMap(({ point }) => {
          const at = x(point);
          const band = point.result && interval?.(point.result);
          return at === null ? [] : [{ x: at, y: point.result && value(point.result), ...(band && { interval: band }) }];
        })
        .sort((a, b) => a.x - b.x),
    }))
    .filter(({ points }) => points.some(({ y }) => y !== null));
}

function lineFigures(sweep: SweepName, all: readonly Placed[]): SweepFigure[] {
  const { label, log, measures } = AXES[sweep];
  const lengths = [...new Set(all.map(({ point }) => point.promptLength))];
  return measures.flatMap((measure) =>
    lengths.flatMap((length) => {
      const series = linesOf(
        all.filter(({ point }) => point.promptLength === length),
        measure,
      );
      if (series.length === 0) return [];
      const prompt = length === null || lengths.length < 2 ? "" : `, prompt of ${length}`;
      const title = `${measure.title} against ${label}${prompt}`;
      const chart = { title, xLabel: label, yLabel: measure.yLabel, log: { x: log, y: measure.log }, series };
      const name = [measure.name, length !== null && lengths.length > 1 && `prompt-${length}`].filter(Boolean).join("-");
      return [{ name, title, svg: (theme: Theme) => lineChartSvg(chart, { theme }) }];
    }),
  );
}

/** Accuracy over tokens a forward, the score of each line in its name. */
function tradeOff(all: readonly Placed[]): SweepFigure[] {
  const measured = all.filter(({ point }) => point.result?.accuracy !== undefined);
  if (measured.length === 0) return [];
  const best = Math.max(...measured.map(({ point }) => point.result?.accuracy ?? 0));
  const series = linesOf(measured, ACCURACY, ({ result }) => result?.tokensPerForward ?? null).map((one) => {
    const points = one.points.map(({ x, y }) => ({ tokensPerForward: x, accuracy: (y ?? 0) / 100 }));
    return { ...one, name: `${one.name} · AUP ${accuracyUnderParallelism(points, { best }).toFixed(0)}` };
  });
  const title = "Exact match against tokens a forward";
  const chart = { title, xLabel: "tokens a forward", yLabel: ACCURACY.yLabel, series };
  return [{ name: "trade-off", title, svg: (theme) => lineChartSvg(chart, { theme }) }];
}

const labelOf = ({ point }: Placed): string =>
  [`${AXES[point.sweep].label} ${point.axis}`, point.promptLength !== null && `prompt ${point.promptLength}`]
    .filter(Boolean)
    .join(", ");

function predictions(all: readonly Placed[]): SweepFigure[] {
  const points = all.flatMap((placed) => {
    const { result } = placed.point;
    if (!result || result.predictedTokensPerSecond === null) return [];
    const [x, y] = [result.predictedTokensPerSecond, result.tokensPerSecond.median];
    return [{ series: seriesName(placed, all), x, y, label: labelOf(placed) }];
  });
  if (points.length === 0) return [];
  const title = "Predicted against measured";
  const labels = { xLabel: "tokens a second that the two roofs allow", yLabel: "tokens a second, measured" };
  return [
    {
      name: "predicted",
      title,
      svg: (theme) => scatterSvg({ title, ...labels, diagonal: "all that the roofs allow", points }, { theme }),
    },
  ];
}

/** Whole generations under the roofs of the device that ran them. */
function roofline(document: SweepDocument, suffix: string): SweepFigure[] {
  const all = placedOf(document);
  const points = all.flatMap((placed) => {
    const { result } = placed.point;
    if (!result || result.arithmeticIntensity === null) return [];
    const gflops = (result.flopsPerToken * result.tokensPerSecond.median) / 1e9;
    return [
      {
        label: `${placed.point.axis}`,
        series: seriesName(placed, all),
        intensity: result.arithmeticIntensity,
        gflops,
        boundBy: null,
        detail: labelOf(placed),
      },
    ];
  });
  if (points.length === 0) return [];
  const title = `Whole generations by ${AXES[document.sweep].label}`;
  return [
    {
      name: `roofline${suffix}`,
      title,
      svg: (theme) => rooflineSvg({ calibration: document.calibration, title, points }, { theme }),
    },
  ];
}

const placedOf = (document: SweepDocument): Placed[] => {
  const device = deviceOf(document);
  return document.points.map((point) => ({ point, device }));
};

/** Figures of documents of one kind of sweep, all devices together; rooflines one a device. */
export function sweepFigures(documents: readonly SweepDocument[]): SweepFigure[] {
  const [first] = documents;
  if (!first) return [];
  const all = documents.flatMap(placedOf);
  return [
    ...lineFigures(first.sweep, all),
    ...(first.sweep === "steps" || first.sweep === "threshold" ? tradeOff(all) : []),
    ...predictions(all),
    ...documents.flatMap((document, i) => roofline(document, documents.length > 1 ? `-${i + 1}` : "")),
  ];
}
