/** What a performance test looks at: kernels in units of a sentinel and of the roof, and the counts of the run. It measures nothing. */
import type { BoundBy, Calibration, Estimate, Family, PairedKernel, PairedProfile, Profile, Prompt } from "../src/index";
import { findKernels } from "./kernel-names";

/** What was run: the same workload has the same baseline. */
export interface Workload {
  readonly model: string;
  readonly family: Family;
  readonly prompt: Prompt;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface PerfDevice {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly software: boolean;
  readonly browser: string;
}

/** Counts of a run that no clock is needed for. */
export interface Counts {
  readonly forwards: number;
  readonly dispatches: number;
  readonly submits: number;
  readonly readbacks: number;
  readonly flopsPerToken: number;
  readonly bytesPerToken: number;
}

/** One kernel, or all that go by one name, in one forward of each phase that was asked for. */
export interface PerfKernel {
  readonly name: string;
  readonly calls: number;
  /** Time of all calls, ns, as the clock had it: of a busy machine, too. */
  readonly ns: number;
  /** FLOP that the sentinel does meanwhile. */
  readonly sentinelFlops: Estimate;
  /** Least time over time, %. */
  readonly percentOfRoof: Estimate;
  /** Of the part with the most time. */
  readonly boundBy: BoundBy;
  readonly parts: readonly PairedKernel[];
}

const cost = ({ calls, sentinelFlops }: PairedKernel): number => calls * sentinelFlops.value;

/**
 * Several kernels as one. The bounds of a sum are the sums of bounds, which is wider than need be: the parts were measured apart, and are not wrong together.
 * @param parts at least one
 */
export function combine(name: string, parts: readonly PairedKernel[]): PerfKernel {
  const sum = (pick: (kernel: PairedKernel) => number): number => parts.reduce((total, part) => total + pick(part), 0);
  const sentinelFlops = {
    value: sum(cost),
    interval95: {
      low: sum(({ calls, sentinelFlops: { interval95 } }) => calls * interval95.low),
      high: sum(({ calls, sentinelFlops: { interval95 } }) => calls * interval95.high),
    },
  };
  // Share of roof times cost is the floor in FLOP of the sentinel, which every part has exactly.
  const floor = sum((part) => (cost(part) * part.percentOfRoof.value) / 100);
  return {
    name,
    calls: sum(({ calls }) => calls),
    ns: sum(({ calls, ns }) => calls * ns.median),
    sentinelFlops,
    percentOfRoof: {
      value: (100 * floor) / sentinelFlops.value,
      interval95: { low: (100 * floor) / sentinelFlops.interval95.high, high: (100 * floor) / sentinelFlops.interval95.low },
    },
    boundBy: parts.reduce((top, part) => (cost(part) > cost(top) ? part : top)).boundBy,
    parts,
  };
}

export interface PerfProfileFields {
  readonly workload: Workload;
  readonly device: PerfDevice;
  readonly calibration: Calibration;
  readonly paired: PairedProfile;
  readonly profile: Profile;
}

/** A profiled generation with its kernels' costs. `toStayWithin` takes it whole, the other budgets take one of its kernels. */
export class PerfProfile {
  readonly workload: Workload;
  readonly device: PerfDevice;
  readonly calibration: Calibration;
  /** Each kernel of one forward of each phase. */
  readonly kernels: readonly PairedKernel[];
  /** Speed of the sentinel beside them, FLOP/ns; where it is far below `calibration.sentinelFlopsPerNs`, the machine was busy. */
  readonly sentinelFlopsPerNs: number;
  /** The run as `model.profile` has it: its text, times, phases, and every kernel by the clock alone. */
  readonly profile: Profile;

  constructor({ workload, device, calibration, paired, profile }: PerfProfileFields) {
    this.workload = workload;
    this.device = device;
    this.calibration = calibration;
    this.kernels = paired.kernels;
    this.sentinelFlopsPerNs = paired.sentinelFlopsPerNs.median;
    this.profile = profile;
  }

  /**
   * Kernels by name: a WGSL file (`attention`, `gemv_lane`, `gemv_lane_q4`), a role (`lm_head`), `gemm`, `gemv`, `matmul` or `matmul_q4`.
   * @param phase only those of this phase: `prefill`, `decode`, `denoise`, …
   * @throws RidgepointError `bad-option`, with the names there are
   */
  kernel(name: string, { phase }: { readonly phase?: string } = {}): PerfKernel {
    return combine(phase === undefined ? name : `${name} (${phase})`, findKernels(this.kernels, name, phase));
  }

  /** One forward of a phase, all kernels together. */
  phase(name: string): PerfKernel {
    const parts = this.kernels.filter(({ phase }) => phase === name);
    return parts.length > 0 ? combine(`phase ${name}`, parts) : this.kernel(`phase ${name}`, { phase: name });
  }

  /** Phases in order of appearance. */
  get phases(): string[] {
    return [...new Set(this.kernels.map(({ phase }) => phase))];
  }

  get counts(): Counts {
    const { forwards, flopsPerToken, bytesPerToken } = this.profile.result;
    const { dispatches, submits, readbacks } = this.profile;
    return { forwards, dispatches, submits, readbacks, flopsPerToken, bytesPerToken };
  }

  toJSON(): object {
    const { workload, device, counts, sentinelFlopsPerNs, kernels, calibration, profile } = this;
    return { schema: "ridgepoint-perf/1", workload, device, counts, sentinelFlopsPerNs, kernels, calibration, profile };
  }
}
