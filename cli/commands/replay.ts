/** `replay`: decodes recorded cases again and says where they part from the recording. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { parseModel } from "../models";
import { type CommonFlags, sessionOptions, withBrowserOptions } from "../options";
import { print, printDocument, SCHEMA, say } from "../output";
import { type Session, withSession } from "../session";
import { type ReplayResult, RidgepointError } from "../stub";
import { formatTable } from "../table";

/** A case, and the folder of its model. */
interface Case {
  readonly path: string;
  readonly folder: string;
  readonly trajectory: Readonly<Record<string, unknown>>;
}

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
  return isCase ? { path, folder: dirname(path), trajectory: parsed as Case["trajectory"] } : null;
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

/** Replays every case, each model loaded once. */
async function replayAll(session: Session, cases: readonly Case[]): Promise<ReplayResult[]> {
  const results: ReplayResult[] = [];
  for (const folder of new Set(cases.map((one) => one.folder))) {
    await session.load(await parseModel(folder));
    for (const { path, trajectory } of cases.filter((one) => one.folder === folder)) {
      const result = await session.call("replay", { trajectory });
      results.push({ ...result, case: result.case ?? basename(path, ".json") });
    }
  }
  return results;
}

async function replay(paths: readonly string[], flags: CommonFlags): Promise<void> {
  const cases = (await Promise.all(paths.map((path) => findCases(resolve(path))))).flat();
  if (cases.length === 0) throw new RidgepointError("not-found", `no case files in ${paths.join(", ")}`);
  await withSession(sessionOptions(flags), [], async (session) => {
    const results = await replayAll(session, cases);
    const different = results.filter(({ equal }) => equal === false);
    if (flags.json) printDocument({ schema: SCHEMA, command: "replay", device: session.device, results });
    else {
      const verdict = ({ equal, firstDifference }: ReplayResult) =>
        equal === undefined ? "not compared" : equal ? "equal" : JSON.stringify(firstDifference);
      const table = formatTable(results, [
        { head: "case", cell: (result) => result.case, left: true },
        { head: "forwards", cell: ({ nfe }) => String(nfe) },
        { head: "against the recording", cell: verdict, left: true },
      ]);
      print(table);
    }
    if (different.length > 0) {
      process.exitCode = 1;
      say(`error [mismatch]: ${different.length} of ${results.length} cases differ, the first is ${different[0]!.case}`);
    }
  });
}

/** Adds the command to the program. */
export function registerReplay(program: Command): void {
  withBrowserOptions(program.command("replay").description("decode recorded cases again"))
    .argument("<cases...>", "case files, or directories of them, each beside its model")
    .action(replay);
}
