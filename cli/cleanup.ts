/** What must be closed before the process ends, however it ends. */

const closers = new Set<() => Promise<void>>();

/** Registers `close`, to be run by {@link closeAll}; the returned function runs it early, once. */
export function closeLater(close: () => Promise<void>): () => Promise<void> {
  const once = async () => {
    if (closers.delete(once)) await close();
  };
  closers.add(once);
  return once;
}

/** Closes everything that is open, last opened first. A closer that fails does not keep the others from running. */
export async function closeAll(): Promise<void> {
  for (const close of [...closers].reverse()) await close().catch(() => undefined);
}

let ending = false;

/** Whether a signal has asked the process to end: what fails from then on failed because of it. */
export const isEnding = (): boolean => ending;

/** Exit status after Ctrl-C, by convention 128 + SIGINT. */
const INTERRUPTED = 130;

/** On Ctrl-C or a request to end: closes the browser and the server, then exits with 130. A second signal exits at once. */
export function closeOnSignals(): void {
  const stop = () => {
    if (ending) process.exit(INTERRUPTED);
    ending = true;
    void closeAll().finally(() => process.exit(INTERRUPTED));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", stop);
}
