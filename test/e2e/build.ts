/** Builds what the tests of this folder run: the page, the command line, and the performance fixture. */
import { buildModes } from "../support/build";

/** Vitest calls this once before the suite. */
export default (): Promise<void> => buildModes(["pages", "cli", "playwright"]);
