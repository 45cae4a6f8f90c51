/** `report`: JSON documents of any runs into one page, devices side by side, shards merged, and their points as CSV beside it. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { RidgepointError } from "../../src/errors";
import { asRunDocument, mergedReport, publishedRooflineSvg, type RunDocument } from "../../src/index";
import { print, printDocument, SCHEMA } from "../output";

interface ReportFlags {
  readonly out: string;
  readonly json?: boolean;
}

/** A document, or a sweep's file of points: its header and a point a line. */
function parse(content: string, path: string): RunDocument {
  try {
    return asRunDocument(JSON.parse(content), path);
  } catch (cause) {
    if (cause instanceof RidgepointError) throw cause;
  }
  try {
    // The last line may be half of a point, if the sweep was cut off while it was written.
    const lines = content
      .slice(0, content.lastIndexOf("\n") + 1)
      .split("\n")
      .slice(0, -1);
    const [header, ...points] = lines.map((line) => JSON.parse(line));
    return asRunDocument({ ...header, points }, path);
  } catch (cause) {
    if (cause instanceof RidgepointError) throw cause;
    throw new RidgepointError("bad-file", `${path}: expected a JSON document, or a sweep's points a line`, { cause });
  }
}

async function readDocument(path: string): Promise<RunDocument> {
  const content = await readFile(path, "utf8").catch((cause: Error) => {
    throw new RidgepointError("not-found", `${path}: ${cause.message}`, { cause });
  });
  return parse(content, path);
}

async function report(files: readonly string[], flags: ReportFlags): Promise<void> {
  const documents = await Promise.all(files.map(readDocument));
  const { html, csv, sweeps } = mergedReport(documents);
  const out = resolve(flags.out);
  await mkdir(out, { recursive: true });
  const written: string[] = [];
  const write = async (name: string, content: string): Promise<void> => {
    await writeFile(join(out, name), content);
    written.push(join(out, name));
  };
  await write("index.html", html);
  if (csv !== null) {
    await write("points.csv", csv);
    for (const device of ["a6000", "a800"] as const) {
      await write(`roofline-${device}.svg`, publishedRooflineSvg(device, { theme: "auto" }));
    }
  }
  if (!flags.json) return print(written.map((path) => `${path}\n`).join(""));
  printDocument({ schema: SCHEMA, command: "report", device: null, files: written, sweeps });
}

/** Adds the command to the program. */
export function registerReport(program: Command): void {
  program
    .command("report")
    .description("one page out of the JSON documents of compare, sweep, eval, bench and calibrate")
    .argument("<files...>", "JSON documents, or a sweep's .jsonl")
    .option("--out <dir>", "where the page is written", "report")
    .option("--json", "print one JSON document on stdout")
    .action(report);
}
