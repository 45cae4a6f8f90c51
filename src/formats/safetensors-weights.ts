/** Safetensors files, one or sharded, into the weights of a checkpoint. It reads headers only, never weights. */
import { ensure, RidgepointError } from "../errors";
import { type ByteSource, baseName } from "./byte-source";
import { parseJsonObject } from "./json";
import { readSafetensorsHeader } from "./safetensors";
import { shardNames } from "./sources";
import type { StoredDtype, StoredTensor } from "./tensor";

const WEIGHT_DTYPES: ReadonlyMap<string, StoredDtype> = new Map([
  ["F32", "f32"],
  ["F16", "f16"],
  ["BF16", "bf16"],
]);

/** Weights of a safetensors checkpoint, and the types of those that are no weights. */
export interface SafetensorsWeights {
  readonly tensors: Map<string, StoredTensor>;
  readonly unsupported: Map<string, string>;
}

/**
 * Opens a checkpoint of one `.safetensors` file, or of the shards that `index` (text of `model.safetensors.index.json`) names.
 * Throws `bad-file` when a shard or an indexed tensor is missing, or a name occurs in two shards.
 */
export async function openSafetensors(
  files: readonly ByteSource[],
  index: string | null,
  signal?: AbortSignal,
): Promise<SafetensorsWeights> {
  const shards = index === null ? files : chosenShards(files, index);
  ensure(
    index !== null || shards.length === 1,
    "bad-file",
    `${shards.length} .safetensors files and no model.safetensors.index.json; add it`,
  );
  const weights: SafetensorsWeights = { tensors: new Map(), unsupported: new Map() };
  const homes = new Map<string, string>();
  for (const source of shards) {
    for (const { name, dtype, shape, start, end } of await readSafetensorsHeader(source, signal)) {
      ensure(!homes.has(name), "bad-file", `tensor ${name} is in ${homes.get(name)} and in ${source.name}`);
      homes.set(name, source.name);
      const stored = WEIGHT_DTYPES.get(dtype);
      if (stored) weights.tensors.set(name, { name, dtype: stored, shape, source, start, end });
      else weights.unsupported.set(name, dtype);
    }
  }
  if (index !== null) checkIndex(index, homes);
  return weights;
}

function chosenShards(files: readonly ByteSource[], index: string): ByteSource[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  return shardNames(index, "model.safetensors.index.json").map((name) => {
    const file = byName.get(baseName(name));
    if (file) return file;
    throw new RidgepointError("bad-file", `shard ${name} of model.safetensors.index.json is missing; add the file`);
  });
}

function checkIndex(index: string, homes: ReadonlyMap<string, string>): void {
  const map = parseJsonObject(index, "model.safetensors.index.json").weight_map as Record<string, string>;
  for (const [name, file] of Object.entries(map)) {
    const home = homes.get(name) ?? "nowhere";
    ensure(home === baseName(file), "bad-file", `tensor ${name}: the index says ${file}, found in ${home}`);
  }
}
