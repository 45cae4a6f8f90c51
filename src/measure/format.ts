/** Numbers into text at the edge: three significant digits, a unit that fits, a dash where there is no number. */

const NONE = "–";

/** Three significant digits, thousands separated by commas: `0.0123`, `1.23`, `12.3`, `123`, `12,300`. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(3));
  const magnitude = Math.abs(rounded);
  if (magnitude >= 1e15 || magnitude < 1e-4) return value.toExponential(1).replace("e+", "e");
  const digits = Math.max(0, 2 - Math.floor(Math.log10(magnitude) + 1e-12));
  const fixed = magnitude >= 1000 ? String(rounded) : rounded.toFixed(digits);
  const [whole = "", fraction] = fixed.split(".");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (fraction === undefined ? "" : `.${fraction}`);
}

/** A round value of an axis, without trailing zeros. */
export function formatTick(value: number): string {
  const [whole = "", fraction] = String(Number(value.toPrecision(6))).split(".");
  return value >= 1e9 || fraction === undefined ? formatCount(value) : `${whole}.${fraction}`;
}

/** A count: whole below a million, three digits above. */
export const formatCount = (count: number | null | undefined): string =>
  typeof count === "number" && Number.isInteger(count) && Math.abs(count) < 1e6
    ? String(count).replace(/\B(?=(\d{3})+$)/g, ",")
    : formatNumber(count);

function scaled(value: number | null | undefined, step: number, units: readonly string[]): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  let [scaledValue, unit] = [value, 0];
  // 999.6 would print as 1,000: the next unit reads better.
  while (Math.abs(scaledValue) >= step * 0.9995 && unit < units.length - 1) [scaledValue, unit] = [scaledValue / step, unit + 1];
  return `${formatNumber(scaledValue)} ${units[unit]}`.trimEnd();
}

/** Nanoseconds as ns, µs, ms or s. */
export const formatNs = (ns: number | null | undefined): string => scaled(ns, 1000, ["ns", "µs", "ms", "s"]);

/** Bytes as B, kB, MB, GB (powers of 1000, as bandwidths are). */
export const formatBytes = (bytes: number | null | undefined): string => scaled(bytes, 1000, ["B", "kB", "MB", "GB", "TB"]);

/** Bytes as KiB, MiB (powers of 1024), for sizes chosen as such. */
export const formatBinaryBytes = (bytes: number | null | undefined): string => scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB"]);

/** FLOPs as FLOP, kFLOP, MFLOP, GFLOP. */
export const formatFlops = (flops: number | null | undefined): string =>
  scaled(flops, 1000, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"]);

/** A rate in FLOP/ns as GFLOP/s or TFLOP/s. */
export const formatGflops = (flopsPerNs: number | null | undefined): string => scaled(flopsPerNs, 1000, ["GFLOP/s", "TFLOP/s"]);

/** A rate in byte/ns as GB/s or TB/s. */
export const formatGbps = (bytesPerNs: number | null | undefined): string => scaled(bytesPerNs, 1000, ["GB/s", "TB/s"]);

/** A share of 1 as percent with at most one decimal. */
export function formatPercent(percent: number | null | undefined): string {
  if (percent === null || percent === undefined || !Number.isFinite(percent)) return NONE;
  return `${percent >= 10 ? percent.toFixed(0) : percent.toFixed(1)} %`;
}

/** Several shapes of one kernel: `T=1 S=33…96`. */
export function formatShapes(shapes: readonly Readonly<Record<string, number>>[]): string {
  const names = [...new Set(shapes.flatMap((shape) => Object.keys(shape)))];
  return names
    .map((name) => {
      const values = shapes.flatMap((shape) => shape[name] ?? []);
      const [low, high] = [Math.min(...values), Math.max(...values)];
      return low === high ? `${name}=${low}` : `${name}=${low}…${high}`;
    })
    .join(" ");
}
