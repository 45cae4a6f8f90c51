/** Runs rows of the kernel table on arrays: compiles, binds, dispatches inside a validation scope, reads back. Knows no model. */
import type { Gpu } from "../../src/gpu/device";
import type { DeviceProfile } from "../../src/gpu/profile";
import { codeOf, type Extent, type Kernel } from "../../src/kernels/dispatch";
import { type Lanes, lanesOf } from "../../src/kernels/lanes";
import {
  extentOf,
  GREEDY,
  type Guidance,
  type PlanHeader,
  planBytes,
  type Reveal,
  type Row,
  type Sampling,
  writePlan,
} from "../../src/model/pass";
import { noteExecuted } from "./executed";
import { testGpu } from "./goldens";

export type Words = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** One dispatch: an array for each binding, and the plan it reads. */
export interface Job {
  readonly kernel: Kernel;
  /** In the order of the kernel's bindings. Outputs hold what is there before. */
  readonly bound: readonly Words[];
  readonly rows: readonly Partial<Row>[];
  readonly sources?: readonly number[];
  readonly reveal?: Reveal;
  readonly sampling?: Partial<Sampling>;
  readonly header?: Partial<PlanHeader>;
  readonly guidance?: Guidance;
  /** How much is dispatched, where it is not what the rows say. */
  readonly extent?: Extent;
}

/** What an untouched output holds. */
export const SENTINEL = -7777.5;
/** Untouched elements that are kept behind every output. */
export const MARGIN = 8;

/** An output of `length` elements and a margin behind them, filled with the sentinel. */
export const untouched = (length: number): Float32Array<ArrayBuffer> => new Float32Array(length + MARGIN).fill(SENTINEL);

/** So many rows of a plan about which nothing matters. */
export const plainRows = (count: number): Partial<Row>[] => Array.from({ length: count }, (_, i) => ({ place: i, goal: i }));

const row = (given: Partial<Row>, i: number): Row => ({ place: i, position: i, slot: i, start: 0, limit: 0, goal: i, ...given });

/** Dispatches whose arrays on the device stay within this much run together. */
const BATCH_BYTES = 96 * 2 ** 20;
const bytesOf = ({ bound }: Job): number => bound.reduce((sum, { byteLength }) => sum + byteLength, 0);

/** Runs jobs, in few submits. Gives each job's arrays: the written ones as they came back, in the type they went in. */
export async function runJobs(jobs: readonly Job[]): Promise<Words[][]> {
  const gpu = await testGpu();
  const results: Words[][] = [];
  for (let from = 0; from < jobs.length; ) {
    let to = from;
    for (let bytes = 0; to < jobs.length && (to === from || bytes + bytesOf(jobs[to]!) <= BATCH_BYTES); to++)
      bytes += bytesOf(jobs[to]!);
    results.push(...(await runBatch(gpu, jobs.slice(from, to))));
    from = to;
  }
  return results;
}

/** Runs one job. */
export const runKernel = async (job: Job): Promise<Words[]> => (await runJobs([job]))[0]!;

async function runBatch(gpu: Gpu, jobs: readonly Job[]): Promise<Words[][]> {
  const { device, pipelines } = gpu;
  const compiled = await Promise.all(jobs.map(({ kernel: k }) => pipelines.get(k.name, codeOf(k), k.bindings, true)));
  const made: GPUBuffer[] = [];
  const make = (data: ArrayBufferView<ArrayBuffer>, byteLength: number): GPUBuffer => {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const size = Math.max(16, Math.ceil(byteLength / 16) * 16);
    const buffer = device.createBuffer({ size, usage, mappedAtCreation: true });
    new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    buffer.unmap();
    made.push(buffer);
    return buffer;
  };
  device.pushErrorScope("validation");
  try {
    const encoder = device.createCommandEncoder();
    const copies: { from: GPUBuffer; at: number; byteLength: number }[] = [];
    let readBytes = 0;
    const pass = encoder.beginComputePass();
    jobs.forEach((job, i) => {
      const { kernel, bound } = job;
      if (bound.length !== kernel.bindings.length)
        throw new Error(`${kernel.name}: ${kernel.bindings.length} bindings, ${bound.length} arrays`);
      const buffers = bound.map((array) => make(array, array.byteLength));
      const plan = planOf(job);
      const layout = pipelines.groupLayout(kernel.bindings);
      const entriesOf = (list: readonly GPUBuffer[]) => list.map((buffer, binding) => ({ binding, resource: { buffer } }));
      pass.setPipeline(compiled[i]!);
      pass.setBindGroup(0, device.createBindGroup({ layout, entries: entriesOf(buffers) }));
      const planEntries = entriesOf([make(plan, plan.byteLength)]);
      pass.setBindGroup(1, device.createBindGroup({ layout: pipelines.planLayout, entries: planEntries }), [0]);
      pass.dispatchWorkgroups(...kernel.grid(job.extent ?? extentOf(job.rows.map(row))));
      kernel.bindings.forEach((kind, binding) => {
        if (kind !== "write") return;
        copies.push({ from: buffers[binding]!, at: readBytes, byteLength: bound[binding]!.byteLength });
        readBytes += bound[binding]!.byteLength;
      });
    });
    pass.end();
    const mapped = device.createBuffer({ size: readBytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    made.push(mapped);
    for (const { from, at, byteLength } of copies) encoder.copyBufferToBuffer(from, 0, mapped, at, byteLength);
    device.queue.submit([encoder.finish()]);
    const fault = await device.popErrorScope();
    if (fault) throw new Error(`${jobs[0]?.kernel.name}: ${fault.message}`);
    await mapped.mapAsync(GPUMapMode.READ);
    gpu.check();
    noteExecuted(jobs.map(({ kernel }) => kernel));
    const bytes = mapped.getMappedRange();
    let next = 0;
    return jobs.map(({ kernel, bound }) =>
      bound.map((array, binding) => {
        if (kernel.bindings[binding] !== "write") return array;
        const { at, byteLength } = copies[next++]!;
        const copy = bytes.slice(at, at + byteLength);
        return array instanceof Float32Array ? new Float32Array(copy) : new Uint32Array(copy);
      }),
    );
  } finally {
    for (const buffer of made) buffer.destroy();
  }
}

function planOf({ rows, sources, reveal = { rule: "none" }, sampling, header, guidance }: Job): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(planBytes(rows.length) / 4);
  writePlan(words, 0, rows.map(row), sources ?? null, {
    reveal,
    ...(guidance === undefined ? {} : { guidance }),
    sampling: { ...GREEDY, ...sampling },
    header: { first: 0, maskId: 0xffffffff, draw: 0, ...header },
  });
  return words;
}

/** A profile of a GPU without subgroups, as seen by kernel selection. */
export const gpuProfile = (profile: DeviceProfile): DeviceProfile => ({
  ...profile,
  software: false,
  features: [],
  subgroupMinSize: 0,
  subgroupMaxSize: 0,
});

/** Every way that lanes work together which this device can run: its own, and both fallbacks through workgroup memory. */
export function laneVariants(profile: DeviceProfile): Lanes[] {
  const bare = gpuProfile(profile);
  const fallbacks = [lanesOf({ ...bare, software: true }), lanesOf(bare)];
  const own = lanesOf(profile);
  return own.variant === "subgroup" ? [own, ...fallbacks] : fallbacks;
}

/** Standard normal random numbers. */
function normalOf(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Normal random floats, the same for the same seed. */
export function normals(length: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  const normal = normalOf(seed);
  return Float32Array.from({ length }, () => scale * normal());
}

/** The first element beyond its tolerance, in words; null where there is none. NaN is beyond every tolerance. */
export function firstFault(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number | ((i: number) => number),
): string | null {
  for (let i = 0; i < want.length; i++) {
    const allowed = typeof tolerance === "number" ? tolerance : tolerance(i);
    if (!(Math.abs(got[i]! - want[i]!) <= allowed)) return `[${i}]: expected ${want[i]} ± ${allowed}, got ${got[i]}`;
  }
  return null;
}

/** The first element at or behind `from` that is not the sentinel; null where all are. */
export function firstTouched(output: ArrayLike<number>, from: number): string | null {
  for (let i = from; i < output.length; i++) if (output[i] !== SENTINEL) return `[${i}] of ${output.length}: ${output[i]}`;
  return null;
}

/** Unit roundoff of f32, doubled: the distance of neighbours at 1. */
export const EPSILON = 2 ** -23;
