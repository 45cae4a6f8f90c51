/** Rows of the kernel table into the points of a roofline figure. It draws nothing. */
import { formatNs, formatShapes } from "./format";
import { groupRows } from "./kernel-table";
import type { BoundBy, KernelRow } from "./types";

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

/** A point's part of its series' weight; 1 where it has none. */
export function shareOf({ weight, series }: RooflinePoint, points: readonly RooflinePoint[]): number {
  if (weight === undefined) return 1;
  return weight / points.reduce((sum, point) => sum + (point.series === series ? (point.weight ?? 0) : 0), 0);
}
