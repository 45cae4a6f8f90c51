/** Measured things. Times are ns, sizes byte, work FLOP; FLOP/ns is GFLOP/s and byte/ns is GB/s. */
import type { DeviceProfile } from "../gpu/profile";

/** A repeated measurement: median and median absolute deviation. */
export interface Spread {
  readonly median: number;
  readonly mad: number;
}

export interface BandwidthLevel extends Spread {
  /** Working set in byte at which it was read. */
  readonly workingSetBytes: number;
}

/** The ceilings of one device, measured in its browser: FMA, bandwidth, load issue, dispatch. */
export interface Calibration {
  readonly device: DeviceProfile;
  /** FLOP/ns by arithmetic type. */
  readonly flopsPerNs: { readonly f32: Spread; readonly f16?: Spread; readonly dp4a?: Spread };
  readonly bytesPerNs: { readonly read: Spread; readonly copy: Spread; readonly levels: readonly BandwidthLevel[] };
  /** 32-bit buffer loads an invocation issues, per ns, whole device, cache-resident. */
  readonly loadsPerNs: Spread;
  /** One small dispatch among many in one pass. */
  readonly dispatchNs: Spread;
  /** submit → copy → mapAsync resolved. */
  readonly submitMapNs: Spread;
  readonly quantumNs: number | null;
  /** How far the sentinel kernel's rate moved from the first to the last measurement, in % of the first; large means a busy or throttled machine. */
  readonly sentinelDriftPercent?: number;
  /** FLOP/ns of the sentinel kernel while the ceilings were measured: the scale on which a later moment of the machine is compared with that one. */
  readonly sentinelFlopsPerNs?: Spread;
  /** Which configuration won each ceiling, as text: `{ f32: "vec4f × 4 chains, workgroup 64", … }`. */
  readonly configurations?: Readonly<Record<string, string>>;
}

export type BoundBy = "compute" | "memory" | "issue" | "launch";

/** One line of the kernel table: all calls of one kernel, variant, shape and phase in a run. */
export interface KernelRow {
  /** WGSL file stem. */
  readonly kernel: string;
  readonly variant: string;
  /** What it computes in the model: `qkv_proj`, `attention`, `lm_head`… */
  readonly role: string;
  readonly phase: string;
  readonly shape: Readonly<Record<string, number>>;
  readonly calls: number;
  /** Sum over calls; null when the timer could not resolve it. */
  readonly ns: number | null;
  readonly flops: number;
  readonly bytes: number;
  /** 32-bit loads issued. */
  readonly loads: number;
  readonly gflops: number | null;
  readonly gbps: number | null;
  /** floor ÷ ns × 100, the floor being the largest of compute, memory and issue, plus the cost of a dispatch. */
  readonly percentOfRoof: number | null;
  readonly boundBy: BoundBy | null;
  /** Of the sum of kernel times. */
  readonly share: number | null;
  /** Sum over calls of the floor that `percentOfRoof` divides. */
  readonly floorNs?: number;
  /** How far off `ns` may be (95 %): only where calls were repeated and their times measured one by one. */
  readonly errorNs?: number;
  /** Faster than its roof beyond the timer's noise: the count of its work, or the calibration, is wrong. */
  readonly aboveRoof?: true;
}

export interface PhaseRow {
  /** `prefill | decode | denoise | refresh | commit` */
  readonly name: string;
  readonly ns: number | null;
  readonly flops: number;
  readonly bytes: number;
  /** Tokens revealed in the phase. */
  readonly tokens: number;
  readonly forwards: number;
}
