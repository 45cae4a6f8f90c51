/** What a sweep leaves as it goes: a header and one line of JSON a point, so that a run that was cut off goes on where it stopped. */
import { appendFileSync } from "node:fs";
import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { ensure, RidgepointError } from "../src/errors";
import type { SweepDocument, SweepPoint } from "../src/index";

/** Everything of a sweep's document but its points. */
export type SweepHeader = Omit<SweepDocument, "points">;

/** A sweep that was begun. */
export interface BegunSweep {
  readonly header: SweepHeader;
  readonly points: readonly SweepPoint[];
}

/** What must be the same for a sweep to be gone on with. */
const SAME = ["sweep", "settings", "models", "dataset", "shard", "planned"] as const;
/** What must be the same of its device. */
const SAME_DEVICE = ["vendor", "architecture", "description", "browser"] as const;

function parse(path: string, lines: readonly string[]): BegunSweep {
  try {
    const [header, ...points] = lines.map((line) => JSON.parse(line));
    if (header?.command === "sweep") return { header, points };
  } catch {
    // Reported below, like a file of another kind.
  }
  throw new RidgepointError("bad-file", `${path}: expected the header and the points of a sweep, a JSON document a line`);
}

/**
 * Reads a file of points.
 * @returns null where there is none
 * @throws RidgepointError `bad-option`: it exists and `resume` is off; `bad-file`: it holds something else
 */
export async function openSweep(path: string, resume: boolean): Promise<BegunSweep | null> {
  const content = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return null;
    throw new RidgepointError("not-found", `${path}: ${cause.message}`, { cause });
  });
  if (content === null) return null;
  ensure(resume, "bad-option", `${path} exists; give --resume to go on with it, or another --out`);
  // A line without its end was being written when the run was cut off.
  const whole = content.slice(0, content.lastIndexOf("\n") + 1);
  if (whole.length < content.length) await truncate(path, Buffer.byteLength(whole));
  return whole === "" ? null : parse(path, whole.split("\n").slice(0, -1));
}

/** @throws RidgepointError `bad-option`: what was begun is another sweep than `now` */
export function checkSame(path: string, begun: SweepHeader, now: Omit<SweepHeader, "calibration">): void {
  const refuse = (name: string, came: unknown, expected: unknown): void => {
    const was = `${JSON.stringify(came)} there, ${JSON.stringify(expected)} now`;
    ensure(isDeepStrictEqual(came, expected), "bad-option", `--resume: ${path}: ${name} differs (${was}); give another --out`);
  };
  // As JSON has them: what is undefined is not there.
  const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
  for (const name of SAME) refuse(name, begun[name], plain(now[name]));
  for (const name of SAME_DEVICE) refuse(`device.${name}`, begun.device[name], now.device[name]);
}

/** Begins a file. */
export async function beginSweep(path: string, header: SweepHeader): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(header)}\n`);
}

/** Appends a point; it is on disk when this returns. */
export function appendPoint(path: string, point: SweepPoint): void {
  appendFileSync(path, `${JSON.stringify(point)}\n`);
}
