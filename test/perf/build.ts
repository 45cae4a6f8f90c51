/** Builds what the tests of this folder run: the page and the performance fixture. */
import { buildModes } from "../support/build";

/** Playwright calls this once before the suite. */
export default (): Promise<void> => buildModes(["pages", "playwright"]);
