/** A profile worn down to what a later one is compared with, and the comparison. It knows no files and no test runner. */
import { ensure, RidgepointError } from "../src/errors";
import { type Counts, combine, type PerfDevice, type PerfProfile, type Workload } from "./perf-profile";

/** Costs of one kernel in one forward of its phase. */
export interface BaselineKernel {
  readonly role: string;
  readonly phase: string;
  /** Which kernel it was: told, not compared. */
  readonly kernel: string;
  readonly calls: number;
  readonly sentinelFlops: number;
  readonly percentOfRoof: number;
}

export interface Baseline {
  readonly schema: typeof SCHEMA;
  readonly workload: Workload;
  readonly device: Pick<PerfDevice, "vendor" | "architecture">;
  readonly counts: Counts;
  readonly kernels: readonly BaselineKernel[];
}

const SCHEMA = "ridgepoint-perf-baseline/1";

/** A kernel with a smaller share of its phase then, and less than twice that share now, is compared with its phase alone: a few µs scatter most. */
const LEAST_SHARE = 0.1;

/** What is above its bound, in words and numbers. */
export interface Excess {
  readonly what: string;
  readonly baseline: number;
  /** The least that it can be, by what was measured. */
  readonly now: number;
  readonly unit: string;
}

/** Roles of a phase, the kernels of one role as one: which kernel a device takes for it may change. */
function rolesOf({ kernels }: PerfProfile) {
  const keys = [...new Set(kernels.map(({ role, phase }) => JSON.stringify([role, phase])))];
  return keys.map((key) => {
    const [role, phase] = JSON.parse(key) as [string, string];
    const parts = kernels.filter((kernel) => kernel.role === role && kernel.phase === phase);
    return { role, phase, whole: combine(`${role} (${phase})`, parts) };
  });
}

const shortened = (value: number): number => Number(value.toPrecision(4));
/** Options and prompts as JSON has them. */
const plain = (workload: Workload): Workload => JSON.parse(JSON.stringify(workload));

export function baselineOf(profile: PerfProfile): Baseline {
  const { workload, device, counts } = profile;
  return {
    schema: SCHEMA,
    workload: plain(workload),
    device: { vendor: device.vendor, architecture: device.architecture },
    counts,
    kernels: rolesOf(profile).map(({ role, phase, whole }) => ({
      role,
      phase,
      kernel: [...new Set(whole.parts.map(({ kernel, variant }) => `${kernel} ${variant}`))].join(", "),
      calls: whole.calls,
      sentinelFlops: shortened(whole.sentinelFlops.value),
      percentOfRoof: shortened(whole.percentOfRoof.value),
    })),
  };
}

/**
 * Reads a baseline.
 * @throws RidgepointError `bad-file`: it is something else
 */
export function parseBaseline(text: string, path: string): Baseline {
  try {
    const document = JSON.parse(text);
    if (document?.schema === SCHEMA && Array.isArray(document.kernels)) return document;
  } catch {
    // Reported below.
  }
  throw new RidgepointError(
    "bad-file",
    `${path}: expected a baseline of schema ${SCHEMA}; write it anew with --update-snapshots`,
  );
}

/**
 * What of a profile costs more than its baseline and the tolerance allow. Kernels only count where the measurement leaves no doubt: the low end of
 * their interval is above the bound. What got cheaper, went or came is no excess by itself; the sum of its phase tells.
 * @param tolerance share by which costs may be above the baseline
 * @throws RidgepointError `bad-option`: they are of different workloads or devices
 */
export function excessesOf(profile: PerfProfile, baseline: Baseline, tolerance: number): Excess[] {
  const { vendor, architecture } = profile.device;
  const same = (what: string, came: unknown, expected: unknown): void =>
    ensure(
      JSON.stringify(came) === JSON.stringify(expected),
      "bad-option",
      () =>
        `baseline: of another ${what} (${JSON.stringify(expected)}, here ${JSON.stringify(came)}); write it anew with --update-snapshots`,
    );
  same("workload", plain(profile.workload), baseline.workload);
  same("device", { vendor, architecture }, baseline.device);
  const bound = 1 + tolerance;
  const excesses: Excess[] = [];
  const unit = "sentinel FLOP";
  for (const phase of profile.phases) {
    const before = baseline.kernels.filter((kernel) => kernel.phase === phase);
    const whole = before.reduce((sum, { sentinelFlops }) => sum + sentinelFlops, 0);
    const now = profile.phase(phase).sentinelFlops.interval95.low;
    if (whole > 0 && now > whole * bound) excesses.push({ what: `a forward of phase ${phase}`, baseline: whole, now, unit });
    for (const { role, whole: own } of rolesOf(profile).filter((kernel) => kernel.phase === phase)) {
      const known = before.find((kernel) => kernel.role === role);
      const least = own.sentinelFlops.interval95.low;
      const small = known && known.sentinelFlops < LEAST_SHARE * whole && least < 2 * LEAST_SHARE * whole;
      if (!known || small) continue;
      if (least <= known.sentinelFlops * bound) continue;
      const kernels = [...new Set(own.parts.map(({ kernel }) => kernel))].join(", ");
      excesses.push({ what: `${role} (${phase}, ${kernels})`, baseline: known.sentinelFlops, now: least, unit });
    }
  }
  for (const [name, now] of Object.entries(profile.counts) as [keyof Counts, number][]) {
    if (now > baseline.counts[name] * bound) excesses.push({ what: name, baseline: baseline.counts[name], now, unit: "" });
  }
  return excesses;
}
