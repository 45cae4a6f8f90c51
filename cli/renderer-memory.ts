/** Peak memory of the page and of the GPU process while something runs, sampled from Linux. Elsewhere, and for a browser that is not ours, unknown. */
import { readFile } from "node:fs/promises";
import type { Browser } from "playwright";

/** Peak bytes, null where they cannot be known. Anonymous and shared memory: the browser's own code, mapped from its file, is not the page's. */
export interface PeakMemory {
  /** Of the process that runs the page. */
  readonly peakRendererBytes: number | null;
  /** Of the process that runs WebGPU; on a CPU adapter the GPU's buffers are in it. */
  readonly peakGpuProcessBytes: number | null;
}

const SAMPLE_MS = 20;
/** Which processes there are is asked this often: it costs a round trip. */
const LIST_EVERY = 10;
/** Nothing could be measured. */
export const UNKNOWN_PEAK: PeakMemory = { peakRendererBytes: null, peakGpuProcessBytes: null };

async function processIds(browser: Browser): Promise<Map<number, string>> {
  const session = await browser.newBrowserCDPSession();
  try {
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    return new Map(processInfo.map(({ id, type }) => [id, type]));
  } finally {
    await session.detach();
  }
}

async function bytesOf(id: number): Promise<number> {
  const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "");
  const kilobytes = [...status.matchAll(/^Rss(?:Anon|Shmem):\s*(\d+) kB/gm)].map((match) => Number(match[1]));
  return 1024 * kilobytes.reduce((a, b) => a + b, 0);
}

/** Runs `work` and reports the peaks during it. The page's process is the largest renderer: Chromium keeps a spare one. */
export async function withPeakMemory<T>(browser: Browser, work: () => Promise<T>): Promise<{ value: T; peak: PeakMemory }> {
  if (process.platform !== "linux") return { value: await work(), peak: UNKNOWN_PEAK };
  const peaks: Record<string, number> = { renderer: 0, GPU: 0 };
  let running = true;
  const sampling = (async () => {
    let ids = new Map<number, string>();
    for (let sample = 0; running; sample++) {
      if (sample % LIST_EVERY === 0) ids = await processIds(browser).catch(() => ids);
      for (const [id, type] of ids) if (type in peaks) peaks[type] = Math.max(peaks[type] ?? 0, await bytesOf(id));
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
  })();
  try {
    const value = await work();
    return { value, peak: { peakRendererBytes: peaks.renderer || null, peakGpuProcessBytes: peaks.GPU || null } };
  } finally {
    running = false;
    await sampling;
  }
}
