/** The decoding options a person can set, by family, as form fields and back as `GenerateOptions`. */
import type { CacheMode, GenerateOptions, ModelInfo } from "../src/index";

export type Family = ModelInfo["family"];

interface NumberField {
  readonly name: "maxNewTokens" | "genLength" | "blockLength" | "steps" | "threshold" | "temperature" | "seed";
  readonly label: string;
  readonly value: number | "";
  readonly min: number;
  readonly max?: number;
  readonly step?: number;
  readonly hint?: string;
}

const SAMPLING: readonly NumberField[] = [
  { name: "temperature", label: "Temperature", value: 0, min: 0, max: 5, step: 0.1 },
  { name: "seed", label: "Seed", value: 0, min: 0, max: 2 ** 32 - 1 },
];
const CANVAS: readonly NumberField[] = [
  { name: "genLength", label: "Canvas length", value: 64, min: 1, max: 2048 },
  { name: "blockLength", label: "Block length", value: 16, min: 1, max: 2048 },
  { name: "threshold", label: "Threshold", value: 0.9, min: 0.01, max: 1, step: 0.01, hint: "or steps" },
  { name: "steps", label: "Steps", value: "", min: 1, max: 4096, hint: "or a threshold" },
];
const FIELDS: Readonly<Record<Family, readonly NumberField[]>> = {
  ar: [{ name: "maxNewTokens", label: "Most tokens", value: 64, min: 1, max: 4096 }, ...SAMPLING],
  mdlm: [...CANVAS, ...SAMPLING],
  block: [...CANVAS, ...SAMPLING],
};
const CACHES: Readonly<Record<Family, readonly CacheMode[]>> = { ar: [], mdlm: ["dual", "prefix", "none"], block: ["block"] };

/** Fills `root` with the fields of a family; values of equal names are kept. */
export function showOptions(root: HTMLElement, family: Family): void {
  const kept = new Map(
    [...root.querySelectorAll<HTMLInputElement | HTMLSelectElement>("input, select")].map((input) => [input.name, input.value]),
  );
  root.replaceChildren(...FIELDS[family].map((field) => numberField(field, kept.get(field.name))));
  if (CACHES[family].length > 1) root.append(cacheField(CACHES[family], kept.get("cache")));
}

/** What the fields say. Empty fields are left to the engine's defaults. */
export function readOptions(form: HTMLFormElement, family: Family): GenerateOptions {
  const data = new FormData(form);
  const options: GenerateOptions = {};
  for (const { name } of FIELDS[family]) {
    const value = String(data.get(name) ?? "");
    if (value !== "") options[name] = Number(value);
  }
  const cache = data.get("cache");
  if (typeof cache === "string") options.cache = cache as CacheMode;
  return options;
}

function numberField({ name, label, value, min, max, step = 1, hint }: NumberField, kept: string | undefined): HTMLElement {
  const input = document.createElement("input");
  Object.assign(input, { type: "number", name, min: String(min), step: String(step), value: kept ?? String(value) });
  if (max !== undefined) input.max = String(max);
  if (hint) input.placeholder = hint;
  return labelled(label, input);
}

function cacheField(modes: readonly CacheMode[], kept: string | undefined): HTMLElement {
  const select = document.createElement("select");
  select.name = "cache";
  select.append(...modes.map((mode) => new Option(mode, mode, false, mode === kept)));
  return labelled("Cache", select);
}

function labelled(label: string, control: HTMLElement): HTMLElement {
  const element = document.createElement("label");
  element.append(label, control);
  return element;
}
