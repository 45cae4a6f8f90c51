/** This project's kernels as a contestant: rows of its kernel table, bound to buffers, in one compute pass a submit as a forward runs them. */
import type { Gpu } from "../../../src/gpu/device";
import { codeOf, type Kernel } from "../../../src/kernels/dispatch";
import { extentOf, GREEDY, planBytes, type Row, writePlan } from "../../../src/model/pass";
import type { Contestant } from "./rounds";

/** One dispatch of a call. */
export interface Step {
  readonly kernel: Kernel;
  /** In the order of the kernel's bindings. */
  readonly bound: readonly GPUBuffer[];
  readonly rows: readonly Row[];
}

export interface Chain {
  readonly name: string;
  readonly steps: readonly Step[];
  /** Read back for the check: f32. */
  readonly output: { readonly buffer: GPUBuffer; readonly length: number };
  /** Freed with the contestant. */
  readonly buffers: readonly GPUBuffer[];
}

/** A row that attends to [start, limit). */
export const rowAt = (place: number, limit: number): Row => ({
  place,
  position: place,
  slot: place,
  start: 0,
  limit,
  goal: null,
});

/** Rows of a linear layer or a norm, which look at nothing else. */
export const plainRows = (count: number): Row[] => Array.from({ length: count }, (_, i) => rowAt(i, i + 1));

/** A storage buffer of the data, or zeroed, padded to 16 bytes. */
export async function bufferOf(gpu: Gpu, label: string, data: ArrayBufferView<ArrayBuffer> | number): Promise<GPUBuffer> {
  const buffer = await gpu.buffers.create(label, typeof data === "number" ? data : data.byteLength);
  if (typeof data !== "number") gpu.device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}

interface Bound {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly plan: GPUBindGroup;
  readonly planBuffer: GPUBuffer;
  readonly grid: readonly [number, number, number];
}

async function bind(gpu: Gpu, { kernel, bound, rows }: Step): Promise<Bound> {
  const { device, pipelines } = gpu;
  const words = new Uint32Array(planBytes(rows.length) / 4);
  const header = { first: 0, maskId: 0xffffffff, draw: 0 };
  writePlan(words, 0, rows, null, { reveal: { rule: "none" }, sampling: GREEDY, header });
  const planBuffer = await bufferOf(gpu, "plan", words);
  const entries = bound.map((buffer, binding) => ({ binding, resource: { buffer } }));
  return {
    pipeline: await pipelines.get(kernel.name, codeOf(kernel), kernel.bindings, true),
    group: device.createBindGroup({ layout: pipelines.groupLayout(kernel.bindings), entries }),
    plan: device.createBindGroup({
      layout: pipelines.planLayout,
      entries: [{ binding: 0, resource: { buffer: planBuffer } }],
    }),
    planBuffer,
    grid: kernel.grid(extentOf(rows)),
  };
}

/** Runs the steps once, and waits. */
export async function runOnce(gpu: Gpu, steps: readonly Step[]): Promise<void> {
  const bounds = await Promise.all(steps.map((step) => bind(gpu, step)));
  await submit(gpu, bounds, 1);
  for (const { planBuffer } of bounds) gpu.buffers.destroy(planBuffer);
}

async function submit(gpu: Gpu, bounds: readonly Bound[], calls: number): Promise<void> {
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (let call = 0; call < calls; call++) {
    for (const { pipeline, group, plan, grid } of bounds) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.setBindGroup(1, plan, [0]);
      pass.dispatchWorkgroups(...grid);
    }
  }
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  await gpu.device.queue.onSubmittedWorkDone();
  gpu.check();
}

/** The chain as a contestant, which owns the chain's buffers. */
export async function ridgepointContestant(gpu: Gpu, { name, steps, output, buffers }: Chain): Promise<Contestant> {
  const bounds = await Promise.all(steps.map((step) => bind(gpu, step)));
  return {
    engine: "ridgepoint",
    name,
    device: gpu.device,
    run: (calls) => submit(gpu, bounds, calls),
    output: async () => new Float32Array(await gpu.read(output.buffer, 0, output.length * 4)),
    close: () => {
      for (const { planBuffer } of bounds) gpu.buffers.destroy(planBuffer);
      for (const buffer of buffers) gpu.buffers.destroy(buffer);
    },
  };
}
