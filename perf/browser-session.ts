/** A browser with a page for a {@link Ridge}, opened as the command line opens its own. */
import { checkEndpoints } from "../cli/endpoints";
import { parseModel } from "../cli/models";
import { type Session, type SessionOptions, withSessionFor } from "../cli/session";
import { type PerfSession, Ridge, type RidgeOptions } from "./ridge";

/** Models are named by tests that have not run yet: their page may fetch from anywhere. */
const ANYWHERE = ["https:", "http:"];

function perfSession({ device, call, load }: Session): PerfSession {
  const { vendor, architecture, description, software, browser } = device;
  return {
    device: { vendor, architecture, description, software, browser },
    calibrate: () => call("calibrate", { quick: true }),
    load: async (model, contextLength) => {
      const { info } = await load(await parseModel(model), contextLength === undefined ? {} : { contextLength });
      return info.family;
    },
    profile: (run) => call("profile", run),
    pairKernels: (run) => call("pairKernels", run),
  };
}

/** Runs `work` with a browser that is closed after it. */
export async function withRidge<T>(options: RidgeOptions, work: (ridge: Ridge) => Promise<T>): Promise<T> {
  checkEndpoints(options);
  const session: SessionOptions = { adapter: "default", timeout: 600, ...options };
  return withSessionFor(session, ANYWHERE, (opened) => work(new Ridge(perfSession(opened))));
}
