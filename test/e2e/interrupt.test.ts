/** Ctrl-C at any moment: exit status 130, and neither the browser nor any of its processes stays behind. */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { start } from "./cli";

/** Living processes by id, with their parents. The dead that wait for their parent to notice do not count. */
function processes(): Map<number, number> {
  const lines = execFileSync("ps", ["-Ao", "pid=,ppid=,stat="], { encoding: "utf8" }).trim().split("\n");
  const fields = lines.map((line) => line.trim().split(/\s+/));
  return new Map(fields.flatMap(([pid, ppid, stat]) => (stat?.startsWith("Z") ? [] : [[Number(pid), Number(ppid)]])));
}

function descendantsOf(root: number): number[] {
  const parents = processes();
  const found = [root];
  // The list grows while it is walked: children of children follow.
  for (const parent of found) for (const [pid, ppid] of parents) if (ppid === parent) found.push(pid);
  return found.slice(1);
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(50);
}

test.each([
  ["while the browser starts", "SIGINT", 0],
  ["while the page works", "SIGINT", 2500],
  ["on SIGTERM", "SIGTERM", 2500],
] as const)("%s", async (_, signal, waitMs) => {
  const long = ["--steps", "128", "--gen-length", "128", "--block-length", "16", "--cache", "none"];
  const { child, ended } = start([
    "generate",
    "--model",
    "builtin:mdlm",
    "--chat",
    "Tell a story about Ben and a bear.",
    ...long,
  ]);
  await until(() => descendantsOf(child.pid!).length > 0);
  await sleep(waitMs);
  const before = descendantsOf(child.pid!);
  expect(before.length, "the command ended before it was interrupted").toBeGreaterThan(0);
  child.kill(signal);
  const { status } = await ended;
  expect(status).toBe(130);
  // The kernel takes a moment to end a killed process.
  await sleep(500);
  const alive = processes();
  expect(before.filter((pid) => alive.has(pid))).toEqual([]);
});
