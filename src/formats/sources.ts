/** A model's address into its files. It knows where files lie and which may be absent, not what is in them. */
import { ensure, RidgepointError } from "../errors";
import { type ByteSource, baseName, blobSource } from "./byte-source";
import { decodeUtf8, isObject, parseJson, parseJsonObject } from "./json";
import { urlSource } from "./url-source";

/** `builtin:NAME`, `hf:org/repo[@rev][/file]`, an http(s) URL, files a person chose, or sources of one's own. */
export type ModelSource = string | readonly File[] | readonly ByteSource[];

export interface ResolveOptions {
  /** Folder URL that holds the embedded models. Default: `models/` of this package. */
  readonly builtinBase?: string;
  readonly signal?: AbortSignal;
}

/** Files beside the weights; those that a repository does not have are skipped. */
const OPTIONAL_SIDECARS = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"];
const INDEX = "model.safetensors.index.json";
const SUPPORTED =
  "builtin:NAME, hf:org/repo[@rev][/file.gguf], an http(s) URL of a .gguf or .safetensors file, " +
  "or an http(s) URL ending in / that serves files.json";
/** No published model has more files; a longer list is a mistake or an attack. */
const MAX_FILES = 1000;

/**
 * Resolves `source` to its files, opened for reading by range. The caller chooses among them with `openCheckpoint`.
 * Throws `bad-option` (an address of no known form), `not-found`, `network`, `abort`, and `bad-file` for a malformed list of files.
 */
export async function resolveSource(source: ModelSource, options: ResolveOptions = {}): Promise<ByteSource[]> {
  if (typeof source !== "string") return localSources(source);
  if (source.startsWith("builtin:")) return builtinSources(source.slice("builtin:".length), options);
  if (source.startsWith("hf:")) return huggingFaceSources(source, options);
  if (/^https?:\/\//i.test(source)) return webSources(source, options);
  throw new RidgepointError("bad-option", `model "${source}": expected ${SUPPORTED}`);
}

function localSources(files: readonly (File | ByteSource)[]): ByteSource[] {
  ensure(Array.isArray(files), "bad-option", `model: expected an address or a list of files; ${SUPPORTED}`);
  ensure(files.length > 0, "bad-option", "model: the list of files is empty; choose a .gguf or .safetensors file");
  return files.map((file) => (file instanceof Blob ? blobSource(file) : file));
}

/** Where the embedded models lie, seen from the built library or from this file. */
function defaultBuiltinBase(): string {
  // The path is a variable so that bundlers do not take the folder for an asset to inline.
  const folder = "../../models/";
  return new URL(folder, import.meta.url).href;
}

async function builtinSources(name: string, options: ResolveOptions): Promise<ByteSource[]> {
  const base = options.builtinBase ?? defaultBuiltinBase();
  const advice = `no embedded model "${name}" under ${base}; supported: ${SUPPORTED}`;
  ensure(/^[A-Za-z0-9][\w.-]*$/.test(name), "not-found", advice);
  try {
    return await listedSources(`${base.replace(/\/*$/, "/")}${name}/`, options);
  } catch (cause) {
    if (isNotFound(cause)) throw new RidgepointError("not-found", advice, { cause });
    throw cause;
  }
}

async function huggingFaceSources(address: string, options: ResolveOptions): Promise<ByteSource[]> {
  const parts = /^hf:([\w.-]+)\/([\w.-]+)(?:@([^\s@]+?))?(?:\/([^@\s]+\.(?:gguf|safetensors)))?$/.exec(address);
  ensure(parts !== null, "bad-option", `model "${address}": expected hf:org/repo[@rev][/file.gguf]`);
  const [, org, repo, revision = "main", file] = parts;
  const base = `https://huggingface.co/${org}/${repo}/resolve/${encodeURIComponent(revision)}/`;
  if (file === undefined) return folderSources(base, address, options);
  return webSources(base + file.split("/").map(encodeURIComponent).join("/"), options);
}

async function webSources(address: string, options: ResolveOptions): Promise<ByteSource[]> {
  const { pathname } = new URL(address);
  if (pathname.endsWith("/")) return listedSources(address, options);
  const open = (url: string) => urlSource(url, withSignal(options));
  if (pathname.endsWith(".gguf")) return [await open(address)];
  ensure(pathname.endsWith(".safetensors"), "bad-option", `model "${address}": expected ${SUPPORTED}`);
  const sibling = (name: string) => {
    const url = new URL(address);
    url.pathname = pathname.slice(0, pathname.lastIndexOf("/") + 1) + name;
    return url.href;
  };
  const sidecars = await Promise.all(["config.json", ...OPTIONAL_SIDECARS].map((name) => optional(open(sibling(name)))));
  return [await open(address), ...present(sidecars)];
}

/** A folder in Hugging Face's layout, whose files can be asked for but not listed. */
async function folderSources(base: string, address: string, options: ResolveOptions): Promise<ByteSource[]> {
  const open = (name: string) => urlSource(base + name, withSignal(options));
  let config: ByteSource;
  try {
    config = await open("config.json");
  } catch (cause) {
    if (!isNotFound(cause)) throw cause;
    const advice = "the repository or its config.json is not there; name a file, as in hf:org/repo/model.gguf";
    throw new RidgepointError("not-found", `model "${address}": ${advice}`, { cause });
  }
  const sidecars = present(await Promise.all(OPTIONAL_SIDECARS.map((name) => optional(open(name)))));
  const single = await optional(open("model.safetensors"));
  if (single) return [config, ...sidecars, single];
  const index = await optional(open(INDEX));
  const advice = `no model.safetensors and no ${INDEX}; for GGUF name the file, as in hf:org/repo/model.gguf`;
  ensure(index, "not-found", `model "${address}": ${advice}`);
  const names = shardNames(await readText(index, options), INDEX);
  return [config, ...sidecars, index, ...(await Promise.all(names.map(open)))];
}

/** A folder that lists itself in `files.json`: a JSON array of file names. */
async function listedSources(folder: string, options: ResolveOptions): Promise<ByteSource[]> {
  const beside = (name: string) => {
    const url = new URL(folder);
    url.pathname += name.split("/").map(encodeURIComponent).join("/");
    return url.href;
  };
  const list = await urlSource(beside("files.json"), withSignal(options));
  const names = parseJson(await readText(list, options), list.name);
  const wellFormed = Array.isArray(names) && names.length > 0 && names.length <= MAX_FILES && names.every(isPlainPath);
  ensure(wellFormed, "bad-file", `${folder}files.json: expected a JSON array of relative file names`);
  return Promise.all((names as string[]).map((name) => urlSource(beside(name), withSignal(options))));
}

/**
 * Shard file names of a `model.safetensors.index.json`, each once, in order.
 * Throws `bad-file` when `weight_map` is missing, empty, or names anything but plain relative files.
 */
export function shardNames(indexText: string, what: string): string[] {
  const map = parseJsonObject(indexText, what).weight_map;
  ensure(isObject(map), "bad-file", `${what}: expected an object "weight_map"`);
  const names = new Set(Object.values(map));
  ensure(names.size > 0 && names.size <= MAX_FILES, "bad-file", `${what}: "weight_map" names ${names.size} files`);
  for (const name of names) ensure(isPlainPath(name), "bad-file", `${what}: ${JSON.stringify(name)} is no relative file name`);
  return [...names] as string[];
}

/** A relative path without a scheme, `..`, a leading slash, or a backslash: it cannot leave its folder. */
function isPlainPath(name: unknown): name is string {
  return (
    typeof name === "string" && /^[^/\\:?#][^\\:?#]*$/.test(name) && !name.split("/").includes("..") && baseName(name) !== ""
  );
}

async function readText(source: ByteSource, options: ResolveOptions): Promise<string> {
  ensure(source.size <= 100e6, "bad-file", `${source.name}: ${source.size} bytes is too large for a list of files`);
  return decodeUtf8(await source.read(0, source.size, options.signal), source.name);
}

function withSignal(options: ResolveOptions): { signal?: AbortSignal } {
  return options.signal ? { signal: options.signal } : {};
}

function isNotFound(error: unknown): boolean {
  return error instanceof RidgepointError && error.code === "not-found";
}

async function optional(opening: Promise<ByteSource>): Promise<ByteSource | null> {
  try {
    return await opening;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

function present(sources: readonly (ByteSource | null)[]): ByteSource[] {
  return sources.filter((source) => source !== null);
}
