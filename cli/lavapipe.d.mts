/** Switches of Chromium for lavapipe. */
export const LAVAPIPE_FLAGS: readonly string[];

/** Where lavapipe lies or will lie: `RIDGEPOINT_LAVAPIPE`, else `ridgepoint/lavapipe` in the user's cache. */
export function lavapipeFolder(): string;

/**
 * This process's environment with what a browser needs to run on lavapipe.
 *
 * @param subgroupSize 4, 8 or 16. Default 8
 * @throws Error with `code: "browser"`: it is not set up
 */
export function lavapipeEnvironment(subgroupSize?: number): NodeJS.ProcessEnv;
