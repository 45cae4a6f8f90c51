/** The document of `compare` into one page: offline, without a request, light and dark. It measures nothing and trusts no text it is given. */
import { ensure } from "../errors";
import { escapeText, seriesColour } from "./figure";
import { formatFlops, formatNumber, formatPercent } from "./format";
import { renderPage } from "./report-page";
import { kernelSection, textSection } from "./report-runs";
import {
  accountSection,
  ceilingSection,
  glossarySection,
  headlineSection,
  rooflineSection,
  speedSection,
} from "./report-sections";
import { accountOf, type CompareDocument, type Contestant, contestants, nameOf } from "./report-summary";

export type { CompareDocument, ReportRun } from "./report-summary";

/**
 * Renders the page of a `compare` document.
 * @throws RidgepointError `bad-file` when the document has no runs or no calibration.
 */
export function renderReport(document: CompareDocument): string {
  ensure(
    Array.isArray(document?.runs) && document.runs.length > 0 && document.calibration !== undefined,
    "bad-file",
    'report: expected the JSON document of "ridgepoint compare" with runs[] and calibration',
  );
  const all = contestants(document);
  const title = `${new Set(all.map((one) => one.model)).size} models on ${deviceName(document)}`;
  const sections = [
    headlineSection(all),
    speedSection(all),
    rooflineSection(document.calibration, all),
    accountSection(all),
    kernelSection(document.calibration, all),
    ceilingSection(document),
    textSection(all),
    glossarySection(),
  ];
  const header = `<p class="lead">${verdict(all)}</p>
${meta(document)}
${tiles(all)}
${warnings(document, all)}`;
  const footer = "Every number on this page was measured on the device it names. Times are medians unless said otherwise.";
  return renderPage({ title, header, sections, footer });
}

function deviceName({ device }: CompareDocument): string {
  return [device.vendor, device.architecture].filter(Boolean).join(" ") || "an unnamed device";
}

/** What a reader would say after looking at the page for a minute. */
function verdict(all: readonly Contestant[]): string {
  const bySpeed = [...all].sort((a, b) => b.tokensPerSecond - a.tokensPerSecond);
  const [first] = bySpeed as [Contestant];
  const name = (one: Contestant) => `<b>${escapeText(nameOf(one))}</b>`;
  const speed = `${name(first)} was fastest: ${formatNumber(first.tokensPerSecond)} tokens a second`;
  const other = bySpeed.find((one) => one.family === "ar" && one !== first) ?? bySpeed.find((one) => one.model !== first.model);
  if (!other) return `${speed}.`;
  const faster = formatNumber(first.tokensPerSecond / other.tokensPerSecond);
  const work = first.flopsPerToken / other.flopsPerToken;
  const workText = work >= 1 ? `${formatNumber(work)} times the` : `${formatPercent(work * 100)} of the`;
  return `${speed}, ${faster} times ${name(other)}, with ${workText} arithmetic a token and ${formatNumber(first.tokensPerForward)} tokens a forward.`;
}

/** What makes the numbers doubtful, said before they are read. */
function warnings({ calibration }: CompareDocument, all: readonly Contestant[]): string {
  const drift = calibration.sentinelDriftPercent ?? 0;
  const above = all.flatMap((one) => one.kernels.filter((row) => row.aboveRoof));
  const said = [
    Math.abs(drift) > 10 &&
      `The sentinel kernel's rate moved by ${drift.toFixed(0)} % while the roofs were measured: this machine was busy or throttled. Take times and percentages of roofs with care.`,
    above.length > 0 &&
      `${above.length} ${above.length === 1 ? "kernel is" : "kernels are"} above the roof, which cannot be: a roof was measured too low, or work is counted wrong.`,
  ];
  return said
    .map((text) => text && `<p class="warning">${text}</p>`)
    .filter(Boolean)
    .join("");
}

function meta({ device, date, commandLine, command, calibration }: CompareDocument): string {
  const items: (readonly [string, string | undefined])[] = [
    ["Device", [device.vendor, device.architecture, device.description].filter(Boolean).join(" ")],
    ["Kind", device.software ? "CPU adapter" : "GPU"],
    ["Browser", device.browser ?? browserOf(device.userAgent)],
    ["Measured", date?.replace(/T(\d\d:\d\d)(:[\d.]+)?Z$/, " $1 UTC")],
    ["Command", commandLine ?? (command && `ridgepoint ${command}`)],
    ["GPU clock", calibration.quantumNs === null ? "none: wall clock" : `steps of ${formatNumber(calibration.quantumNs)} ns`],
  ];
  const shown = items.filter(([, value]) => value);
  return `<ul class="meta">${shown.map(([label, value]) => `<li>${label} <b>${escapeText(value)}</b></li>`).join("")}</ul>`;
}

/** The name and version out of a user agent string; all of it where none is known. */
function browserOf(userAgent: string): string {
  const found = /(Edg|Firefox|(?:Headless)?Chrome|Version)\/(\d+)/.exec(userAgent);
  if (!found) return userAgent;
  const names: Record<string, string> = { Edg: "Edge", HeadlessChrome: "Chrome, headless,", Version: "Safari" };
  return `${names[found[1]!] ?? found[1]} ${found[2]}`;
}

function tiles(all: readonly Contestant[]): string {
  const most = (pick: (one: Contestant) => number) => all.reduce((best, one) => (pick(one) > pick(best) ? one : best));
  const fastest = most((one) => one.tokensPerSecond);
  const widest = most((one) => one.tokensPerForward);
  const leanest = most((one) => -one.flopsPerToken);
  const rows = [
    tile("Fastest", `${formatNumber(fastest.tokensPerSecond)} tok/s`, fastest),
    tile("Most tokens a forward", formatNumber(widest.tokensPerForward), widest),
    tile("Least work a token", formatFlops(leanest.flopsPerToken), leanest),
  ];
  const nearRoof = (one: Contestant) => {
    const account = one.profiled && accountOf(one.profiled);
    return account ? account.floors / account.wall : 0;
  };
  const nearest = most(nearRoof);
  if (nearRoof(nearest) > 0)
    rows.push(tile("Nearest to its roof, of wall time", formatPercent(nearRoof(nearest) * 100), nearest));
  return `<dl class="tiles">${rows.join("")}</dl>`;
}

const tile = (label: string, value: string, who: Contestant): string =>
  `<div class="tile"><dt>${label}</dt><dd class="value">${escapeText(value)}</dd>` +
  `<dd class="who"><span class="dot" style="--colour:${seriesColour(who.series)}"></span>${escapeText(nameOf(who))}</dd></div>`;
