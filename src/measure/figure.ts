/** What all figures share: escaping, colours of the two themes, tick marks, the outer SVG element, legends. It draws no data. */

/** `auto` follows the reader's `prefers-color-scheme`. */
export type Theme = "light" | "dark" | "auto";

/** Distinct for the common colour-vision deficiencies, in this order; figures add a shape or a label to each. */
const LIGHT = {
  ink: "#1c2430",
  muted: "#586474",
  grid: "#e3e8ee",
  plane: "#ffffff",
  roof: "#3b4656",
  shade: "#f3f6fa",
  page: "#f3f6fa",
  s0: "#1f66c7",
  s1: "#c2540a",
  s2: "#0b8573",
  s3: "#7d4bc4",
  s4: "#b93071",
  s5: "#75720f",
};
const DARK: typeof LIGHT = {
  ink: "#e8edf3",
  muted: "#9aa7b6",
  grid: "#2a333f",
  plane: "#12171e",
  roof: "#c3cdd9",
  shade: "#19212b",
  page: "#0a0e13",
  s0: "#6caeff",
  s1: "#ff9d4d",
  s2: "#3fcdb4",
  s3: "#bd9bff",
  s4: "#ff86b8",
  s5: "#d2cf55",
};
const SERIES = 6;

const variables = (theme: typeof LIGHT): string =>
  Object.entries(theme)
    .map(([name, value]) => `--${name}:${value}`)
    .join(";");

/** CSS that sets the figures' colour variables (`--ink`, `--s0`, …) on `selector`. */
export function themeCss(selector: string, theme: Theme): string {
  if (theme !== "auto") return `${selector}{${variables(theme === "light" ? LIGHT : DARK)}}`;
  return `${selector}{${variables(LIGHT)}}@media (prefers-color-scheme:dark){${selector}{${variables(DARK)}}}`;
}

/** CSS colour of the i-th series. */
export const seriesColour = (index: number): string => `var(--s${index % SERIES})`;

/** Escapes text for HTML and XML content and attributes; control characters that XML forbids are dropped. */
export function escapeText(text: unknown): string {
  return (
    String(text)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters XML does not allow
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "")
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      .replace(/>/g, "&gt;")
      .replace(/"/g, "&quot;")
      .replace(/'/g, "&#39;")
  );
}

/** Font size of a figure's text in its own units. */
export const FONT = 14;
/** On narrow pages text grows by this factor; room is reserved for it. */
export const NARROW_GROWTH = 1.3;

/** Upper estimate of a text's width in figure units at {@link FONT}, grown. */
export const textWidth = (text: string, size: number = FONT): number => text.length * size * 0.54 * NARROW_GROWTH;

export interface FrameOptions {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** What the figure shows in words, for those who do not see it. */
  readonly description: string;
  readonly theme: Theme;
  readonly body: string;
  /** Extra CSS, its selectors beginning with `.rp-figure`. */
  readonly css?: string;
}

/** The outer element with title, description, colours and text styles. Scales to its container. */
export function frame({ width, height, title, description, theme, body, css = "" }: FrameOptions): string {
  // From the content, so that the same figure is the same text wherever it is rendered, and two figures on a page do not share styles.
  const id = `rp-${hash(title + body)}`;
  const style = [
    themeCss(`#${id}`, theme),
    `#${id}{width:100%;height:auto;background:var(--plane);font:${FONT}px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}`,
    `#${id} text{fill:var(--ink);font-size:${FONT}px}#${id} .muted{fill:var(--muted)}#${id} .small{font-size:${FONT - 1}px}`,
    `#${id} .heading{font-size:${FONT + 3}px;font-weight:650}#${id} .strong{font-weight:600}`,
    `#${id} .halo{paint-order:stroke;stroke:var(--plane);stroke-width:4px;stroke-linejoin:round}`,
    `@media (max-width:720px){#${id} text,#${id} .small{font-size:${FONT * NARROW_GROWTH}px}#${id} .heading{font-size:${(FONT + 3) * 1.15}px}}`,
    css.replaceAll(".rp-figure", `#${id}`),
  ].join("");
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" id="${id}" class="rp-figure" viewBox="0 0 ${width} ${round(height)}" role="img" ` +
    `aria-labelledby="${id}-title ${id}-desc"><title id="${id}-title">${escapeText(title)}</title>` +
    `<desc id="${id}-desc">${escapeText(description)}</desc><style>${style}</style>${body}</svg>`
  );
}

export interface TextOptions {
  readonly class?: string;
  readonly anchor?: "start" | "middle" | "end";
  /** Degrees, clockwise, about the text's own place. */
  readonly rotate?: number;
}

/** One line of text with its baseline at (x, y). */
export function text(x: number, y: number, content: string, options: TextOptions = {}): string {
  const attributes = [
    options.class && `class="${options.class}"`,
    options.anchor && options.anchor !== "start" && `text-anchor="${options.anchor}"`,
    options.rotate && `transform="rotate(${round(options.rotate)} ${round(x)} ${round(y)})"`,
  ].filter(Boolean);
  return `<text x="${round(x)}" y="${round(y)}" ${attributes.join(" ")}>${escapeText(content)}</text>`;
}

/** A straight line; `attributes` as in SVG. */
export const line = (x1: number, y1: number, x2: number, y2: number, attributes: string): string =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" ${attributes}/>`;

/** The marker of the i-th series about (x, y): circle, triangle, square, diamond, … in the series' colour. */
export function marker(index: number, x: number, y: number, radius = 6): string {
  const style = `fill="${seriesColour(index)}" stroke="var(--plane)" stroke-width="1.5"`;
  const polygon = (points: readonly (readonly [number, number])[]) =>
    `<polygon points="${points.map(([dx, dy]) => `${round(x + dx * radius)},${round(y + dy * radius)}`).join(" ")}" ${style}/>`;
  const shapes = [
    () => `<circle cx="${round(x)}" cy="${round(y)}" r="${radius}" ${style}/>`,
    () =>
      polygon([
        [0, -1.25],
        [1.15, 0.8],
        [-1.15, 0.8],
      ]), // prettier as a list of corners
    () =>
      polygon([
        [-0.92, -0.92],
        [0.92, -0.92],
        [0.92, 0.92],
        [-0.92, 0.92],
      ]),
    () =>
      polygon([
        [0, -1.3],
        [1.3, 0],
        [0, 1.3],
        [-1.3, 0],
      ]),
    () =>
      polygon([
        [0, 1.25],
        [1.15, -0.8],
        [-1.15, -0.8],
      ]),
    () =>
      polygon([
        [-1.3, -0.55],
        [1.3, -0.55],
        [1.3, 0.55],
        [-1.3, 0.55],
      ]),
  ];
  return shapes[index % SERIES]!();
}

export interface LegendItem {
  readonly label: string;
  /** SVG of the sign, drawn about (0, 0), at most 24 wide. */
  readonly sign: string;
}

/** Legend items set in rows from (x, y) within `width`; returns the SVG and the height used. */
export function legend(items: readonly LegendItem[], x: number, y: number, width: number): { svg: string; height: number } {
  const rowHeight = FONT * 1.7;
  let [column, row] = [0, 0];
  const parts = items.map(({ label, sign }) => {
    const itemWidth = 54 + textWidth(label, FONT - 1);
    if (column > 0 && column + itemWidth > width) [column, row] = [0, row + 1];
    const at = { x: x + column, y: y + row * rowHeight };
    column += itemWidth;
    return `<g transform="translate(${round(at.x + 12)} ${round(at.y)})">${sign}${text(20, FONT * 0.35, label, { class: "small" })}</g>`;
  });
  return { svg: parts.join(""), height: items.length ? (row + 1) * rowHeight : 0 };
}

/** Round steps (1, 2, 5 × 10ⁿ) from 0 up to at least `max`, about `count` of them. */
export function linearTicks(max: number, count = 5): number[] {
  if (!(max > 0)) return [0, 1];
  const raw = max / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw * 0.999)!;
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

/** FNV-1a, 32 bits, base 36. */
function hash(content: string): string {
  let state = 0x811c9dc5;
  for (let i = 0; i < content.length; i++) state = Math.imul(state ^ content.charCodeAt(i), 0x01000193);
  return (state >>> 0).toString(36);
}

/** Two decimals are a hundredth of a pixel: enough, and short. */
export const round = (value: number): number => Math.round(value * 100) / 100;
