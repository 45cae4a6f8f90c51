/** Points over two logarithmic axes as an SVG string, with a diagonal where both are equal: what was predicted against what was measured. */
import { escapeText, FONT, frame, legend, line, marker, type Theme, text } from "./figure";
import { formatNumber, formatTick } from "./format";

export interface ScatterPoint {
  readonly series: string;
  /** Both above 0. */
  readonly x: number;
  readonly y: number;
  /** For the tooltip and the description. */
  readonly label: string;
}

export interface ScatterChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Written along the diagonal. */
  readonly diagonal: string;
  readonly points: readonly ScatterPoint[];
}

const WIDTH = 780;
const PLOT = { left: 96, right: WIDTH - 24, top: 48, bottom: 432 };

function decadesOf(values: readonly number[]): [number, number] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  return [low, Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))))];
}

/** Renders the figure; both axes have the same decades, so that the diagonal is one. */
export function scatterSvg({ title, xLabel, yLabel, diagonal, points }: ScatterChart, { theme }: { theme: Theme }): string {
  const shown = points.filter(({ x, y }) => x > 0 && y > 0 && Number.isFinite(x * y));
  const [low, high] = shown.length > 0 ? decadesOf(shown.flatMap(({ x, y }) => [x, y])) : [0, 1];
  const share = (value: number): number => (Math.log10(value) - low) / (high - low);
  const x = (value: number): number => PLOT.left + share(value) * (PLOT.right - PLOT.left);
  const y = (value: number): number => PLOT.bottom - share(value) * (PLOT.bottom - PLOT.top);
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const grid = ticks.map(
    (tick) =>
      line(x(tick), PLOT.top, x(tick), PLOT.bottom, 'stroke="var(--grid)"') +
      line(PLOT.left, y(tick), PLOT.right, y(tick), 'stroke="var(--grid)"') +
      text(x(tick), PLOT.bottom + 20, formatTick(tick), { class: "muted small", anchor: "middle" }) +
      text(PLOT.left - 8, y(tick) + FONT * 0.35, formatTick(tick), { class: "muted small", anchor: "end" }),
  );
  const names = [...new Set(shown.map(({ series }) => series))];
  const marks = shown.map((point) => {
    const tip = `${point.label} · ${point.series}: ${formatNumber(point.y)} at ${formatNumber(point.x)}`;
    return `<g><title>${escapeText(tip)}</title>${marker(names.indexOf(point.series), x(point.x), y(point.y), 5)}</g>`;
  });
  const key = legend(
    names.map((label, i) => ({ label, sign: marker(i, 0, 0) })),
    PLOT.left,
    PLOT.bottom + 66,
    PLOT.right - PLOT.left,
  );
  const angle = (Math.atan2(PLOT.top - PLOT.bottom, PLOT.right - PLOT.left) * 180) / Math.PI;
  const middle = 10 ** (low + 0.72 * (high - low));
  const body = [
    text(16, 26, title, { class: "heading" }),
    ...grid,
    line(PLOT.left, PLOT.bottom, PLOT.right, PLOT.top, 'stroke="var(--roof)" stroke-width="2"'),
    text(x(middle), y(middle) - 8, diagonal, { class: "muted small halo", anchor: "middle", rotate: angle }),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 43, xLabel, { anchor: "middle" }),
    text(20, (PLOT.top + PLOT.bottom) / 2, yLabel, { anchor: "middle", rotate: -90 }),
    ...marks,
    key.svg,
  ].join("");
  const said = shown.map((point) => `${point.series}, ${point.label}: ${formatNumber(point.y)} at ${formatNumber(point.x)}`);
  const description = `${title}. ${yLabel} against ${xLabel}. ${said.slice(0, 60).join("; ")}.`;
  return frame({ width: WIDTH, height: PLOT.bottom + 66 + key.height, title, description, theme, body });
}
