/** The two channels: results on stdout (with `--json` one document, nothing else), everything else on stderr. */
import { SingleBar } from "cli-progress";
import { formatBytes } from "./format";
import type { PageEvent } from "./protocol";

/** Version of every JSON document of the command line. */
export const SCHEMA = "ridgepoint/1";

/** One line on stderr. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Text on stdout, for people. */
export function print(text: string): void {
  process.stdout.write(text);
}

/** The one JSON document of a command on stdout. Numbers that JSON does not have become null. */
export function printDocument(document: object): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

/** An error as its code and its message on one line. */
export function describeError(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: "internal", message: String(error) };
  const code = "code" in error && typeof error.code === "string" ? error.code : "internal";
  return { code, message: error.message.replace(/\s*\n\s*/g, "; ").trim() };
}

/** Off a terminal, progress is told no more often than this, ms. */
const SPARSE_MS = 10_000;

/** Shows how far a load or a calibration is: a bar on a terminal, else a line now and then. */
export class ProgressLine {
  #phase = "";
  #toldAt = Date.now();
  #bar: SingleBar | null = null;

  /** Takes one event of the page. */
  update({ phase, loaded, total, file }: Extract<PageEvent, { kind: "progress" }>): void {
    const sizes = phase === "download" || phase === "upload" || phase === "verify";
    const amount = sizes ? `${formatBytes(loaded)} / ${formatBytes(total)}` : `${loaded} / ${total}`;
    if (!process.stderr.isTTY) {
      if (loaded >= total || Date.now() - this.#toldAt < SPARSE_MS) return;
      this.#toldAt = Date.now();
      say(`${phase} ${amount} ${file ?? ""}`.trimEnd());
      return;
    }
    if (phase !== this.#phase) {
      this.done();
      this.#phase = phase;
      this.#bar = new SingleBar({
        format: "{phase} [{bar}] {percentage}% {amount} {file}",
        stream: process.stderr,
        hideCursor: false,
        clearOnComplete: true,
        barsize: 24,
      });
      this.#bar.start(1, 0, { phase, amount: "", file: "" });
    }
    this.#bar?.setTotal(Math.max(total, 1));
    this.#bar?.update(loaded, { phase, amount, file: file ?? "" });
  }

  /** Takes the bar off the screen. */
  done(): void {
    this.#bar?.stop();
    this.#bar = null;
    this.#phase = "";
  }
}
