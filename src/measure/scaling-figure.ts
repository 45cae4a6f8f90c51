/**
 * What rows cost: t(rows) / t(1), the tokens that a forward of so many rows must reveal to be as fast as one row a forward. Both papers compare
 * tokens per forward with this cost; here it is measured. It times nothing.
 */
import { ensure } from "../errors";
import { lineChartSvg } from "./charts";
import type { Theme } from "./figure";
import { formatNumber } from "./format";
import type { ForwardMeasurement, KernelMeasurement } from "./kernel-measurement";

export interface ScalingPoint {
  readonly rows: number;
  /** t(rows) / t(1): tokens a forward at break-even. */
  readonly ratio: number;
}

export interface Scaling {
  /** Whole forwards. */
  readonly forward: readonly ScalingPoint[];
  /** By role, those that a forward calls. */
  readonly roles: Readonly<Record<string, readonly ScalingPoint[]>>;
}

/** Times of one thing at several numbers of rows, over that of one row; without the latter none. */
function ratios(times: readonly { readonly rows: number; readonly ns: number | null }[]): ScalingPoint[] {
  const one = times.find(({ rows }) => rows === 1)?.ns;
  if (!one) return [];
  const seen = times.flatMap(({ rows, ns }) => (ns === null ? [] : [{ rows, ratio: ns / one }]));
  return seen.sort((a, b) => a.rows - b.rows);
}

/** @throws `bad-option` where one row was not measured */
export function scalingOf(forwards: readonly ForwardMeasurement[], kernels: readonly KernelMeasurement[]): Scaling {
  const forward = ratios(forwards);
  ensure(forward.length > 0, "bad-option", "scaling: expected a forward of one row with a time; measure it too");
  const run = kernels.filter(({ chosen, calls }) => chosen && calls > 0);
  const roles = [...new Set(run.map(({ role }) => role))].map((role) => {
    const times = run
      .filter((kernel) => kernel.role === role)
      .map(({ rows, ns }) => ({ rows, ns: ns === null ? null : ns.median }));
    return [role, ratios(times)] as const;
  });
  return { forward, roles: Object.fromEntries(roles) };
}

/** The roles that are drawn beside the forward: products, which weigh most, and attention. */
const DRAWN = ["gate_up_proj", "attention", "lm_head"];

/** The figure, light, dark or following its reader; its description tells the break-even at every number of rows. */
export function scalingSvg(
  { forward, roles }: Scaling,
  { title, theme }: { readonly title: string; readonly theme: Theme },
): string {
  const points = (list: readonly ScalingPoint[]) => list.map(({ rows, ratio }) => ({ x: rows, y: ratio }));
  const last = forward.at(-1);
  const note = last ? `: ${last.rows} rows cost ${formatNumber(last.ratio)} of one` : "";
  return lineChartSvg(
    {
      title: `${title}${note}`,
      xLabel: "rows of a forward",
      yLabel: "t(rows) / t(1) = tokens a forward at break-even",
      log: { x: true, y: true },
      xTicks: forward.map(({ rows }) => rows),
      series: [
        { name: "whole forward", points: points(forward) },
        ...DRAWN.flatMap((role) => (roles[role]?.length ? [{ name: role, points: points(roles[role]) }] : [])),
        { name: "no gain: as many times as rows", points: forward.map(({ rows }) => ({ x: rows, y: rows })) },
      ],
    },
    { theme },
  );
}
