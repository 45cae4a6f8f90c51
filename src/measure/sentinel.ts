/**
 * A kernel of pure arithmetic, made ready to be run beside others: what slows the machine slows it alike, so that a time in its FLOP stays the same.
 * It knows nothing of the others.
 */
import type { Gpu } from "../gpu/device";
import type { PassFiller } from "../gpu/timestamps";
import { dispatches, prepare, setSteps, tune, UNIFORM } from "./calibration-bench";
import { type Bench, computeInvocations, type Experiment, experiments, isSentinel } from "./calibration-experiments";

export interface Sentinel {
  /** FLOP of one dispatch, which takes about {@link DISPATCH_NS} on this machine undisturbed. */
  readonly flops: number;
  fill(count: number): PassFiller;
  /** Frees its buffers. */
  dispose(): void;
}

/** Like a kernel's: what a scheduler does at every dispatch, it does to the sentinel's too. Long against a launch. */
const DISPATCH_NS = 3e5;

/** Compiles the sentinel and finds how long a dispatch must be. The caller disposes of it. */
export async function prepareSentinel(gpu: Gpu): Promise<Sentinel> {
  const bench: Bench = { software: gpu.profile.software, shaderF16: false, dp4a: false, quick: true, sourceBytes: 2 ** 24 };
  const experiment = experiments(bench).find(isSentinel) as Experiment;
  const uniform = await gpu.buffers.create("sentinel", 16, UNIFORM);
  const sums = await gpu.buffers.create("sentinel/sums", computeInvocations(bench) * 4);
  const dispose = (): void => {
    for (const buffer of [uniform, sums]) gpu.buffers.destroy(buffer);
  };
  try {
    const prepared = await prepare(gpu, experiment, { sums }, uniform);
    await tune(gpu, prepared);
    const { minSteps } = experiment;
    setSteps(gpu, prepared, Math.max(minSteps, Math.round((prepared.steps * DISPATCH_NS) / prepared.dispatchNs)));
    return { flops: experiment.workPerStep * prepared.steps, fill: (count) => dispatches(prepared, count), dispose };
  } catch (cause) {
    dispose();
    throw cause;
  }
}
