/** Imports go one way, and what lies below knows nothing of what lies above: read off the files themselves. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

/** From the bottom up: a folder imports only from those before it, and from itself. */
const LAYERS = ["gpu", "formats", "text", "kernels", "model", "decode", "measure", "adapters"];
/** Folders that stand beside each other although one comes first in the list. */
const APART: Readonly<Record<string, readonly string[]>> = {
  formats: ["gpu"],
  text: ["gpu"],
  kernels: ["formats", "text"],
  model: ["text"],
};

const root = join(import.meta.dirname, "../..");
const filesOf = (folder: string): string[] =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => /\.m?ts$/.test(name))
        .map((name) => join(folder, name))
        .sort()
    : [];
const textOf = (file: string): string => readFileSync(join(root, file), "utf8");

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");

/** What a file imports or re-exports, statically or not: paths inside the repository, or packages. */
function importsOf(file: string): string[] {
  const text = withoutComments(textOf(file));
  const found = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map(([, name]) => name as string);
  return found.map((name) => (name.startsWith(".") ? normalize(join(dirname(file), name)) : name));
}

/** Those of `files` that import what they may not, each with what it imports. */
const offenders = (files: readonly string[], forbidden: (imported: string, file: string) => boolean): string[] =>
  files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => forbidden(imported, file))
      .map((imported) => `${file} → ${imported}`),
  );

const sources = filesOf("src");
const layerOf = (path: string): string => (path.startsWith("src/") ? (path.split("/")[1] as string) : "");

test("the files are there, and their imports are read", () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(importsOf("src/decode/resolve.ts")).toContain("src/model/config");
  expect(importsOf("src/index.ts")).toContain("src/adapters/model");
  expect(importsOf("src/kernels/answer.ts")).toContain("shaders/lib/plan.wgsl?raw");
});

describe.each(LAYERS)("src/%s", (layer) => {
  const files = sources.filter((file) => layerOf(file) === layer);
  const below = LAYERS.slice(0, LAYERS.indexOf(layer)).filter((name) => !APART[layer]?.includes(name));

  test(`imports itself and ${["errors", ...below].join(", ")} only`, () => {
    expect(files).not.toEqual([]);
    const allowed = ["src/errors", ...[...below, layer].map((name) => `src/${name}/`)];
    expect(
      offenders(files, (imported) => imported.startsWith("src/") && !allowed.some((start) => imported.startsWith(start))),
    ).toEqual([]);
  });

  test("does not reach outside src, but for shaders and packages", () => {
    const outside = (imported: string) => imported.includes("/") && !/^(src\/|shaders\/|@)/.test(imported);
    expect(offenders(files, outside)).toEqual([]);
  });
});

test("src/errors.ts imports nothing", () => expect(importsOf("src/errors.ts")).toEqual([]));

test("no two files of src import each other in a circle, types aside", () => {
  const graph = new Map(
    sources.map((file) => {
      const runtime = withoutComments(textOf(file)).replace(/\b(?:import|export)\s+type\s[^;]*?;/g, "");
      const imported = [...runtime.matchAll(/\bfrom\s+"(\.[^"]+)"/g)].map(
        ([, name]) => `${normalize(join(dirname(file), name as string))}.ts`,
      );
      return [file, imported] as const;
    }),
  );
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) throw new Error([...path.slice(path.indexOf(file)), file].join(" → "));
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
});

test("no file of src imports from Node: it all runs in a page", () => {
  expect(offenders(sources, (imported) => imported.startsWith("node:"))).toEqual([]);
});

test.each(["cli", "demo", "perf"])("%s uses the public API alone: src/index, and the errors", (folder) => {
  const others = (imported: string) => imported.startsWith("src/") && !/^src\/(index|errors)(\.ts)?$/.test(imported);
  expect(offenders(filesOf(folder), others)).toEqual([]);
});

test("nothing of src imports cli, demo, perf, bench or test", () => {
  expect(offenders(sources, (imported) => /^(cli|demo|perf|bench|test)\//.test(imported))).toEqual([]);
});

test("nothing that is shipped imports the comparison with other engines, or one of them", () => {
  const shipped = [...sources, ...filesOf("cli"), ...filesOf("demo")];
  expect(offenders(shipped, (imported) => /^bench\/|onnxruntime|tensorflow|wllama/.test(imported))).toEqual([]);
});

test("gpu, kernels and model name no way of decoding", () => {
  const config = ["src/model/config.ts", "src/model/architectures.ts"];
  const names = /autoregressi|diffusion|denois|masked|unmask|remask|semi-?auto|dual cache|prefix cache/i;
  const files = sources.filter((file) => ["gpu", "kernels", "model"].includes(layerOf(file)) && !config.includes(file));
  const naming = files.flatMap((file) =>
    withoutComments(textOf(file))
      .split("\n")
      .filter((line) => names.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(naming).toEqual([]);
});
