/**
 * A device into its ceilings: arithmetic, bandwidth, load issue, dispatch and submit, each with its spread. It does not know the models.
 *
 * Every rate is that of the best configuration, over rounds in which all experiments take turns, so that a busy moment or a clock change
 * strikes all alike; a sentinel kernel at both ends tells how far the machine moved meanwhile.
 */
import launch from "../../shaders/calibrate/launch.wgsl?raw";
import { ensure, RidgepointError } from "../errors";
import type { Gpu } from "../gpu/device";
import { type PassFiller, timePasses } from "../gpu/timestamps";
import {
  type Buffers,
  contenders,
  createLargest,
  fillWords,
  type Prepared,
  prepare,
  rateOf,
  ratesOf,
  sample,
  tune,
  UNIFORM,
  undisturbed,
  verify,
} from "./calibration-bench";
import {
  type Bench,
  computeInvocations,
  experiments,
  isSentinel,
  memoryInvocations,
  type Quantity,
  workingSets,
} from "./calibration-experiments";
import { spread } from "./statistics";
import type { BandwidthLevel, Calibration, Spread } from "./types";

export interface CalibrateOptions {
  /** Fewer working sets and rounds: a few seconds even on a CPU adapter. */
  readonly quick?: boolean;
  readonly onProgress?: (progress: CalibrateProgress) => void;
  readonly signal?: AbortSignal;
}

export interface CalibrateProgress {
  readonly phase: "calibrate";
  /** Steps done and in all. */
  readonly loaded: number;
  readonly total: number;
  /** What is being measured. */
  readonly what: string;
}

const MIB = 1024 * 1024;
const SENTINEL_SAMPLES = 3;
/** Dependent dispatches of the two passes whose difference is the dispatch cost. */
const LAUNCHES = [100, 500] as const;
const ROUND_TRIPS = 10;
/** On a machine so busy that rounds take longer than this in all, fewer are made, but never fewer than {@link LEAST_ROUNDS}. */
const PATIENCE_MS = { quick: 5000, full: 16_000 };
const LEAST_ROUNDS = 3;
/** Rounds after which the slow configurations drop out; a single round's difference may overstate a rate. */
const SCREENING = 2;

/**
 * Measures the ceilings of a device. Buffers it makes are freed before it returns; the device stays open.
 * @throws `abort`; `gpu-validation` when a kernel's result differs from its replay; `out-of-memory` below 16 MiB of room.
 */
export async function calibrate(gpu: Gpu, options: CalibrateOptions = {}): Promise<Calibration> {
  const { quick = false, onProgress, signal } = options;
  const made: GPUBuffer[] = [];
  const own = async (buffer: Promise<GPUBuffer>): Promise<GPUBuffer> => {
    made.push(await buffer);
    return buffer;
  };
  let [loaded, total] = [0, 1];
  const step = (what: string): void => {
    if (signal?.aborted) throw new RidgepointError("abort", "calibrate: aborted", { cause: signal.reason });
    onProgress?.({ phase: "calibrate", loaded: loaded++, total, what });
  };

  try {
    step("buffers");
    const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
    // A CPU adapter walks 256 MiB for longer than a submit should last, and its loads bind long before its memory.
    const most = (gpu.profile.software ? (quick ? 32 : 128) : quick ? 64 : 256) * MIB;
    const room = Math.min(maxBufferSize, maxStorageBufferBindingSize, most);
    const source = await own(createLargest(gpu, "calibrate/source", 2 ** Math.floor(Math.log2(room)), 16 * MIB));
    const bench: Bench = {
      software: gpu.profile.software,
      shaderF16: gpu.device.features.has("shader-f16"),
      dp4a: navigator.gpu.wgslLanguageFeatures?.has("packed_4x8_integer_dot_product") ?? false,
      quick,
      sourceBytes: source.size,
    };
    const buffers: Buffers = {
      source,
      copied: await own(gpu.buffers.create("calibrate/copied", source.size / 2)),
      sums: await own(gpu.buffers.create("calibrate/sums", Math.max(computeInvocations(bench), memoryInvocations(bench)) * 4)),
    };
    await fillWords(gpu, source);

    const all = experiments(bench);
    const rounds = quick ? 5 : 7;
    total = 3 + 2 * all.length + rounds;
    const uniforms: GPUBuffer[] = [];
    for (const { label } of all) uniforms.push(await own(gpu.buffers.create(label, 16, UNIFORM)));
    const prepared = await Promise.all(all.map((experiment, i) => prepare(gpu, experiment, buffers, uniforms[i]!)));
    for (const one of prepared) {
      step(`check ${nameOf(one)}`);
      await verify(gpu, one, buffers);
    }
    for (const one of prepared) {
      step(`tune ${nameOf(one)}`);
      await tune(gpu, one);
    }

    const sentinel = prepared.find(({ experiment }) => isSentinel(experiment))!;
    await warmUp(gpu, sentinel, quick ? 100e6 : 300e6);
    const before = await sentinelRate(gpu, sentinel);
    let running: readonly Prepared[] = prepared;
    const patience = performance.now() + (quick ? PATIENCE_MS.quick : PATIENCE_MS.full);
    for (let round = 0; round < rounds; round++) {
      if (round >= LEAST_ROUNDS && performance.now() > patience) {
        loaded += rounds - round;
        break;
      }
      step(`round ${round + 1} of ${rounds}`);
      for (const one of running) {
        await sample(gpu, one);
        signal?.throwIfAborted();
      }
      if (round === SCREENING - 1) running = [...new Set([...contenders(running), sentinel])];
    }
    const after = await sentinelRate(gpu, sentinel);
    step("dispatch");
    const dispatchNs = await measureDispatch(gpu, rounds, own);
    step("submit and map");
    const submitMapNs = await measureSubmitMap(gpu, rounds, own);
    gpu.check();
    step("done");
    const sentinelFlopsPerNs = undisturbed(ratesOf(sentinel));
    const sentinelDriftPercent = (after / before - 1) * 100;
    return summarise(gpu, bench, prepared, { dispatchNs, submitMapNs, sentinelFlopsPerNs, sentinelDriftPercent });
  } catch (cause) {
    if (signal?.aborted && !(cause instanceof RidgepointError)) {
      throw new RidgepointError("abort", "calibrate: aborted", { cause });
    }
    throw cause;
  } finally {
    for (const buffer of made) gpu.buffers.destroy(buffer);
  }
}

const nameOf = ({ experiment }: Prepared): string => `${experiment.quantity}: ${experiment.configuration}`;

async function warmUp(gpu: Gpu, sentinel: Prepared, ns: number): Promise<void> {
  const begun = performance.now();
  while ((performance.now() - begun) * 1e6 < ns) await sample(gpu, sentinel);
  sentinel.samples.length = 0;
}

/** The sentinel's rate now, leaving its samples alone. */
async function sentinelRate(gpu: Gpu, sentinel: Prepared): Promise<number> {
  const probe: Prepared = { ...sentinel, samples: [] };
  for (let i = 0; i < SENTINEL_SAMPLES; i++) await sample(gpu, probe);
  return rateOf(probe);
}

type Own = (buffer: Promise<GPUBuffer>) => Promise<GPUBuffer>;

/** Marginal cost of one dispatch in a pass of dependent ones; the counter they leave shows that all of them ran. */
async function measureDispatch(gpu: Gpu, samples: number, own: Own): Promise<Spread> {
  const kinds = ["write"] as const;
  const pipeline = await gpu.pipelines.get("calibrate/launch", launch, kinds);
  const counter = await own(gpu.buffers.create("calibrate/counter", 16));
  const layout = gpu.pipelines.groupLayout(kinds);
  const bindGroup = gpu.device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: counter } }] });
  const launches =
    (count: number): PassFiller =>
    (pass) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      for (let i = 0; i < count; i++) pass.dispatchWorkgroups(1);
    };
  const costs: number[] = [];
  const [few, many] = LAUNCHES;
  await timePasses(gpu, [launches(few)]);
  // Quantised clocks see one difference coarsely: more of them.
  for (let i = 0; i < samples * 2; i++) {
    const [short = 0, long = 0] = await timePasses(gpu, [launches(few), launches(many)]);
    if (long > short) costs.push((long - short) / (many - few));
  }
  const ran = new Uint32Array(await gpu.read(counter, 0, 4))[0];
  const expected = few + samples * 2 * (few + many);
  ensure(
    ran === expected,
    "gpu-validation",
    () => `calibrate/launch: ${expected} dispatches must have run, the counter says ${ran}`,
  );
  ensure(costs.length > 0, "gpu-validation", "calibrate/launch: the clock saw no difference between 100 and 500 dispatches");
  return undisturbed(costs.sort((a, b) => a - b));
}

/** Wall clock from submit until 4 bytes are mapped, averaged over a few round trips a sample. */
async function measureSubmitMap(gpu: Gpu, samples: number, own: Own): Promise<Spread> {
  const counter = await own(gpu.buffers.create("calibrate/latency", 16));
  const mapped = await own(gpu.buffers.create("calibrate/mapped", 16, 0x01 | 0x08)); // MAP_READ | COPY_DST
  const times: number[] = [];
  for (let i = -1; i < samples; i++) {
    const begun = performance.now();
    for (let trip = 0; trip < ROUND_TRIPS; trip++) {
      const encoder = gpu.device.createCommandEncoder();
      encoder.copyBufferToBuffer(counter, 0, mapped, 0, 4);
      gpu.device.queue.submit([encoder.finish()]);
      await mapped.mapAsync(GPUMapMode.READ, 0, 4);
      mapped.unmap();
    }
    if (i >= 0) times.push(((performance.now() - begun) * 1e6) / ROUND_TRIPS);
  }
  return spread(times);
}

interface Rest {
  readonly dispatchNs: Spread;
  readonly submitMapNs: Spread;
  readonly sentinelFlopsPerNs: Spread;
  readonly sentinelDriftPercent: number;
}

function summarise(gpu: Gpu, bench: Bench, prepared: readonly Prepared[], rest: Rest): Calibration {
  const configurations: Record<string, string> = {};
  const best = (quantity: Quantity, workingSetBytes?: number): Spread => {
    const siblings = prepared.filter(
      ({ experiment }) => experiment.quantity === quantity && experiment.workingSetBytes === workingSetBytes,
    );
    // Those that dropped out, or whose samples the clock lost, have too few to be believed.
    const most = Math.max(...siblings.map(({ samples }) => samples.length));
    const candidates = siblings.filter(({ samples }) => samples.length * 2 > most);
    const winner = candidates.reduce((top, one) => (rateOf(one) > rateOf(top) ? one : top));
    ensure(
      winner.samples.length > 0,
      "gpu-validation",
      () => `calibrate: the clock saw none of the ${quantity} kernels; calibrate again`,
    );
    configurations[quantity] = winner.experiment.configuration;
    return undisturbed(ratesOf(winner));
  };
  const levels = workingSets(bench).map((bytes): BandwidthLevel => ({ workingSetBytes: bytes, ...best("read", bytes) }));
  const slowest = levels.at(-1)!;
  const fastest = levels.reduce((top, level) => (level.median > top.median ? level : top));
  const issued = best("loads");
  // Bytes that were read were loaded: the issue rate is at least that of the fastest level, noise or not.
  const loadsPerNs = fastest.median / 4 > issued.median ? { median: fastest.median / 4, mad: fastest.mad / 4 } : issued;
  return {
    device: gpu.profile,
    flopsPerNs: {
      f32: best("f32"),
      ...(bench.shaderF16 ? { f16: best("f16") } : {}),
      ...(bench.dp4a ? { dp4a: best("dp4a") } : {}),
    },
    bytesPerNs: { read: { median: slowest.median, mad: slowest.mad }, copy: best("copy"), levels },
    loadsPerNs,
    quantumNs: gpu.profile.timestampQuantumNs,
    configurations,
    ...rest,
  };
}
