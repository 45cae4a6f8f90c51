/** Runs the built command line as a person would, and makes the broken files that people have. */
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Golden models of random weights. */
export const GOLDENS = join(ROOT, "test/goldens");

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `ridgepoint`; `ended` resolves when it has. */
export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [join(ROOT, "dist/cli/main.js"), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout!.on("data", (data: Buffer) => out.push(data));
  child.stderr!.on("data", (data: Buffer) => err.push(data));
  const text = (pieces: readonly Buffer[]) => Buffer.concat(pieces).toString("utf8");
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (status) => resolve({ status, stdout: text(out), stderr: text(err) }));
  });
  return { child, ended };
}

/** Runs `ridgepoint` to its end. */
export const run = (args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended> => start(args, env).ended;

/** The JSON document of a command that must succeed; `stdout` must hold it and nothing else. */
// biome-ignore lint/suspicious/noExplicitAny: the tests look at documents as readers of JSON do
export async function document(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<any> {
  const { status, stdout, stderr } = await run([...args, "--json"], env);
  if (status !== 0) throw new Error(`ridgepoint ${args.join(" ")} exited with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

/** A folder for one test, removed after it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ridgepoint-e2e-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A copy of a golden model, to be broken. */
export function copyOfGolden(name: string): string {
  const folder = temporaryFolder();
  cpSync(join(GOLDENS, name), folder, { recursive: true, filter: (path) => !path.endsWith("golden.safetensors") });
  return folder;
}

/** Cuts a file to a share of its size. */
export function truncate(path: string, share: number): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length * share)));
}

/** Takes one tensor out of a safetensors file and leaves it otherwise well formed. */
export function removeTensor(path: string, pattern: RegExp): void {
  const bytes = readFileSync(path);
  const headerEnd = 8 + Number(bytes.readBigUInt64LE(0));
  const header: Record<string, { data_offsets: [number, number] }> = JSON.parse(bytes.toString("utf8", 8, headerEnd));
  const pieces: Buffer[] = [];
  let offset = 0;
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (pattern.test(name)) {
      delete header[name];
      continue;
    }
    const [from, to] = entry.data_offsets;
    pieces.push(bytes.subarray(headerEnd + from, headerEnd + to));
    entry.data_offsets = [offset, offset + to - from];
    offset += to - from;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, ...pieces]));
}
