/**
 * Makes lavapipe ready for browsers started with `chromiumFlags("lavapipe")` and `chromiumEnvironment("lavapipe")`.
 *
 * @param options.say receives a line before something slow
 * @param options.probe whether a browser is started to see that it takes the adapter. Default true
 * @returns why it cannot be used, or undefined where it can
 */
export function setUpLavapipe(options?: { say?: (line: string) => void; probe?: boolean }): Promise<string | undefined>;
