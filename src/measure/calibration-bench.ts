/**
 * Runs calibration experiments: compiles, checks each against its replay, finds how long a dispatch must be, then samples all of them in
 * turns. It knows no quantity by name.
 */
import fill from "../../shaders/calibrate/fill.wgsl?raw";
import { ensure, RidgepointError } from "../errors";
import type { Gpu } from "../gpu/device";
import { type PassFiller, timePasses } from "../gpu/timestamps";
import { assemble } from "../gpu/wgsl";
import type { BufferName, Experiment } from "./calibration-experiments";
import { spread } from "./statistics";
import type { Spread } from "./types";

/** Usage of parameter buffers. */
export const UNIFORM = 0x40 | 0x08; // UNIFORM | COPY_DST
/** GPU time of one dispatch: long against launch and clock, short against a watchdog. */
const DISPATCH_NS = 2.5e6;
/** A sample is the difference of passes of LONG and one dispatch, … */
const LONG = 4;
/** … but where one dispatch takes this long, what surrounds it is below a hundredth and it is timed alone. */
const ALONE_NS = 15e6;
/** Times that {@link tune} grows a dispatch. */
const MOST_TRIES = 16;
/** Configurations below this share of their best sibling's rate are not measured on. */
const HOPELESS = 0.65;

/** An experiment made ready on a device, with its samples so far. */
export interface Prepared {
  readonly experiment: Experiment;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly uniform: GPUBuffer;
  steps: number;
  /** Estimated GPU time of one dispatch. */
  dispatchNs: number;
  /** GPU ns of one dispatch and of {@link LONG}, one pair a round; `long` is 0 where one dispatch was timed alone. */
  readonly samples: { readonly short: number; readonly long: number }[];
}

export type Buffers = Readonly<Record<BufferName, GPUBuffer>>;

/** Compiles an experiment and binds it to those of the buffers that it names; they and `uniform` (16 bytes) stay the caller's. */
export async function prepare(
  gpu: Gpu,
  experiment: Experiment,
  buffers: Partial<Buffers>,
  uniform: GPUBuffer,
): Promise<Prepared> {
  const { label, module, kinds } = experiment;
  const pipeline = await gpu.pipelines.get(label, assemble(module), kinds);
  const bound = [uniform, ...experiment.buffers.map((name) => buffers[name] as GPUBuffer)];
  const entries = bound.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const bindGroup = gpu.device.createBindGroup({ label, layout: gpu.pipelines.groupLayout(kinds), entries });
  return { experiment, pipeline, bindGroup, uniform, steps: 0, dispatchNs: 0, samples: [] };
}

/** Makes a dispatch so many steps long. */
export function setSteps(gpu: Gpu, prepared: Prepared, steps: number): void {
  prepared.steps = steps;
  gpu.device.queue.writeBuffer(prepared.uniform, 0, prepared.experiment.params(steps));
}

/** Fills a pass with `count` dispatches of the experiment. */
export const dispatches =
  ({ pipeline, bindGroup, experiment }: Prepared, count: number): PassFiller =>
  (pass) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(experiment.workgroups);
  };

/**
 * Runs the experiment once and compares some of its results with the replay.
 * @throws `gpu-validation` when one differs: the kernel is wrong on this device, or its work was optimised away.
 */
export async function verify(gpu: Gpu, prepared: Prepared, buffers: Buffers): Promise<void> {
  const { label, configuration, check } = prepared.experiment;
  setSteps(gpu, prepared, check.steps);
  await timePasses(gpu, [dispatches(prepared, 1)]);
  for (const index of check.indices) {
    const bytes = await gpu.read(buffers[check.buffer], index * 4, 4);
    const got = check.type === "f32" ? new Float32Array(bytes)[0]! : new Uint32Array(bytes)[0]!;
    const expected = check.expected(index, check.steps);
    ensure(
      Math.abs(got - expected) <= check.tolerance,
      "gpu-validation",
      () => `${label} (${configuration}): element ${index} must be ${expected}, got ${got}; its rate would mean nothing`,
    );
  }
}

/**
 * Chooses the steps of a dispatch so that it takes about {@link DISPATCH_NS}, but no fewer than its working set asks for.
 * @throws `gpu-validation` when no number of steps takes any time.
 */
export async function tune(gpu: Gpu, prepared: Prepared): Promise<void> {
  setSteps(gpu, prepared, prepared.experiment.minSteps);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const [ns = 0] = await timePasses(gpu, [dispatches(prepared, 1)]);
    prepared.dispatchNs = ns;
    if (ns >= DISPATCH_NS * 0.6) return;
    // Below the clock's sight the time is 0: grow by the most then.
    const growth = Math.min(16, Math.max(2, DISPATCH_NS / Math.max(ns, 1)));
    setSteps(gpu, prepared, Math.ceil(prepared.steps * growth));
  }
  const { label, configuration } = prepared.experiment;
  throw new RidgepointError(
    "gpu-validation",
    `${label} (${configuration}): ${prepared.steps} steps take ${prepared.dispatchNs} ns, expected ${DISPATCH_NS}: its work does not happen, or the clock stands`,
  );
}

/** Takes one sample. What the clock could not see is dropped. */
export async function sample(gpu: Gpu, prepared: Prepared): Promise<void> {
  const alone = prepared.dispatchNs >= ALONE_NS;
  const passes = [dispatches(prepared, 1), ...(alone ? [] : [dispatches(prepared, LONG)])];
  const [short = 0, long = 0] = await timePasses(gpu, passes);
  if (short > 0 && (alone || long > short)) prepared.samples.push({ short, long });
}

/**
 * Work per ns of each sample, fastest first: (LONG − 1) dispatches over what LONG took beyond the shortest single one seen. Whatever else
 * the machine does can only lengthen a time, so no sample overstates the rate by more than the clock's step.
 */
export function ratesOf({ experiment, steps, samples }: Prepared): number[] {
  const work = experiment.workPerStep * steps;
  const shortest = Math.min(...samples.map(({ short }) => short));
  const rates = samples.map(({ short, long }) => (long === 0 ? work / short : (work * (LONG - 1)) / (long - shortest)));
  return rates.sort((a, b) => b - a);
}

/**
 * Median and MAD of the faster half of rates (or the shorter half of costs): a ceiling is what the device does undisturbed, and
 * disturbance has one direction.
 * @param bestFirst at least one number
 */
export const undisturbed = (bestFirst: readonly number[]): Spread => spread(bestFirst.slice(0, Math.ceil(bestFirst.length / 2)));

/** The rate so far; 0 without samples. */
export const rateOf = (prepared: Prepared): number => (prepared.samples.length ? undisturbed(ratesOf(prepared)).median : 0);

/** Those that may still turn out best among siblings; siblings share quantity and working set. */
export function contenders(all: readonly Prepared[]): Prepared[] {
  const best = new Map<string, number>();
  const key = ({ experiment }: Prepared) => `${experiment.quantity} ${experiment.workingSetBytes}`;
  for (const prepared of all) best.set(key(prepared), Math.max(best.get(key(prepared)) ?? 0, rateOf(prepared)));
  return all.filter((prepared) => rateOf(prepared) >= (best.get(key(prepared)) ?? 0) * HOPELESS);
}

/** Fills a buffer with the words of fill.wgsl. */
export async function fillWords(gpu: Gpu, buffer: GPUBuffer): Promise<void> {
  const kinds = ["uniform", "write"] as const;
  const pipeline = await gpu.pipelines.get("calibrate/fill", assemble({ source: fill }), kinds);
  const uniform = await gpu.buffers.create("calibrate/fill", 16, UNIFORM);
  try {
    const invocations = gpu.profile.software ? 1 << 12 : 1 << 18;
    gpu.device.queue.writeBuffer(uniform, 0, Uint32Array.of(buffer.size / 16, invocations, 0, 0));
    const entries = [uniform, buffer].map((bound, binding) => ({ binding, resource: { buffer: bound } }));
    const bindGroup = gpu.device.createBindGroup({ layout: gpu.pipelines.groupLayout(kinds), entries });
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(invocations / 64);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.device.queue.onSubmittedWorkDone();
    gpu.check();
  } finally {
    gpu.buffers.destroy(uniform);
  }
}

/** Makes the largest power-of-two buffer up to `bytes` that the device has room for, at least `least`. */
export async function createLargest(gpu: Gpu, label: string, bytes: number, least: number): Promise<GPUBuffer> {
  for (let size = bytes; ; size /= 2) {
    try {
      return await gpu.buffers.create(label, size);
    } catch (cause) {
      if (!(cause instanceof RidgepointError && cause.code === "out-of-memory") || size / 2 < least) throw cause;
    }
  }
}
