/** Profiles made of numbers, for tests of budgets. */
import { PerfProfile } from "../../../perf/perf-profile";
import type { Calibration, GenerationResult, PairedKernel, Profile } from "../../../src/index";

/** A kernel of one call that costs `cost` FLOP of the sentinel, known to ± `width` of it, at 40 % of its roof. */
export function kernelOf(name: string, cost: number, { calls = 1, width = 0.01, percent = 40 } = {}): PairedKernel {
  const [kernel = "", variant = "", role = "", phase = ""] = name.split(" ");
  const around = (value: number) => ({ value, interval95: { low: value * (1 - width), high: value * (1 + width) } });
  const counts = { shape: { T: 1 }, calls, samples: [], boundBy: "memory" as const };
  return {
    kernel,
    variant,
    role,
    phase,
    ...counts,
    ns: { median: cost, mad: 0 },
    sentinelFlops: around(cost),
    percentOfRoof: around(percent),
  };
}

/** A profile of these kernels. */
export function profileOf(kernels: readonly PairedKernel[], { forwards = 4, prompt = "a", vendor = "acme" } = {}): PerfProfile {
  const result = { forwards, flopsPerToken: 100, bytesPerToken: 10 } as GenerationResult;
  return new PerfProfile({
    workload: { model: "builtin:ar", family: "ar", prompt, options: { seed: undefined } },
    device: { vendor, architecture: "anvil", description: "", software: false, browser: "Chromium 1" },
    calibration: {} as Calibration,
    paired: { kernels, sentinelFlopsPerNs: { median: 1, mad: 0 }, quantumNs: 1 },
    profile: { result, dispatches: 8, submits: 2, readbacks: 2 } as Profile,
  });
}

/** A model's usual kernels. */
export const KERNELS = [
  kernelOf("gemm_lane q4-16x8 qkv_proj prefill", 200, { calls: 2 }),
  kernelOf("attention subgroup attention prefill", 100, { calls: 2 }),
  kernelOf("gemv_lane q4 qkv_proj decode", 50, { calls: 2 }),
  kernelOf("gemv_lane q8 lm_head decode", 300, { percent: 80 }),
  kernelOf("rmsnorm subgroup final_norm decode", 5),
];
