/** Builds what the tests of this folder run: the page and the command line. */
import { build } from "vite";

/** Vitest calls this once before the suite. */
export default async function setup(): Promise<void> {
  // Vite takes the build for a test's otherwise.
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = "production";
  for (const mode of ["pages", "cli"]) await build({ mode, configFile: "vite.config.ts", logLevel: "warn" });
  process.env.NODE_ENV = before;
}
