/** Builds of this tree for tests that run what is shipped. */
import { build } from "vite";

/** Builds the given modes of vite.config.ts into dist. */
export async function buildModes(modes: readonly string[]): Promise<void> {
  // Vite takes the build for a test's otherwise.
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = "production";
  for (const mode of modes) await build({ mode, configFile: "vite.config.ts", logLevel: "warn" });
  process.env.NODE_ENV = before;
}
