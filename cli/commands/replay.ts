/** `replay`: decodes recorded cases again and says where they part from the recording. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { type ReplayResult, RidgepointError } from "../../src/index";
import { parseModel } from "../models";
import { type CommonFlags, sessionOptions, withBrowserOptions } from "../options";
import { describeError, print, printDocument, SCHEMA, say } from "../output";
import type { Failure } from "../protocol";
import { type Session, withSession } from "../session";
import { formatTable } from "../table";

/** A case file. */
interface Case {
  readonly path: string;
  readonly trajectory: Readonly<Record<string, unknown>>;
}

/** `results[]` of the document. */
type Result = ReplayResult | { readonly case: string; readonly error: Failure };

async function readCase(path: string): Promise<Case | null> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RidgepointError("bad-file", `${path}: expected the JSON of a case (${reason})`, { cause });
  }
  const isCase =
    typeof parsed === "object" && parsed !== null && "params" in parsed && ("prompt" in parsed || "canvas" in parsed);
  return isCase ? { path, trajectory: parsed as Case["trajectory"] } : null;
}

/** The cases of a file or of a folder and its folders, by name. Other JSON files of a folder (`config.json`) are passed over. */
async function findCases(path: string): Promise<Case[]> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new RidgepointError("not-found", `${path}: no such case file or directory`);
  if (!found.isDirectory()) {
    const single = await readCase(path);
    if (single) return [single];
    throw new RidgepointError("bad-file", `${path}: expected a case with "params" and "prompt" or "canvas"`);
  }
  const entries = (await readdir(path, { withFileTypes: true, recursive: true })).filter(({ name }) => name.endsWith(".json"));
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return (await Promise.all(paths.map(readCase))).filter((one) => one !== null);
}

/** The folder with the weights: the case's own, else the one named by its `model` in it or beside it. */
async function modelFolder({ path, trajectory: { model } }: Case): Promise<string> {
  const own = dirname(path);
  const named = typeof model === "string" ? [join(own, model), join(dirname(own), model)] : [];
  for (const folder of [own, ...named]) {
    const names = await readdir(folder).catch(() => []);
    if (names.some((name) => /\.(gguf|safetensors)$/.test(name))) return folder;
  }
  throw new RidgepointError("not-found", `${path}: no model (*.safetensors or *.gguf) beside the case`);
}

/** Errors after which the next case would fail too. */
const FATAL = new Set(["browser", "timeout", "device-lost", "internal"]);

/** Replays every case in the order given, each model loaded once. A case that cannot be run says why, and the others go on. */
async function replayAll(session: Session, cases: readonly Case[]): Promise<Result[]> {
  const folders = await Promise.all(cases.map(modelFolder));
  const results = new Map<Case, Result>();
  for (const folder of new Set(folders)) {
    await session.load(await parseModel(folder));
    for (const one of cases.filter((_, index) => folders[index] === folder)) {
      const name = String(one.trajectory.case ?? basename(one.path, ".json"));
      try {
        results.set(one, { ...(await session.call("replay", { trajectory: one.trajectory })), case: name });
      } catch (cause) {
        const error = describeError(cause);
        if (FATAL.has(error.code)) throw cause;
        results.set(one, { case: name, error });
      }
    }
  }
  return cases.map((one) => results.get(one)!);
}

function verdict(result: Result): string {
  if ("error" in result) return `error [${result.error.code}]: ${result.error.message}`;
  if (result.equal === undefined) return "not compared";
  return result.equal ? "equal" : JSON.stringify(result.firstDifference);
}

async function replay(paths: readonly string[], flags: CommonFlags): Promise<void> {
  const cases = (await Promise.all(paths.map((path) => findCases(resolve(path))))).flat();
  if (cases.length === 0) throw new RidgepointError("not-found", `no case files in ${paths.join(", ")}`);
  await withSession(sessionOptions(flags), [], async (session) => {
    const results = await replayAll(session, cases);
    if (flags.json) printDocument({ schema: SCHEMA, command: "replay", device: session.device, results });
    else {
      const table = formatTable(results, [
        { head: "case", cell: (result) => result.case, left: true },
        { head: "forwards", cell: (result) => ("nfe" in result ? String(result.nfe) : "–") },
        { head: "against the recording", cell: verdict, left: true },
      ]);
      print(table);
    }
    const bad = results.filter((result) => "error" in result || result.equal === false);
    if (bad.length > 0) {
      process.exitCode = 1;
      say(`error [mismatch]: ${bad.length} of ${results.length} cases failed, the first is ${bad[0]!.case}: ${verdict(bad[0]!)}`);
    }
  });
}

/** Adds the command to the program. */
export function registerReplay(program: Command): void {
  withBrowserOptions(program.command("replay").description("decode recorded cases again"))
    .argument("<cases...>", "case files, or directories of them, each beside its model")
    .action(replay);
}
