/**
 * A calibration and points into the roofline figure: an SVG string, the same in Node and in a page, without a DOM. Log-log; the measured
 * FMA ceilings, bandwidth at the fastest and slowest level, load issue (dashed: what a kernel that loads every word once can reach) and
 * the ridge point. It does not know where the points come from.
 */
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
import { formatBinaryBytes, formatGbps, formatGflops, formatNs, formatNumber, formatPercent, formatShapes } from "./format";
import { groupRows } from "./kernel-table";
import { attainable, bandwidthAt, ridgePoint } from "./roofline";
import type { BoundBy, Calibration, KernelRow, Spread } from "./types";

export interface RooflinePoint {
  /** A kernel's role or a phase: what a reader calls it. */
  readonly label: string;
  /** The model or decoding it belongs to: one colour and marker each. */
  readonly series: string;
  /** FLOP/byte. Points without FLOPs have no place on the figure and are counted in its note. */
  readonly intensity: number;
  readonly gflops: number;
  readonly boundBy: BoundBy | null;
  /** More lines for the tooltip: shape, time, share. */
  readonly detail?: string;
  /** GFLOP/s at its floor, all ceilings and the launch counted: drawn as a stalk up to it. */
  readonly roofGflops?: number;
  /** Its time: the heaviest points of each series get their label written beside them, the lightest are left out. */
  readonly weight?: number;
}

/** Points below this share of their series' weight are left out: they would stretch the axes and explain nothing. */
const LEAST_SHARE = 0.01;

export interface RooflineFigure {
  readonly calibration: Calibration;
  readonly title: string;
  readonly points?: readonly RooflinePoint[];
  /** Kernel tables to draw as points, one series each; see {@link rooflinePoints}. */
  readonly kernels?: readonly { readonly series: string; readonly rows: readonly KernelRow[] }[];
}

export type RooflineTheme = Theme;

/** Rows of the kernel table as points, one for each role and phase; rows the clock could not resolve have none. */
export function rooflinePoints(rows: readonly KernelRow[], series: string): RooflinePoint[] {
  const resolved = rows.filter((row) => row.ns !== null);
  const phases = new Set(resolved.map((row) => row.phase));
  return groupRows(resolved, (row) => `${row.role}\n${row.phase}`).map((group) => {
    const total = (pick: (row: KernelRow) => number | null | undefined) => group.reduce((sum, row) => sum + (pick(row) ?? 0), 0);
    const [flops, bytes, ns, floor] = [total((r) => r.flops), total((r) => r.bytes), total((r) => r.ns), total((r) => r.floorNs)];
    const calls = total((r) => r.calls);
    const heaviest = group.reduce((top, row) => ((row.ns ?? 0) > (top.ns ?? 0) ? row : top));
    const kernels = [...new Set(group.map((row) => `${row.kernel} ${row.variant}`))].join(", ");
    return {
      label: phases.size > 1 ? `${heaviest.role} (${heaviest.phase})` : heaviest.role,
      series,
      intensity: flops / bytes,
      gflops: flops / ns,
      boundBy: heaviest.boundBy,
      detail: `${kernels}\n${formatShapes(group.map((row) => row.shape))}\n${calls === 1 ? "1 call" : `${calls} calls`}, ${formatNs(ns)}`,
      ...(floor > 0 ? { roofGflops: flops / floor } : {}),
      weight: ns,
    };
  });
}

const WIDTH = 780;
const PLOT = { left: 78, top: 58, right: WIDTH - 28, bottom: 430 };
const LABELLED = 7;
/** Two roofs nearer than this factor are drawn as one. */
const DISTINCT = 1.12;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Roof {
  readonly label: string;
  readonly tip: string;
  readonly dashed?: boolean;
  readonly strong?: boolean;
}
interface Ceiling extends Roof {
  readonly gflops: number;
}
interface Diagonal extends Roof {
  readonly gbps: number;
}

interface Axes {
  readonly x: (intensity: number) => number;
  readonly y: (gflops: number) => number;
  readonly decades: { readonly x: readonly [number, number]; readonly y: readonly [number, number] };
}

/** Renders the figure. `theme: "auto"` follows the reader's colour scheme. */
export function rooflineSvg(figure: RooflineFigure, { theme }: { theme: RooflineTheme }): string {
  const { calibration, title, kernels = [] } = figure;
  const points = [...(figure.points ?? []), ...kernels.flatMap(({ series, rows }) => rooflinePoints(rows, series))];
  const withFlops = points.filter(({ intensity, gflops }) => intensity > 0 && gflops > 0 && Number.isFinite(intensity * gflops));
  const shown = withFlops.filter((point) => shareOf(point, points) >= LEAST_SHARE);
  const seriesNames = [...new Set(shown.map((point) => point.series))];
  const [ceilings, diagonals] = [ceilingsOf(calibration), diagonalsOf(calibration)];
  const axes = axesOf(shown, calibration, ceilings, diagonals);
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
    text(16, 45, subtitleOf(calibration), { class: "muted small" }),
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
  return frame({ width: WIDTH, height, title, description: describe(calibration, shown), theme, body, css });
}

/** A point's part of its series' weight; 1 where it has none. */
function shareOf({ weight, series }: RooflinePoint, points: readonly RooflinePoint[]): number {
  if (weight === undefined) return 1;
  return weight / points.reduce((sum, point) => sum + (point.series === series ? (point.weight ?? 0) : 0), 0);
}

function notDrawn(withoutFlops: number, light: number): string {
  const parts = [withoutFlops && `${withoutFlops} without FLOPs`, light && `${light} below ${LEAST_SHARE * 100} % of the time`];
  const said = parts.filter(Boolean).join(" and ");
  return said && `${said} not drawn`;
}

function ceilingsOf({ flopsPerNs, configurations = {} }: Calibration): Ceiling[] {
  const names = { f32: "f32 FMA", f16: "f16 FMA", dp4a: "int8 dot (dp4a)" } as const;
  return (["f32", "f16", "dp4a"] as const).flatMap((type) => {
    const rate = flopsPerNs[type];
    if (!rate) return [];
    const label = `${names[type]} ${formatGflops(rate.median)}`;
    return [{ gflops: rate.median, label, tip: tipOf(label, rate, configurations[type]), strong: type === "f32" }];
  });
}

function diagonalsOf(calibration: Calibration): Diagonal[] {
  const { levels, read } = calibration.bytesPerNs;
  const { configurations = {}, loadsPerNs } = calibration;
  const [cache, memory] = [bandwidthAt(calibration, 0), bandwidthAt(calibration, Number.POSITIVE_INFINITY)];
  const issue = loadsPerNs.median * 4;
  const largest = Math.max(0, ...levels.map((level) => level.workingSetBytes));
  const fastest = levels.reduce((best, level) => (level.median > best.median ? level : best), { ...read, workingSetBytes: 0 });
  const memoryLabel = `memory ${formatGbps(memory)}`;
  const rows: Diagonal[] = [
    {
      gbps: memory,
      label: memoryLabel,
      tip: tipOf(`${memoryLabel} at a working set of ${formatBinaryBytes(largest)}`, read, configurations.read),
      strong: true,
    },
  ];
  if (cache > memory * DISTINCT) {
    const label = `cache ${formatGbps(cache)}`;
    rows.push({
      gbps: cache,
      label,
      tip: tipOf(`${label} at a working set of ${formatBinaryBytes(fastest.workingSetBytes)}`, fastest),
    });
  }
  if (rows.every(({ gbps }) => issue / gbps > DISTINCT || gbps / issue > DISTINCT)) {
    const label = `load issue ${formatNumber(loadsPerNs.median)} loads/ns`;
    rows.push({
      gbps: issue,
      label,
      tip: tipOf(`${label}, if every word is loaded once`, loadsPerNs, configurations.loads),
      dashed: true,
    });
  }
  return rows.sort((a, b) => b.gbps - a.gbps);
}

const tipOf = (label: string, { median, mad }: Spread, configuration?: string): string =>
  [label, `spread ±${formatPercent((mad / median) * 100)}`, configuration].filter(Boolean).join(" · ");

function axesOf(points: readonly RooflinePoint[], calibration: Calibration, ceilings: Ceiling[], diagonals: Diagonal[]): Axes {
  const ridges = [ridgePoint(calibration), Math.max(...ceilings.map((c) => c.gflops)) / diagonals[0]!.gbps];
  const intensities = points.map((point) => point.intensity);
  const peak = Math.max(...ceilings.map((ceiling) => ceiling.gflops), ...points.map((point) => point.gflops));
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

function drawGrid({ x, y, decades }: Axes): string {
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
function drawShade({ x, y, decades }: Axes, calibration: Calibration): string {
  const ridge = ridgePoint(calibration);
  const corners = [10 ** decades.x[0], ridge, 10 ** decades.x[1]].map(
    (intensity) => `${round(x(intensity))},${round(y(attainable(intensity, calibration)))}`,
  );
  return `<polygon points="${PLOT.left},${PLOT.bottom} ${corners.join(" ")} ${PLOT.right},${PLOT.bottom}" fill="var(--shade)"/>`;
}

function drawRoofs(axes: Axes, ceilings: readonly Ceiling[], diagonals: readonly Diagonal[], taken: Box[]): string {
  const { x, y, decades } = axes;
  const [x0, x1] = [10 ** decades.x[0], 10 ** decades.x[1]];
  const y0 = 10 ** decades.y[0];
  const top = Math.max(...ceilings.map((ceiling) => ceiling.gflops));
  const fastest = diagonals[0]!.gbps;
  const flat = ceilings.map((roof) => {
    const ends: Ends = [x(Math.max(x0, roof.gflops / fastest)), y(roof.gflops), x(x1), y(roof.gflops)];
    return { roof, ends };
  });
  const sloped = diagonals.map((roof) => {
    const [from, to] = [Math.max(x0, y0 / roof.gbps), Math.min(x1, top / roof.gbps)];
    const ends: Ends = [x(from), y(from * roof.gbps), x(to), y(to * roof.gbps)];
    return { roof, ends };
  });
  const all = [...flat, ...sloped];
  return [
    ...all.map(({ roof, ends }) => drawRoof(roof, ends)),
    ...groupNear(ceilings).map((group) => ceilingLabel(group, y(group[0]!.gflops), taken)),
    ...sloped.map(({ roof, ends }) => {
      const others = all.filter((other) => other.roof !== roof).map((other) => other.ends);
      return diagonalLabel(roof.label, ends, others, taken);
    }),
  ].join("");
}

/** As far right as there is room above or below the highest of a group of ceilings; at the right end where there is none. */
function ceilingLabel(group: readonly Ceiling[], at: number, taken: Box[]): string {
  const label = group.map((ceiling) => ceiling.label).join(" · ");
  const width = textWidth(label, FONT - 1);
  const places = [0, 60, 120, 180, 240].flatMap((left) =>
    [at - 7 - FONT, at + 5].map((y) => ({ x: PLOT.right - left - width, y, width, height: FONT })),
  );
  const box = places.find((place) => !collides(place, taken)) ?? places[0]!;
  taken.push(box);
  return text(box.x + width - 2, box.y + FONT - 1, label, { class: "roof-label small halo", anchor: "end" });
}

type Ends = readonly [number, number, number, number];

function drawRoof({ strong, dashed, tip }: Roof, ends: Ends): string {
  const style = `stroke="var(--roof)" stroke-width="${strong ? 2.2 : 1.4}" stroke-linecap="round"`;
  const extra = `${dashed ? ' stroke-dasharray="6 5"' : ""}${strong ? "" : ' opacity=".75"'}`;
  // The wide transparent line is what a pointer finds.
  const target = line(...ends, 'stroke="transparent" stroke-width="12"');
  return `<g><title>${escapeText(tip)}</title>${target}${line(...ends, style + extra)}</g>`;
}

/** Ceilings so near to each other that their labels would touch, highest first in each group. */
function groupNear(ceilings: readonly Ceiling[]): Ceiling[][] {
  const groups: Ceiling[][] = [];
  for (const ceiling of [...ceilings].sort((a, b) => b.gflops - a.gflops)) {
    const group = groups.at(-1);
    if (group && group[0]!.gflops / ceiling.gflops < 1.6) group.push(ceiling);
    else groups.push([ceiling]);
  }
  return groups;
}

/** Writes along a diagonal, on the first stretch and side of it that is free; over a neighbouring roof only where no stretch is. */
function diagonalLabel(label: string, [x1, y1, x2, y2]: Ends, others: readonly Ends[], taken: Box[]): string {
  const angle = Math.atan2(y2 - y1, x2 - x1);
  const width = textWidth(label, FONT - 1) * 0.9;
  const length = Math.hypot(x2 - x1, y2 - y1);
  const at = (along: number, side: number) => ({
    x: x1 + Math.cos(angle) * along - Math.sin(angle) * side,
    y: y1 + Math.sin(angle) * along + Math.cos(angle) * side,
  });
  for (const avoided of [others, []]) {
    for (const side of [-6, FONT + 3]) {
      for (let start = 14; start + width < length; start += 8) {
        const beads = Array.from({ length: Math.ceil(width / FONT) + 1 }, (_, i) => at(start + i * FONT, side)).map((p) =>
          boxAround(p.x, p.y - FONT * 0.35, FONT * 0.55),
        );
        const crossed = beads.some((bead) => avoided.some((other) => touches(bead, other)));
        if (crossed || beads.some((bead) => collides(bead, taken) || bead.y < PLOT.top)) continue;
        taken.push(...beads);
        const place = at(start, side);
        return text(place.x, place.y, label, { class: "roof-label small halo", rotate: (angle * 180) / Math.PI });
      }
    }
  }
  return "";
}

function drawRidge({ x, y }: Axes, calibration: Calibration, taken: Box[]): string {
  const ridge = ridgePoint(calibration);
  const peak = calibration.flopsPerNs.f32.median;
  const label = `ridge ${formatNumber(ridge)} FLOP/B`;
  const width = textWidth(label, FONT - 1);
  const onLeft = x(ridge) + 8 + width > PLOT.right;
  taken.push(
    { x: onLeft ? x(ridge) - 8 - width : x(ridge) + 8, y: PLOT.bottom - 9 - FONT, width, height: FONT },
    boxAround(x(ridge), y(peak), 8),
  );
  const diamond = [
    [0, -6],
    [6, 0],
    [0, 6],
    [-6, 0],
  ].map(([dx, dy]) => `${round(x(ridge) + dx!)},${round(y(peak) + dy!)}`);
  return (
    line(x(ridge), y(peak), x(ridge), PLOT.bottom, 'stroke="var(--muted)" stroke-dasharray="1.5 4" stroke-linecap="round"') +
    `<polygon points="${diamond.join(" ")}" fill="var(--plane)" stroke="var(--roof)" stroke-width="2"/>` +
    text(x(ridge) + (onLeft ? -8 : 8), PLOT.bottom - 9, label, { class: "muted small halo", anchor: onLeft ? "end" : "start" })
  );
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

function describe(calibration: Calibration, points: readonly RooflinePoint[]): string {
  const roofs = [...ceilingsOf(calibration), ...diagonalsOf(calibration)].map((roof) => roof.label).join("; ");
  const best = points.map((p) => `${p.label} (${p.series}) ${formatGflops(p.gflops)} at ${formatNumber(p.intensity)} FLOP/B`);
  return `Log-log roofline. Measured roofs: ${roofs}. Ridge point at ${formatNumber(ridgePoint(calibration))} FLOP/byte. ${points.length} points: ${best.slice(0, 40).join("; ")}.`;
}

const decadeLabel = (decade: number): string =>
  decade < 0 ? (10 ** decade).toFixed(-decade) : formatNumber(10 ** decade).split(".")[0]!;

const boxAround = (x: number, y: number, radius: number): Box => ({
  x: x - radius,
  y: y - radius,
  width: radius * 2,
  height: radius * 2,
});

/** Whether a line passes through a box, taken as the disc in it. */
function touches({ x, y, width }: Box, [x1, y1, x2, y2]: Ends): boolean {
  const radius = width / 2;
  const [cx, cy] = [x + radius, y + radius];
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const along = ((cx - x1) * (x2 - x1) + (cy - y1) * (y2 - y1)) / length;
  const away = Math.abs((cx - x1) * (y2 - y1) - (cy - y1) * (x2 - x1)) / length;
  return along > -radius && along < length + radius && away < radius;
}

const collides = (box: Box, others: readonly Box[]): boolean =>
  others.some((o) => box.x < o.x + o.width && o.x < box.x + box.width && box.y < o.y + o.height && o.y < box.y + box.height);
