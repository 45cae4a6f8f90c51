/** The frame of every report: one file, offline, without a request, light and dark. It knows nothing of what stands on it. */
import { escapeText, themeCss } from "./figure";
import style from "./report.css?raw";
import sortScript from "./report-sort.js?raw";

export interface ReportPage {
  readonly title: string;
  /** HTML under the title. */
  readonly header: string;
  /** HTML of each section. */
  readonly sections: readonly string[];
  readonly footer: string;
}

/** Renders the page. */
export function renderPage({ title, header, sections, footer }: ReportPage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>Ridgepoint: ${escapeText(title)}</title>
<style>${themeCss(":root", "auto")}
${style}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">Ridgepoint report</p>
<h1>${escapeText(title)}</h1>
${header}
</header>
${sections.join("\n")}
<footer>${footer}</footer>
</main>
<script>${sortScript}</script>
</body>
</html>
`;
}
