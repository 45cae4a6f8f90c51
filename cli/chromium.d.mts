/** `default`: the browser's own choice of adapter. `swiftshader`: the CPU adapter that Chromium ships. `lavapipe`: Mesa's, where it is set up. */
export type AdapterChoice = "default" | "swiftshader" | "lavapipe";

/** Options of {@link findChromium}. */
export interface FindOptions {
  /** A path, `chromium` or `chrome`. Default: `RIDGEPOINT_BROWSER` of the environment, else the first found. */
  readonly browser?: string | undefined;
  /** Whether one may be installed when none is found. Default true. */
  readonly install?: boolean;
  /** Receives one line for each slow thing done. */
  readonly say?: (line: string) => void;
}

/**
 * Path of a Chromium-based browser.
 *
 * @throws Error with `code: "browser"`: none was found and none could be installed; the message lists what was tried.
 */
export function findChromium(options?: FindOptions): Promise<string>;

/** Switches for headless WebGPU with the chosen adapter. `RIDGEPOINT_CHROMIUM_FLAGS` (separated by spaces) is appended. */
export function chromiumFlags(adapter: AdapterChoice): string[];

/**
 * The environment that a browser for the chosen adapter is started in.
 *
 * @param subgroupSize of lavapipe: 4, 8 or 16. Default 8
 * @throws Error with `code: "browser"`: lavapipe is not set up
 */
export function chromiumEnvironment(adapter: AdapterChoice, subgroupSize?: number): NodeJS.ProcessEnv;
