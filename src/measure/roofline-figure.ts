/**
 * A calibration and points into the roofline figure: an SVG string, the same in Node and in a page, without a DOM. Log-log; the measured
 * FMA ceilings, bandwidth at the fastest and slowest level, load issue (dashed: what a kernel that loads every word once can reach) and
 * the ridge point. It does not know where the points come from.
 */
import { type Box, boxAround, collides } from "./boxes";
import {
  escapeText,
  FONT,
  frame,
  type LegendItem,
  legend,
  line,
  marker,
  round,
  seriesColour,
  type Theme,
  text,
  textWidth,
} from "./figure";
import { formatGflops, formatNs, formatNumber, formatPercent } from "./format";
import { ridgePoint } from "./roofline";
import { type Axes, axesOf, drawGrid, drawShade, PLOT, WIDTH } from "./roofline-axes";
import { type RooflinePoint, rooflinePoints, shareOf } from "./roofline-points";
import { ceilingsOf, diagonalsOf, drawRidge, drawRoofs } from "./roofline-roofs";
import type { Calibration, KernelRow } from "./types";

/** Points below this share of their series' weight are left out: they would stretch the axes and explain nothing. */
const LEAST_SHARE = 0.01;

export interface RooflineFigure {
  readonly calibration: Calibration;
  readonly title: string;
  readonly points?: readonly RooflinePoint[];
  /** Kernel tables to draw as points, one series each; see {@link rooflinePoints}. */
  readonly kernels?: readonly { readonly series: string; readonly rows: readonly KernelRow[] }[];
  /** Where the roofs were not measured here: what the arithmetic ceiling is of, and the line under the title. */
  readonly published?: { readonly arithmetic: string; readonly subtitle: string };
}

export type RooflineTheme = Theme;

/** Points whose names are written beside them. */
const LABELLED = 7;

/** Renders the figure. `theme: "auto"` follows the reader's colour scheme. */
export function rooflineSvg(figure: RooflineFigure, { theme }: { theme: RooflineTheme }): string {
  const { calibration, title, kernels = [], published } = figure;
  const points = [...(figure.points ?? []), ...kernels.flatMap(({ series, rows }) => rooflinePoints(rows, series))];
  const withFlops = points.filter(({ intensity, gflops }) => intensity > 0 && gflops > 0 && Number.isFinite(intensity * gflops));
  const shown = withFlops.filter((point) => shareOf(point, points) >= LEAST_SHARE);
  const seriesNames = [...new Set(shown.map((point) => point.series))];
  const [ceilings, diagonals] = [ceilingsOf(calibration, published?.arithmetic), diagonalsOf(calibration)];
  const axes = axesOf(shown, calibration, { gflops: Math.max(...ceilings.map((roof) => roof.gflops)), gbps: diagonals[0]!.gbps });
  const taken: Box[] = shown.map((point) => boxAround(axes.x(point.intensity), axes.y(point.gflops), 8));

  const roofs = drawRoofs(axes, ceilings, diagonals, taken);
  const ridge = drawRidge(axes, calibration, taken);
  const stalks = shown.map((point) => drawStalk(axes, point, seriesNames.indexOf(point.series)));
  const marks = shown.map((point) => drawPoint(axes, point, seriesNames.indexOf(point.series)));
  taken.push(...shown.map((point) => stalkBox(axes, point)));
  const labels = drawLabels(axes, shown, seriesNames, taken);
  const key = legend(
    legendItems(seriesNames, shown, notDrawn(points.length - withFlops.length, withFlops.length - shown.length)),
    PLOT.left,
    PLOT.bottom + 66,
    PLOT.right - PLOT.left,
  );

  const body = [
    text(16, 26, title, { class: "heading" }),
    text(16, 45, published?.subtitle ?? subtitleOf(calibration), { class: "muted small" }),
    drawShade(axes, calibration),
    drawGrid(axes),
    roofs,
    ridge,
    ...stalks,
    ...marks,
    ...labels,
    key.svg,
  ].join("");
  const css =
    ".rp-figure .point{cursor:default}.rp-figure .point:hover *{stroke:var(--ink);stroke-width:2}" +
    ".rp-figure .stalk{opacity:.5}.rp-figure .roof-label{fill:var(--roof)}.rp-figure .label text{fill:var(--label)}";
  const height = PLOT.bottom + 66 + key.height + 2;
  return frame({ width: WIDTH, height, title, description: describe(calibration, shown, published), theme, body, css });
}

function notDrawn(withoutFlops: number, light: number): string {
  const parts = [withoutFlops && `${withoutFlops} without FLOPs`, light && `${light} below ${LEAST_SHARE * 100} % of the time`];
  const said = parts.filter(Boolean).join(" and ");
  return said && `${said} not drawn`;
}

function drawStalk({ x, y }: Axes, point: RooflinePoint, series: number): string {
  if (!point.roofGflops || point.roofGflops <= point.gflops) return "";
  const [at, top] = [x(point.intensity), y(point.roofGflops)];
  const style = `class="stalk" stroke="${seriesColour(series)}" stroke-width="1.4"`;
  return line(at, y(point.gflops), at, top, style) + line(at - 4, top, at + 4, top, style);
}

function stalkBox({ x, y }: Axes, { intensity, gflops, roofGflops = gflops }: RooflinePoint): Box {
  const top = y(Math.max(roofGflops, gflops));
  return { x: x(intensity) - 4, y: top, width: 8, height: y(gflops) - top };
}

function drawPoint({ x, y }: Axes, point: RooflinePoint, series: number): string {
  const roof = point.roofGflops
    ? `${formatPercent((point.gflops / point.roofGflops) * 100)} of its roof, ${formatGflops(point.roofGflops)}`
    : "";
  const tip = [
    `${point.label} · ${point.series}`,
    `${formatGflops(point.gflops)} at ${formatNumber(point.intensity)} FLOP/B`,
    [roof, point.boundBy && `${point.boundBy}-bound`].filter(Boolean).join(" · "),
    point.detail,
  ].filter(Boolean);
  // Wider than the mark, so that a pointer finds it.
  const target = `<circle cx="${round(x(point.intensity))}" cy="${round(y(point.gflops))}" r="11" fill="transparent" stroke="none"/>`;
  return `<g class="point"><title>${tip.map((row) => escapeText(row)).join("\n")}</title>${target}${marker(series, x(point.intensity), y(point.gflops))}</g>`;
}

/** Labels of the heaviest points, each at the first free place around its point; one without a place keeps its tooltip. */
function drawLabels({ x, y }: Axes, points: readonly RooflinePoint[], seriesNames: readonly string[], taken: Box[]): string[] {
  const written: Box[] = [];
  const heaviest = [...points].sort((a, b) => shareOf(b, points) - shareOf(a, points) || b.gflops - a.gflops).slice(0, LABELLED);
  return heaviest.flatMap((point) => {
    const [px, py] = [x(point.intensity), y(point.gflops)];
    const width = textWidth(point.label, FONT - 1);
    for (const { dx, dy } of PLACES) {
      const near = dy === 0;
      const left = dx > 0 ? px + dx : px + dx - width;
      const box = { x: left, y: py + dy - FONT * 0.6, width, height: FONT * 1.2 };
      const inside = left > PLOT.left + 4 && left + width < PLOT.right && box.y > PLOT.top && box.y + box.height < PLOT.bottom;
      const leaderBeads = near ? [] : [0.5, 0.65, 0.8].map((t) => boxAround(px + dx * t, py + dy * t, 3));
      if (!inside || collides(box, taken) || leaderBeads.some((bead) => collides(bead, written))) continue;
      taken.push(box, ...leaderBeads);
      written.push(box, ...leaderBeads);
      const colour = seriesColour(seriesNames.indexOf(point.series));
      const label = text(px + dx, py + dy + FONT * 0.33, point.label, { class: "small halo", anchor: dx > 0 ? "start" : "end" });
      const leader = near ? "" : line(px, py, px + dx * 0.85, py + dy, `stroke="${colour}" stroke-width="1" opacity=".8"`);
      return [`<g class="label" style="--label:${colour}">${leader}${label}</g>`];
    }
    return [];
  });
}

/** Where a label may begin (or end, where dx is negative), seen from its point; nearest first. */
const PLACES = [
  [12, 0],
  [-12, 0],
  [16, 18],
  [-16, 18],
  [16, -18],
  [-16, -18],
  [26, 34],
  [-26, 34],
  [30, 52],
  [-30, 52],
  [34, 72],
  [-34, 72],
  [60, 60],
  [-60, 60],
  [40, 96],
  [-40, 96],
].map(([dx, dy]) => ({ dx: dx!, dy: dy! }));

function legendItems(seriesNames: readonly string[], points: readonly RooflinePoint[], note: string): LegendItem[] {
  const items: LegendItem[] = seriesNames.map((label, i) => ({ label, sign: marker(i, 0, 0) }));
  if (points.some((point) => point.roofGflops)) {
    const style = 'stroke="var(--muted)" stroke-width="1.4"';
    items.push({ label: "up to the kernel's own roof", sign: line(0, 7, 0, -7, style) + line(-4, -7, 4, -7, style) });
  }
  if (note) items.push({ label: note, sign: "" });
  return items;
}

function subtitleOf({ device, dispatchNs }: Calibration): string {
  const name = [device.vendor, device.architecture].filter(Boolean).join(" ") || "unknown device";
  return `${name} · roofs measured in this browser · ${formatNs(dispatchNs.median)} a dispatch`;
}

function describe(calibration: Calibration, points: readonly RooflinePoint[], published: RooflineFigure["published"]): string {
  const roofs = [...ceilingsOf(calibration, published?.arithmetic), ...diagonalsOf(calibration)]
    .map((roof) => roof.label)
    .join("; ");
  const best = points.map((p) => `${p.label} (${p.series}) ${formatGflops(p.gflops)} at ${formatNumber(p.intensity)} FLOP/B`);
  return `Log-log roofline. ${published ? "Published" : "Measured"} roofs: ${roofs}. Ridge point at ${formatNumber(ridgePoint(calibration))} FLOP/byte. ${points.length} points: ${best.slice(0, 40).join("; ")}.`;
}
