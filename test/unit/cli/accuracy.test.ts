/** The settings of the accuracy tables and what is written of them, without a browser. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { EvaluationSummary } from "../../../cli/evaluation";
import { curvesOf, distinctSettings, FAMILIES, keyOf, LENGTH, type Setting, tables } from "../../../cli/evaluation-settings";
import { accuracyFigure, accuracyPage, CARD_MARKERS, resultTable, updateCard } from "../../../cli/evaluation-tables";
import { checkOptions } from "../../../src/decode/check-options";
import { shareInterval95 } from "../../../src/measure/statistics";

const ALL = tables(["q4_0", "f32"]);
const SETTINGS = distinctSettings(ALL);
const PROVENANCE = { command: "ridgepoint accuracy", device: "a device", browser: "a browser", batch: 3, date: "2000-01-01" };
const CARD = `# card\n\nbefore\n${CARD_MARKERS.join("\n")}\nafter\n`;

const summaryOf = (correct: number, tokensPerForward: number): EvaluationSummary => ({
  n: 200,
  correct,
  accuracy: correct / 200,
  confidence95: shareInterval95(correct, 200),
  tokens: 8000,
  forwards: 40 / tokensPerForward,
  tokensPerSecond: 50,
  tokensPerForward,
  rowsPerForward: 16,
  flopsPerToken: 5e6,
});

/** Results in which every setting has numbers of its own. */
const RESULTS = new Map(SETTINGS.map((one, i) => [keyOf(one), summaryOf(200 - i, 1 + i / 8)]));

describe("settings", () => {
  test("what is decoded alike is run once, and nothing else is taken for it", () => {
    const all = ALL.flatMap(({ settings }) => settings);
    expect(SETTINGS.length).toBeLessThan(all.length);
    const alike = ({ model, weights, dataset, options }: Setting) =>
      JSON.stringify([model, weights, dataset, Object.entries(options).toSorted()]);
    expect(SETTINGS.length).toBe(new Set(all.map(alike)).size);
    expect(new Set(SETTINGS.map(keyOf)).size).toBe(SETTINGS.length);
    for (const key of SETTINGS.map(keyOf)) expect(key).toMatch(/^[\w.-]+$/);
  });

  test.each(SETTINGS.map((one) => [keyOf(one), one] as const))("%s is one that its family knows", (_, { model, options }) => {
    expect(() => checkOptions(options, model)).not.toThrow();
    if (options.steps !== undefined) expect(LENGTH % options.steps).toBe(0);
    expect(options.genLength ?? options.maxNewTokens).toBe(LENGTH);
  });

  test("a model is loaded once: its settings follow each other", () => {
    const loads = SETTINGS.map(({ model, weights }) => `${model} ${weights}`);
    const changes = loads.filter((load, i) => load !== loads[i - 1]);
    expect(changes.length).toBe(new Set(loads).size);
    expect(changes.length).toBe(9);
  });

  test("the papers' axes are all there", () => {
    const of = (model: string, pick: (setting: Setting) => unknown) =>
      new Set(SETTINGS.filter((one) => one.model === model && one.dataset === "problems").map(pick));
    for (const model of ["mdlm", "block"]) {
      expect(of(model, ({ options }) => options.steps)).toEqual(new Set([64, 32, 16, 8, 4, undefined]));
      expect(of(model, ({ options }) => options.threshold)).toEqual(new Set([0.5, 0.6, 0.7, 0.8, 0.9, 0.95, undefined]));
    }
    expect(of("mdlm", ({ options }) => options.cache)).toEqual(new Set(["none", "prefix", "dual"]));
    expect(of("ar", ({ weights }) => weights)).toEqual(new Set(["q8_0", "q4_0", "f32"]));
  });

  test("every point of a figure is a setting of a table", () => {
    const keys = new Set(SETTINGS.map(keyOf));
    for (const dataset of ["problems", "stories"] as const) {
      const points = curvesOf(dataset).flatMap(({ settings }) => settings);
      expect(points.length).toBe(23);
      expect(points.filter((one) => !keys.has(keyOf(one)))).toEqual([]);
    }
  });
});

describe("tables", () => {
  test("a line a setting with its share, interval and costs; settings without results are left out", () => {
    const [first, second] = ALL[0]!.settings as [Setting, Setting];
    const text = resultTable([first, second], new Map([[keyOf(first), summaryOf(150, 1)]]));
    expect(text.split("\n")).toEqual([
      "| decoding | right, % | 95 % | n | tokens/forward | forwards/answer | tok/s | FLOP/token |",
      "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
      "| greedy | 75.0 | 68.6 – 80.5 | 200 | 1.00 | 40.0 | 50.0 | 5.00 MFLOP |",
      "",
    ]);
    expect(resultTable([second], new Map())).toBe("Not evaluated.\n");
  });

  test("the page has every table, its figures and where it comes from", () => {
    const page = accuracyPage(ALL, RESULTS, PROVENANCE);
    for (const { title, settings } of ALL) {
      const section = page.split(`## ${title}\n`)[1]!.split("\n## ")[0]!;
      expect(section.split("\n").filter((line) => line.startsWith("| ")).length, title).toBe(settings.length + 2);
    }
    for (const part of [...Object.values(PROVENANCE), "accuracy.svg", "stories.svg"]) expect(page).toContain(part);
    expect(page).not.toContain("Not evaluated");
  });

  test("a card gets its own model's tables between its markers, however often", () => {
    const written = { all: ALL, results: RESULTS, provenance: PROVENANCE };
    const once = updateCard(CARD, "block", written);
    expect(once).toMatch(/^# card\n\nbefore\n<!-- accuracy -->\nMeasured[\s\S]+\n<!-- \/accuracy -->\nafter\n$/);
    expect(updateCard(once, "block", written)).toBe(once);
    expect(once).not.toContain("greedy");
    const own = SETTINGS.filter(({ model }) => model === "block");
    expect(once.split("\n").filter((line) => /^\| .*(threshold|T = L)/.test(line)).length).toBe(own.length);
    for (const bad of ["no markers", "<!-- accuracy -->", "<!-- /accuracy -->\n<!-- accuracy -->"]) {
      expect(() => updateCard(bad, "ar", written)).toThrow(/README\.md: expected/);
    }
  });

  test.each(FAMILIES)("the card of %s has the markers", (name) => {
    const card = readFileSync(join(import.meta.dirname, "../../../models", name, "README.md"), "utf8");
    expect(() => updateCard(card, name, { all: ALL, results: RESULTS, provenance: PROVENANCE })).not.toThrow();
  });
});

test("the figure has a mark a setting, at its place, and ticks at powers of two", () => {
  const svg = accuracyFigure("problems", RESULTS);
  expect(svg.match(/<g><title>/g)).toHaveLength(23);
  const [dlm] = curvesOf("problems").filter(({ name }) => name === "masked diffusion, thresholds");
  const { accuracy, tokensPerForward } = RESULTS.get(keyOf(dlm!.settings[0]!))!;
  expect(svg).toContain(`${(100 * accuracy).toFixed(1)} at ${tokensPerForward!.toFixed(2)}`);
  const ticks = [...svg.matchAll(/text-anchor="middle">(\d+)<\/text>/g)].map(([, tick]) => Number(tick));
  expect(ticks).toEqual([1, 2, 4, 8]);
  expect(accuracyFigure("stories", new Map())).toContain("<svg");
});
