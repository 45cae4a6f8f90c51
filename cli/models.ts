/** A `--model` value into the files it means, for the page (offered by range) and for Node (opened by range). */
import { openAsBlob } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ensure } from "../src/errors";
import { type ByteSource, blobSource, RidgepointError, resolveSource } from "../src/index";
import type { PageModel } from "./protocol";
import type { PageServer } from "./server";

/** The package's folder, seen from `dist/cli/main.js`. */
export const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));
/** The embedded models. */
export const MODELS = join(PACKAGE, "models");

const SIDECARS = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"];
const INDEX = "model.safetensors.index.json";
const FORMS =
  "builtin:ar|mdlm|block, hf:org/repo[@rev][/file.gguf], a URL, a .gguf or .safetensors file, or a directory with config.json and *.safetensors";

/** An address the engine resolves, or paths of this machine's files. */
export type ModelSpec = { readonly address: string } | { readonly paths: readonly string[] };

/**
 * Reads a `--model` value.
 *
 * @throws RidgepointError `not-found`: no such file; `bad-option`: a file or a folder that holds no model
 */
export async function parseModel(model: string): Promise<ModelSpec> {
  if (/^(builtin|hf):|^https?:\/\//i.test(model)) return { address: model };
  const path = resolve(model);
  const found = await stat(path).catch(() => null);
  ensure(found, "not-found", `model "${model}": no such file; expected ${FORMS}`);
  if (found.isDirectory()) return { paths: await filesOfFolder(path) };
  if (path.endsWith(".gguf")) return { paths: [path] };
  ensure(path.endsWith(".safetensors"), "bad-option", `model "${model}": expected ${FORMS}`);
  return { paths: [path, ...(await sidecarsOf(dirname(path)))] };
}

async function sidecarsOf(folder: string): Promise<string[]> {
  const names = new Set(await readdir(folder));
  return SIDECARS.filter((name) => names.has(name)).map((name) => join(folder, name));
}

/** The weights of a folder: what its index names, else `model.*`, else the only candidate. Beside them the sidecars. */
async function filesOfFolder(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort();
  const tensors = names.filter((name) => name.endsWith(".safetensors"));
  const ggufs = names.filter((name) => name.endsWith(".gguf"));
  const weights = names.includes(INDEX)
    ? [INDEX, ...tensors]
    : (["model.safetensors", "model.gguf"].filter((name) => names.includes(name)).slice(0, 1) as string[]);
  if (weights.length === 0) weights.push(...(tensors.length > 0 ? tensors : ggufs));
  ensure(weights.length > 0, "not-found", `model "${folder}": neither *.safetensors nor *.gguf in this directory`);
  ensure(
    weights.length === 1 || weights[0] === INDEX,
    "bad-option",
    `model "${folder}": ${weights.length} weight files and no ${INDEX}; name one of ${weights.slice(0, 4).join(", ")}`,
  );
  return [...weights.map((name) => join(folder, name)), ...(await sidecarsOf(folder))];
}

/** Origins the page must be let fetch from for this model. */
export function originsOf(spec: ModelSpec): string[] {
  if (!("address" in spec) || spec.address.startsWith("builtin:")) return [];
  // Hubs redirect to storage on other hosts.
  if (spec.address.startsWith("hf:")) return ["https:"];
  return ["https:", new URL(spec.address).origin];
}

/** The model as the page gets it: local files are offered by range, never read here. */
export async function offerModel(spec: ModelSpec, server: PageServer): Promise<PageModel> {
  if ("address" in spec) return spec;
  return {
    files: await Promise.all(
      spec.paths.map(async (path) => ({ name: basename(path), size: (await stat(path)).size, url: server.offer(path) })),
    ),
  };
}

/** The model's files, for reading in Node. */
export async function openModel(spec: ModelSpec): Promise<ByteSource[]> {
  if ("paths" in spec) return Promise.all(spec.paths.map(openFile));
  if (!spec.address.startsWith("builtin:")) return resolveSource(spec.address);
  const name = spec.address.slice("builtin:".length);
  const folder = join(MODELS, basename(name));
  const list = await readFile(join(folder, "files.json"), "utf8").catch(() => null);
  ensure(list !== null, "not-found", `no embedded model "${name}"; there are ${(await readdir(MODELS)).join(", ")}`);
  return Promise.all((JSON.parse(list) as string[]).map((file) => openFile(join(folder, file))));
}

/** One file of this machine, read by range. */
async function openFile(path: string): Promise<ByteSource> {
  try {
    return blobSource(await openAsBlob(path), basename(path));
  } catch (cause) {
    throw new RidgepointError("not-found", `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
