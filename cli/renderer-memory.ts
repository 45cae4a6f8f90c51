/** Peak memory of the browser's processes, as Linux counts it. Elsewhere, and for a browser that is not ours, it is unknown. */
import { readFile, writeFile } from "node:fs/promises";
import type { Browser } from "playwright";

/** Peak resident bytes, null where they cannot be known. */
export interface PeakMemory {
  /** Of the process that runs the page. */
  readonly peakRendererBytes: number | null;
  /** Of the process that runs WebGPU; on a CPU adapter the GPU's buffers are in it. */
  readonly peakGpuProcessBytes: number | null;
}

/** `clear_refs` value that resets the peak. */
const RESET_PEAK = "5";

async function processIds(browser: Browser): Promise<Map<number, string>> {
  const session = await browser.newBrowserCDPSession();
  try {
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    return new Map(processInfo.map(({ id, type }) => [id, type]));
  } finally {
    await session.detach();
  }
}

async function peakOf(id: number): Promise<number> {
  const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "");
  return 1024 * Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? 0);
}

/** Starts a new peak. */
export async function resetPeak(browser: Browser): Promise<void> {
  if (process.platform !== "linux") return;
  const ids = await processIds(browser).catch(() => new Map<number, string>());
  for (const id of ids.keys()) await writeFile(`/proc/${id}/clear_refs`, RESET_PEAK).catch(() => undefined);
}

/** The peaks since {@link resetPeak}. The page's process is the largest renderer: Chromium keeps a spare one. */
export async function readPeak(browser: Browser): Promise<PeakMemory> {
  const peaks = { renderer: 0, GPU: 0 } as Record<string, number>;
  if (process.platform === "linux") {
    const ids = await processIds(browser).catch(() => new Map<number, string>());
    for (const [id, type] of ids) if (type in peaks) peaks[type] = Math.max(peaks[type]!, await peakOf(id));
  }
  return { peakRendererBytes: peaks.renderer || null, peakGpuProcessBytes: peaks.GPU || null };
}
