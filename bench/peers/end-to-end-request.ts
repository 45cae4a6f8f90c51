/** The models of the comparison end to end: which files there are, and where the page finds them. */
import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { ensure } from "../../src/errors";
import type { PeersOptions } from "./options";
import type { EndToEndRequest } from "./protocol";

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

/**
 * Checks the files and mounts their folders.
 * @throws `not-found` for a file that is named and is not there
 */
export async function endToEndRequest(options: PeersOptions, mounts: Record<string, string>): Promise<EndToEndRequest> {
  const { gguf = "", onnx, prefill, decode, cpu, threads = availableParallelism(), effort } = options;
  ensure(await isFile(gguf), "not-found", `--gguf: no file ${gguf}`);
  mounts.gguf = dirname(gguf);
  let exported: EndToEndRequest["onnx"] = null;
  if (onnx !== undefined) {
    const graph = join(onnx, "model.onnx");
    ensure(await isFile(graph), "not-found", `--onnx: no ${graph}; export.md says how to make it`);
    mounts.onnx = onnx;
    exported = { folder: "/onnx", data: await isFile(join(onnx, "model.onnx.data")) };
  }
  return { gguf: `/gguf/${basename(gguf)}`, onnx: exported, cpu, threads, prefill, decode, rounds: effort.rounds };
}
