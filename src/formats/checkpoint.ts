/** A list of files into one checkpoint: which file holds the weights, which the configuration, which the tokenizer. */
import { ensure, RidgepointError } from "../errors";
import type { ByteSource } from "./byte-source";
import { openGguf } from "./gguf";
import { decodeUtf8, parseJsonObject } from "./json";
import { openSafetensors } from "./safetensors-weights";
import type { OpenedCheckpoint } from "./tensor";

const SIDECARS = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"];
const INDEX_SUFFIX = ".safetensors.index.json";
/** Larger than any published tokenizer, bytes. */
const MAX_TEXT_BYTES = 128 * 2 ** 20;

/**
 * Opens the checkpoint that `files` form: one `.gguf`, or `.safetensors` (sharded with its index) and `config.json`.
 * With `config.json` beside a `.gguf` both are given: the configuration is then `config.json`'s, the weights are the GGUF's.
 * Reads headers and texts only. Throws `not-found` when no file holds weights, `bad-option` when several could,
 * `bad-file` when one is malformed; `network` and `abort` from the sources.
 */
export async function openCheckpoint(files: readonly ByteSource[], signal?: AbortSignal): Promise<OpenedCheckpoint> {
  const names = files.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  ensure(twice === undefined, "bad-option", `two files are named ${twice}; expected the files of one model`);
  const ggufs = files.filter(({ name }) => name.endsWith(".gguf"));
  const safetensors = files.filter(({ name }) => name.endsWith(".safetensors"));
  if (ggufs.length + safetensors.length === 0) {
    const found = names.length > 0 ? names.slice(0, 20).join(", ") : "none";
    throw new RidgepointError("not-found", `no weights: expected a .gguf or .safetensors file among: ${found}`);
  }
  const weightNames = [...ggufs, ...safetensors].map(({ name }) => name).join(", ");
  const single = ggufs.length === 0 || (ggufs.length === 1 && safetensors.length === 0);
  ensure(single, "bad-option", `several files hold weights; choose one of: ${weightNames}`);

  const config = await readText(files, "config.json", signal);
  const sidecars = new Map<string, string>();
  for (const name of SIDECARS) {
    const text = await readText(files, name, signal);
    if (text !== null) sidecars.set(name, text);
  }
  const shared = { config: config === null ? null : parseJsonObject(config, "config.json"), sidecars };
  const [gguf] = ggufs;
  if (gguf) {
    const split = /-\d{5}-of-(\d{5})\.gguf$/.exec(gguf.name);
    ensure(
      !split || Number(split[1]) === 1,
      "bad-file",
      `${gguf.name} is one part of a split GGUF; merge the parts into one file`,
    );
    return { format: "gguf", ...(await openGguf(gguf, signal)), ...shared };
  }
  const indexName = names.find((name) => name.endsWith(INDEX_SUFFIX));
  const index = indexName === undefined ? null : await readText(files, indexName, signal);
  return { format: "safetensors", ...(await openSafetensors(safetensors, index, signal)), metadata: new Map(), ...shared };
}

async function readText(files: readonly ByteSource[], name: string, signal: AbortSignal | undefined): Promise<string | null> {
  const file = files.find((candidate) => candidate.name === name);
  if (!file) return null;
  ensure(file.size <= MAX_TEXT_BYTES, "bad-file", `${name}: ${file.size} bytes (limit ${MAX_TEXT_BYTES})`);
  return decodeUtf8(await file.read(0, file.size, signal), name);
}
