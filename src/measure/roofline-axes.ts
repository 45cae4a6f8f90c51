/** The plot area of the roofline figure: its log-log scales, grid and attainable region. */
import { FONT, line, round, text } from "./figure";
import { formatNumber } from "./format";
import { attainable, ridgePoint } from "./roofline";
import type { RooflinePoint } from "./roofline-points";
import type { Calibration } from "./types";

export const WIDTH = 780;

export const PLOT = { left: 78, top: 58, right: WIDTH - 28, bottom: 430 };

export interface Axes {
  readonly x: (intensity: number) => number;
  readonly y: (gflops: number) => number;
  readonly decades: { readonly x: readonly [number, number]; readonly y: readonly [number, number] };
}

/** @param highest the highest roofs there are: GFLOP/s of the ceilings, GB/s of the diagonals */
export function axesOf(
  points: readonly RooflinePoint[],
  calibration: Calibration,
  highest: { readonly gflops: number; readonly gbps: number },
): Axes {
  const ridges = [ridgePoint(calibration), highest.gflops / highest.gbps];
  const intensities = points.map((point) => point.intensity);
  const peak = Math.max(highest.gflops, ...points.map((point) => point.gflops));
  const x0 = Math.floor(Math.log10(Math.min(...intensities, ...ridges.map((ridge) => ridge / 12)) * 0.8));
  const x1 = Math.ceil(Math.log10(Math.max(...intensities, ...ridges.map((ridge) => ridge * 6)) * 1.2));
  const y1 = Math.log10(peak * 2.6);
  const low = Math.min(...points.map((point) => point.gflops / 2), attainable(10 ** x0, calibration));
  // More than six decades press everything flat; what is below sits on the lower edge.
  const y0 = Math.max(Math.log10(low), y1 - 6);
  const scale = (value: number, from: number, to: number, start: number, end: number) =>
    start + ((Math.min(Math.max(Math.log10(value), from), to) - from) / (to - from)) * (end - start);
  return {
    x: (intensity) => scale(intensity, x0, x1, PLOT.left, PLOT.right),
    y: (gflops) => scale(gflops, y0, y1, PLOT.bottom, PLOT.top),
    decades: { x: [x0, x1], y: [y0, y1] },
  };
}

export function drawGrid({ x, y, decades }: Axes): string {
  const parts: string[] = [];
  const { left, right, top, bottom } = PLOT;
  for (let decade = Math.ceil(decades.x[0]); decade <= decades.x[1]; decade++) {
    const at = x(10 ** decade);
    parts.push(line(at, top, at, bottom, 'stroke="var(--grid)"'));
    parts.push(text(at, bottom + 20, decadeLabel(decade), { class: "muted small", anchor: "middle" }));
  }
  for (let decade = Math.ceil(decades.y[0]); decade <= decades.y[1]; decade++) {
    const at = y(10 ** decade);
    parts.push(line(left, at, right, at, 'stroke="var(--grid)"'));
    parts.push(text(left - 8, at + FONT * 0.35, decadeLabel(decade), { class: "muted small", anchor: "end" }));
  }
  parts.push(line(left, bottom, right, bottom, 'stroke="var(--muted)"'), line(left, top, left, bottom, 'stroke="var(--muted)"'));
  parts.push(text((left + right) / 2, bottom + 43, "Arithmetic intensity, FLOP per byte", { anchor: "middle" }));
  parts.push(text(20, (top + bottom) / 2, "GFLOP/s", { anchor: "middle", rotate: -90 }));
  return parts.join("");
}

/** The attainable region: below the memory diagonal and the f32 ceiling. */
export function drawShade({ x, y, decades }: Axes, calibration: Calibration): string {
  const ridge = ridgePoint(calibration);
  const corners = [10 ** decades.x[0], ridge, 10 ** decades.x[1]].map(
    (intensity) => `${round(x(intensity))},${round(y(attainable(intensity, calibration)))}`,
  );
  return `<polygon points="${PLOT.left},${PLOT.bottom} ${corners.join(" ")} ${PLOT.right},${PLOT.bottom}" fill="var(--shade)"/>`;
}

const decadeLabel = (decade: number): string =>
  decade < 0 ? (10 ** decade).toFixed(-decade) : formatNumber(10 ** decade).split(".")[0]!;
