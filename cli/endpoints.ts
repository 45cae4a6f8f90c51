/** Browsers that run already, elsewhere: which options name them, what does not go with them, and several of them for one command. */
import { ensure } from "../src/errors";
import type { BrowserOptions } from "./browser";

/** What a command line says of its browser. */
interface EndpointFlags {
  readonly browser?: string;
  readonly headed?: boolean;
  readonly connect?: string;
  readonly cdp?: string;
}

const KINDS = {
  connect: { flag: "--connect", scheme: /^wss?:\/\/[^/]/, form: "ws://HOST:PORT/PATH, as `npx playwright run-server` prints it" },
  cdp: {
    flag: "--cdp",
    scheme: /^(?:https?|wss?):\/\/[^/]/,
    form: "http://HOST:PORT, as --remote-debugging-port or adb forward give it",
  },
} as const;

const listOf = (text: string): string[] => text.split(",").map((part) => part.trim());

/**
 * Refuses what does not go together before anything is opened.
 * @throws RidgepointError `bad-option`
 */
export function checkEndpoints(flags: EndpointFlags): void {
  const { browser, headed, connect, cdp } = flags;
  ensure(connect === undefined || cdp === undefined, "bad-option", "--connect, --cdp: expected one of the two, came both");
  for (const [kind, { flag, scheme, form }] of Object.entries(KINDS) as [
    keyof typeof KINDS,
    (typeof KINDS)["cdp" | "connect"],
  ][]) {
    const given = flags[kind];
    if (given === undefined) continue;
    const bad = listOf(given).find((url) => !scheme.test(url));
    ensure(bad === undefined, "bad-option", () => `${flag}: expected ${form}; came "${bad}"`);
    const idle = browser !== undefined ? "--browser" : headed ? "--headed" : undefined;
    ensure(idle === undefined, "bad-option", () => `${idle}: starts a browser, and ${flag} takes one that runs; leave one out`);
  }
}

/** The endpoints of options, one each: those behind commas in `connect` or `cdp`; the options themselves where there are none. */
export function endpointsOf<O extends BrowserOptions>(options: O): O[] {
  const { connect, cdp } = options;
  if (connect !== undefined) return listOf(connect).map((url) => ({ ...options, connect: url }));
  if (cdp !== undefined) return listOf(cdp).map((url) => ({ ...options, cdp: url }));
  return [options];
}
