/** A profile into the page: where the time went, the roofline figure and the kernel table. */
import { type Calibration, type KernelRow, type Profile, rooflineSvg } from "../src/index";
import { list, number, quantity, time } from "./numbers";

const COLUMNS: readonly (readonly [heading: string, isText: boolean, show: (row: KernelRow) => string])[] = [
  ["Kernel", true, (row) => `${row.kernel} ${row.variant}`],
  ["Role", true, (row) => row.role],
  ["Phase", true, (row) => row.phase],
  ["Calls", false, (row) => String(row.calls)],
  ["Time", false, (row) => (row.ns === null ? "–" : time(row.ns))],
  ["Share", false, (row) => percent(row.share === null ? null : row.share * 100)],
  ["GFLOP/s", false, (row) => (row.gflops === null ? "–" : number(row.gflops))],
  ["GB/s", false, (row) => (row.gbps === null ? "–" : number(row.gbps))],
  ["% of roof", false, (row) => percent(row.percentOfRoof)],
  ["Bound by", true, (row) => row.boundBy ?? "–"],
  [
    "Shape",
    true,
    (row) =>
      Object.entries(row.shape)
        .map(([name, size]) => `${name}=${size}`)
        .join(" "),
  ],
];
/** Longest rows shown; the rest is a line. */
const SHOWN = 30;

export interface ProfileElements {
  readonly account: HTMLElement;
  readonly roofline: HTMLElement;
  readonly kernels: HTMLElement;
}

export function showProfile(elements: ProfileElements, profile: Profile, calibration: Calibration, name: string): void {
  const { sumOfFloorsNs = 0, sumOfKernelsNs = 0, stepNs = 0, wallNs } = profile.result.timings;
  list(elements.account, [
    ["Sum of floors", time(sumOfFloorsNs)],
    ["Sum of kernels", time(sumOfKernelsNs)],
    ["GPU steps", time(stepNs)],
    ["Wall", time(wallNs)],
    ["Bubble", time(Math.max(0, profile.bubbleNs))],
    ["Dispatches", String(profile.dispatches)],
    ["f32 roof", quantity(calibration.flopsPerNs.f32.median * 1e9, "FLOP/s")],
    ["Memory roof", quantity(calibration.bytesPerNs.read.median * 1e9, "B/s")],
  ]);
  // rooflineSvg escapes every text it is given.
  elements.roofline.innerHTML = rooflineSvg(
    { calibration, kernels: [{ series: name, rows: profile.kernels }], title: "Roofline of this device" },
    { theme: "auto" },
  );
  elements.kernels.replaceChildren(kernelTable(profile.kernels));
}

function kernelTable(kernels: readonly KernelRow[]): HTMLElement {
  const table = document.createElement("table");
  const rest = kernels.length - SHOWN;
  const caption = table.createCaption();
  caption.className = "spoken";
  caption.textContent = "Kernels by time, longest first";
  const head = table.createTHead().insertRow();
  for (const [heading, isText] of COLUMNS) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.className = isText ? "text" : "";
    cell.textContent = heading;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of kernels.slice(0, SHOWN)) {
    const line = body.insertRow();
    for (const [heading, isText, show] of COLUMNS) {
      const cell = line.insertCell();
      cell.textContent = show(row);
      if (isText) cell.className = "text";
      if (heading === "% of roof" && row.aboveRoof) cell.className = "above";
    }
  }
  if (rest > 0) {
    const cell = body.insertRow().insertCell();
    cell.colSpan = COLUMNS.length;
    cell.className = "text";
    cell.textContent = `and ${rest} shorter ones`;
  }
  return table;
}

const percent = (value: number | null): string => (value === null ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} %`);
