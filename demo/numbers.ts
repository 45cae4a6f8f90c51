/** Numbers for people: three digits, SI prefixes, and lists of them as `dt`/`dd`. */

const compact = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });
const PREFIXES = ["", "k", "M", "G", "T"];

/** `1.23`, `12.3K` … */
export const number = (value: number): string => (Number.isFinite(value) ? compact.format(value) : "–");

/** With an SI prefix before the unit: `8.73 MFLOP`. */
export function quantity(value: number, unit: string): string {
  if (!Number.isFinite(value)) return "–";
  const power = Math.min(PREFIXES.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(Math.abs(value), 1)) / 3)));
  return `${number(value / 1000 ** power)} ${PREFIXES[power]}${unit}`;
}

/** Nanoseconds as µs, ms or s. */
export function time(ns: number): string {
  if (ns >= 1e9) return `${number(ns / 1e9)} s`;
  return ns >= 1e6 ? `${number(ns / 1e6)} ms` : `${number(ns / 1e3)} µs`;
}

/** Fills a `dl` with terms and values. */
export function list(root: HTMLElement, entries: readonly (readonly [string, string])[]): void {
  root.replaceChildren(
    ...entries.map(([term, value]) => {
      const group = document.createElement("div");
      const dt = document.createElement("dt");
      const dd = document.createElement("dd");
      dt.textContent = term;
      dd.textContent = value;
      group.append(dt, dd);
      return group;
    }),
  );
}
