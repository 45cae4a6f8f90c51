/** The measured roofs of a calibration as lines of the figure, with their names where there is room. */
import { type Box, boxAround, collides, type Ends, touches } from "./boxes";
import { escapeText, FONT, line, round, text, textWidth } from "./figure";
import { formatBinaryBytes, formatGbps, formatGflops, formatNumber, formatPercent } from "./format";
import { bandwidthAt, ridgePoint } from "./roofline";
import { type Axes, PLOT } from "./roofline-axes";
import type { Calibration, Spread } from "./types";

/** Two roofs nearer than this factor are drawn as one. */
const DISTINCT = 1.12;

export interface Roof {
  readonly label: string;
  readonly tip: string;
  readonly dashed?: boolean;
  readonly strong?: boolean;
}

export interface Ceiling extends Roof {
  readonly gflops: number;
}

export interface Diagonal extends Roof {
  readonly gbps: number;
}

/** Ceilings of a calibration; `arithmetic` is what its f32 is called where it is something else. */
export function ceilingsOf({ flopsPerNs, configurations = {} }: Calibration, arithmetic = "f32 FMA"): Ceiling[] {
  const names = { f32: arithmetic, f16: "f16 FMA", dp4a: "int8 dot (dp4a)" } as const;
  return (["f32", "f16", "dp4a"] as const).flatMap((type) => {
    const rate = flopsPerNs[type];
    if (!rate) return [];
    const label = `${names[type]} ${formatGflops(rate.median)}`;
    return [{ gflops: rate.median, label, tip: tipOf(label, rate, configurations[type]), strong: type === "f32" }];
  });
}

export function diagonalsOf(calibration: Calibration): Diagonal[] {
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

export function drawRoofs(axes: Axes, ceilings: readonly Ceiling[], diagonals: readonly Diagonal[], taken: Box[]): string {
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

export function drawRidge({ x, y }: Axes, calibration: Calibration, taken: Box[]): string {
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
