/** Bars and lines as SVG strings, the same in Node and in a page: speeds side by side, where time went, sweeps. It formats, it does not measure. */
import {
  escapeText,
  FONT,
  frame,
  legend,
  line,
  linearTicks,
  marker,
  round,
  seriesColour,
  type Theme,
  text,
  textWidth,
} from "./figure";
import { formatNumber, formatTick } from "./format";
import type { Interval } from "./statistics";

const WIDTH = 780;
/** A row is its label and, under it, its bar, so that long names and narrow pages do no harm. */
const ROW = 50;
const BAR = 18;
const BAR_TOP = 24;
const LEFT = 16;

const rowLabel = (label: string, top: number): string =>
  text(LEFT, top + 17, label.length > 66 ? `${label.slice(0, 65)}…` : label);

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Colour of the i-th series; bars of a kind share one. */
  readonly series: number;
  /** Drawn as a whisker. */
  readonly interval?: Interval;
  /** Written after the value. */
  readonly note?: string;
}

export interface BarChart {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

/** Horizontal bars from zero, their values written at the ends. */
export function barChartSvg({ title, unit, bars }: BarChart, { theme }: { theme: Theme }): string {
  const room = Math.max(...bars.map((bar) => textWidth(valueText(bar)))) + 16;
  const ticks = linearTicks(Math.max(0, ...bars.map((bar) => bar.interval?.high ?? bar.value)));
  const x = (value: number) => LEFT + (value / ticks.at(-1)!) * (WIDTH - LEFT - room);
  const top = 40;
  const bottom = top + bars.length * ROW;
  const rows = bars.map((bar, i) => {
    const y = top + i * ROW + BAR_TOP;
    const middle = y + BAR / 2;
    const whisker = bar.interval
      ? line(x(bar.interval.low), middle, x(bar.interval.high), middle, 'stroke="var(--ink)" stroke-width="1.5"')
      : "";
    return (
      `<g><title>${escapeText(`${bar.label}: ${valueText(bar)} ${unit}`)}</title>` +
      `<rect x="${LEFT}" y="${y}" width="${round(Math.max(1, x(bar.value) - LEFT))}" height="${BAR}" rx="3" fill="${seriesColour(bar.series)}"/></g>` +
      whisker +
      rowLabel(bar.label, top + i * ROW) +
      text(Math.max(x(bar.value), x(bar.interval?.high ?? 0)) + 7, middle + FONT * 0.35, valueText(bar), { class: "strong" })
    );
  });
  const axis = ticks.map(
    (tick, i) =>
      line(x(tick), top, x(tick), bottom, 'stroke="var(--grid)"') +
      text(x(tick), bottom + 20, formatTick(tick), { class: "muted small", anchor: i === 0 ? "start" : "middle" }),
  );
  const body = [text(LEFT, 26, `${title}, ${unit}`, { class: "heading" }), ...axis, ...rows].join("");
  const description = `${title}: ${bars.map((bar) => `${bar.label} ${valueText(bar)} ${unit}`).join("; ")}.`;
  return frame({ width: WIDTH, height: bottom + 30, title, description, theme, body });
}

const valueText = ({ value, note }: Bar): string => [formatNumber(value), note].filter(Boolean).join(" · ");

export interface StackedBar {
  readonly label: string;
  /** One value per part, in the chart's unit. */
  readonly values: readonly number[];
}

export interface StackedChart {
  readonly title: string;
  readonly parts: readonly string[];
  readonly bars: readonly StackedBar[];
  /** Formats a value with its unit. */
  readonly format: (value: number) => string;
}

/** Horizontal bars, each its own whole: shares of parts, the sum written at the end. */
export function stackedChartSvg({ title, parts, bars, format }: StackedChart, { theme }: { theme: Theme }): string {
  const sums = bars.map((bar) => bar.values.reduce((sum, value) => sum + value, 0));
  const right = WIDTH - 36 - Math.max(...sums.map((sum) => textWidth(format(sum))));
  const top = 40;
  const rows = bars.map((bar, i) => {
    const y = top + i * ROW + BAR_TOP;
    let at = LEFT;
    const cells = bar.values.map((value, part) => {
      const width = sums[i] ? (value / sums[i]!) * (right - LEFT) : 0;
      const share = `${((value / (sums[i] || 1)) * 100).toFixed(0)} %`;
      const cell =
        `<g><title>${escapeText(`${bar.label}: ${parts[part]} ${format(value)}, ${share}`)}</title>` +
        `<rect x="${round(at)}" y="${y}" width="${round(Math.max(0, width - 1))}" height="${BAR}" fill="${PARTS[part % PARTS.length]}"/>` +
        (width > textWidth(share, FONT - 1) + 8
          ? text(at + width / 2, y + BAR / 2 + FONT * 0.35, share, { class: "small inside", anchor: "middle" })
          : "") +
        "</g>";
      at += width;
      return cell;
    });
    const sum = text(right + 8, y + BAR / 2 + FONT * 0.35, format(sums[i]!), { class: "strong" });
    return rowLabel(bar.label, top + i * ROW) + cells.join("") + sum;
  });
  const bottom = top + bars.length * ROW;
  const items = parts.map((label, part) => ({
    label,
    sign: `<rect x="-7" y="-7" width="14" height="14" rx="3" fill="${PARTS[part % PARTS.length]}"/>`,
  }));
  const key = legend(items, LEFT, bottom + 18, WIDTH - 2 * LEFT);
  const description = bars
    .map((bar) => `${bar.label}: ${bar.values.map((value, part) => `${parts[part]} ${format(value)}`).join(", ")}`)
    .join("; ");
  return frame({
    width: WIDTH,
    height: bottom + 18 + key.height,
    title,
    description: `${title}. ${description}.`,
    theme,
    body: [text(LEFT, 26, title, { class: "heading" }), ...rows, key.svg].join(""),
    css: ".rp-figure .inside{fill:#fff;font-weight:600}",
  });
}

/** Parts of a whole, none of them a series' colour; white text reads on each in both themes. */
const PARTS = ["#33658a", "#8d5a97", "#99751a", "#66717f", "#8f4a4a"];

export interface LineSeries {
  readonly name: string;
  /** In growing x; `y: null` (out of memory, not run) breaks the line. */
  readonly points: readonly { readonly x: number; readonly y: number | null; readonly interval?: Interval }[];
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Axes that are logarithmic to base 2 (x) and 10 (y). Default neither. */
  readonly log?: { readonly x?: boolean; readonly y?: boolean };
  /** Values marked on the x axis, which reaches from the first to the last of them at least. Default: every x there is. */
  readonly xTicks?: readonly number[];
  readonly series: readonly LineSeries[];
}

/** Lines with markers and intervals: the form of a sweep. */
export function lineChartSvg(chart: LineChart, { theme }: { theme: Theme }): string {
  const { title, xLabel, yLabel, log = {}, series } = chart;
  const plot = { left: 84, right: WIDTH - 24, top: 48, bottom: 372 };
  const points = series.flatMap((one) => one.points);
  const xs = [...new Set([...points.map((point) => point.x), ...(chart.xTicks ?? [])])].sort((a, b) => a - b);
  const ys = points.flatMap(({ y, interval }) => (y === null ? [] : [y, interval?.low ?? y, interval?.high ?? y]));
  const yTicks = log.y ? decadesAround(ys) : linearTicks(Math.max(0, ...ys));
  const place = (value: number, from: number, to: number, isLog = false) => {
    const [v, a, b] = isLog ? [Math.log(value), Math.log(from), Math.log(to)] : [value, from, to];
    return b === a ? 0.5 : (v - a) / (b - a);
  };
  const x = (value: number) => plot.left + 14 + place(value, xs[0] ?? 0, xs.at(-1) ?? 1, log.x) * (plot.right - plot.left - 28);
  const y = (value: number) => plot.bottom - place(value, yTicks[0]!, yTicks.at(-1)!, log.y) * (plot.bottom - plot.top);

  const grid = [
    ...yTicks.map(
      (tick) =>
        line(plot.left, y(tick), plot.right, y(tick), 'stroke="var(--grid)"') +
        text(plot.left - 8, y(tick) + FONT * 0.35, formatTick(tick), { class: "muted small", anchor: "end" }),
    ),
    ...(chart.xTicks ?? xs).map((value) =>
      text(x(value), plot.bottom + 20, formatTick(value), { class: "muted small", anchor: "middle" }),
    ),
    line(plot.left, plot.bottom, plot.right, plot.bottom, 'stroke="var(--muted)"'),
    text((plot.left + plot.right) / 2, plot.bottom + 43, xLabel, { anchor: "middle" }),
    text(20, (plot.top + plot.bottom) / 2, yLabel, { anchor: "middle", rotate: -90 }),
  ];
  const lines = series.map((one, i) => {
    const path = one.points.map((point, at) =>
      point.y === null
        ? ""
        : `${at === 0 || one.points[at - 1]!.y === null ? "M" : "L"}${round(x(point.x))} ${round(y(point.y))}`,
    );
    const marks = one.points.flatMap((point) => {
      if (point.y === null) return [text(x(point.x), plot.bottom - 6, "×", { class: "muted small", anchor: "middle" })];
      const whisker = point.interval
        ? line(
            x(point.x),
            y(point.interval.low),
            x(point.x),
            y(point.interval.high),
            `stroke="${seriesColour(i)}" stroke-width="1.5"`,
          )
        : "";
      const tip = `${one.name}: ${formatNumber(point.y)} at ${formatNumber(point.x)}`;
      return [`<g><title>${escapeText(tip)}</title>${whisker}${marker(i, x(point.x), y(point.y), 5)}</g>`];
    });
    return `<path d="${path.join("")}" fill="none" stroke="${seriesColour(i)}" stroke-width="2"/>${marks.join("")}`;
  });
  const items = series.map(({ name }, i) => ({ label: name, sign: marker(i, 0, 0) }));
  const key = legend(items, plot.left, plot.bottom + 66, plot.right - plot.left);
  const description = series
    .map(
      (one) =>
        `${one.name}: ${one.points.map((point) => `${point.x} → ${point.y === null ? "none" : formatNumber(point.y)}`).join(", ")}`,
    )
    .join("; ");
  return frame({
    width: WIDTH,
    height: plot.bottom + 66 + key.height,
    title,
    description: `${title}. ${yLabel} against ${xLabel}. ${description}.`,
    theme,
    body: [text(LEFT, 26, title, { class: "heading" }), ...grid, ...lines, key.svg].join(""),
  });
}

function decadesAround(values: readonly number[]): number[] {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return [1, 10];
  const low = Math.floor(Math.log10(Math.min(...positive)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))));
  return Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
}
