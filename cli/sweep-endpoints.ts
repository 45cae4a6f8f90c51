/** One sweep over several browsers at once: each takes its share of the points, and all of them are of one device. */
import { ensure } from "../src/errors";
import type { Calibration } from "../src/index";
import type { DeviceDocument, SessionOptions } from "./session";
import { runSweep, type SweepRun } from "./sweep-run";

/** What must be the same of their devices for the points to be of one experiment. */
const SAME = ["vendor", "architecture", "description", "browser"] as const;

/**
 * Runs the tasks of a sweep over the endpoints. When one fails the others go on with their own shares; then what it threw is thrown.
 * @throws RidgepointError `bad-option`: the endpoints are different devices; and as `runSweep`
 */
export async function runOverEndpoints(run: Omit<SweepRun, "options">, endpoints: readonly SessionOptions[]): Promise<void> {
  let first: Promise<{ device: DeviceDocument; calibration: Calibration }> | null = null;
  // The first to be there begins the file and gives its roofs; every other has its own, for what its own points are predicted to be.
  const onDevice: SweepRun["onDevice"] = async (device, calibrate) => {
    if (!first) {
      first = run.onDevice(device, calibrate).then((calibration) => ({ device, calibration }));
      return (await first).calibration;
    }
    const { device: other, calibration } = await first;
    if (other === device) return calibration;
    const differing = SAME.find((name) => other[name] !== device[name]);
    ensure(differing === undefined, "bad-option", () => {
      const both = `${differing} "${other[differing as "vendor"]}" and "${device[differing as "vendor"]}"`;
      return `sweep: endpoints of different devices (${both}) have no points in common; sweep each by itself, report puts them side by side`;
    });
    return calibrate();
  };
  const of = endpoints.length;
  const shares = endpoints.map(({ port, ...options }, i) => {
    const tasks = run.tasks.filter((_, at) => at % of === i);
    // Each has a page server of its own.
    const own = port === undefined ? options : { ...options, port: port + i };
    return runSweep({ ...run, options: own, tasks, total: tasks.length, onDevice });
  });
  const ended = await Promise.allSettled(shares);
  for (const result of ended) if (result.status === "rejected") throw result.reason;
}
