/** Numbers into text for the terminal: three significant digits, a unit that fits, a dash where there is no number. */

type Maybe = number | null | undefined;

const isNumber = (value: Maybe): value is number => typeof value === "number" && Number.isFinite(value);

/** Three significant digits, without an exponent down to a millionth. */
export function formatNumber(value: Maybe): string {
  if (!isNumber(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-6) return value.toExponential(1);
  return value.toFixed(Math.max(0, Math.min(8, 2 - Math.floor(Math.log10(size)))));
}

function scaled(value: Maybe, units: readonly string[]): string {
  if (!isNumber(value)) return "–";
  let [rest, unit] = [value, 0];
  // 999.6 would read as 1000 of a unit that has a larger one.
  while (Math.abs(rest) >= 999.5 && unit < units.length - 1) [rest, unit] = [rest / 1000, unit + 1];
  return `${formatNumber(rest)} ${units[unit]}`;
}

/** ns as ns, µs, ms or s. */
export const formatNs = (ns: Maybe): string => scaled(ns, ["ns", "µs", "ms", "s"]);

/** Bytes in powers of 1000. */
export const formatBytes = (bytes: Maybe): string => scaled(bytes, ["B", "kB", "MB", "GB", "TB"]);

/** FLOP in powers of 1000. */
export const formatFlops = (flops: Maybe): string => scaled(flops, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"]);

/** FLOP/ns, which is GFLOP/s. */
export const formatGflops = (flopsPerNs: Maybe): string => scaled(flopsPerNs, ["GFLOP/s", "TFLOP/s"]);

/** byte/ns, which is GB/s. */
export const formatGbps = (bytesPerNs: Maybe): string => scaled(bytesPerNs, ["GB/s", "TB/s"]);

/** A value in percent, at most one decimal. */
export function formatPercent(percent: Maybe): string {
  return isNumber(percent) ? `${percent.toFixed(Math.abs(percent) >= 10 ? 0 : 1)} %` : "–";
}
