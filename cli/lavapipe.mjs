/**
 * lavapipe, Mesa's Vulkan device on the CPU, as a second WebGPU adapter of Chromium: where its files lie, and what a browser is started
 * with to run on it. Fetching them is the work of `test/lavapipe`. Plain JavaScript for the same reason as `chromium.mjs`.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Vulkan in the GPU process, whose sandbox would keep it from the driver's files. The watchdog would end that process, and with it the
 * adapter, when its start or a kernel's compilation takes seconds on a busy machine.
 */
export const LAVAPIPE_FLAGS = [
  "--ignore-gpu-blocklist",
  "--enable-features=Vulkan",
  "--use-angle=vulkan",
  "--use-vulkan=native",
  "--disable-gpu-watchdog",
  "--no-sandbox",
];

/** Bits of a vector of 32-bit lanes. */
const LANE_BITS = 32;

/** See `lavapipe.d.mts`. */
export function lavapipeFolder() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return process.env.RIDGEPOINT_LAVAPIPE || join(cache, "ridgepoint", "lavapipe");
}

/** See `lavapipe.d.mts`. */
export function lavapipeEnvironment(subgroupSize = 8) {
  const folder = lavapipeFolder();
  const driver = join(folder, "icd.json");
  if (!existsSync(driver)) {
    const message = `adapter lavapipe: no ${driver}; in a checkout, node test/lavapipe/lavapipe.mjs fetches it (RIDGEPOINT_LAVAPIPE: where to)`;
    throw Object.assign(new Error(message), { code: "browser" });
  }
  const libraries = [join(folder, "lib"), process.env.LD_LIBRARY_PATH].filter(Boolean).join(":");
  return {
    ...process.env,
    LD_LIBRARY_PATH: libraries,
    VK_ICD_FILENAMES: driver,
    VK_DRIVER_FILES: driver,
    LP_NATIVE_VECTOR_WIDTH: String(LANE_BITS * subgroupSize),
  };
}
