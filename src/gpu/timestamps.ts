/** GPU time of compute passes: timestamp queries where the device has them, wall clock (said so) where not. */
import type { Gpu } from "./device";

/** Queries of one device; a query set holds at most 4096. */
const MAX_PASSES = 2048;

/** Fills one compute pass. */
export type PassFiller = (pass: GPUComputePassEncoder) => void;

/**
 * Runs the passes in one submit and returns the GPU ns of each, 0 where the clock went backwards (drop those).
 * Without `timestamp-query` every pass is a submit of its own and the time is the host's wall clock until the queue is idle.
 */
export async function timePasses(gpu: Gpu, passes: readonly PassFiller[]): Promise<number[]> {
  const times: number[] = [];
  for (let first = 0; first < passes.length; first += MAX_PASSES) {
    const chunk = passes.slice(first, first + MAX_PASSES);
    times.push(...(gpu.device.features.has("timestamp-query") ? await queried(gpu, chunk) : await clocked(gpu, chunk)));
  }
  return times;
}

async function clocked(gpu: Gpu, passes: readonly PassFiller[]): Promise<number[]> {
  const times: number[] = [];
  for (const fill of passes) {
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    fill(pass);
    pass.end();
    const begun = performance.now();
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.device.queue.onSubmittedWorkDone();
    times.push((performance.now() - begun) * 1e6);
  }
  return times;
}

async function queried(gpu: Gpu, passes: readonly PassFiller[]): Promise<number[]> {
  const count = passes.length * 2;
  const querySet = gpu.device.createQuerySet({ type: "timestamp", count });
  const resolved = gpu.device.createBuffer({ size: count * 8, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const mapped = gpu.device.createBuffer({ size: count * 8, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  try {
    const encoder = gpu.device.createCommandEncoder();
    passes.forEach((fill, i) => {
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
      const pass = encoder.beginComputePass({ timestampWrites });
      fill(pass);
      pass.end();
    });
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, mapped, 0, count * 8);
    gpu.device.queue.submit([encoder.finish()]);
    await mapped.mapAsync(GPUMapMode.READ);
    const ticks = new BigUint64Array(mapped.getMappedRange());
    return passes.map((_, i) => Math.max(0, Number((ticks[2 * i + 1] as bigint) - (ticks[2 * i] as bigint))));
  } finally {
    querySet.destroy();
    resolved.destroy();
    mapped.destroy();
  }
}

/** The smallest step of the GPU clock in ns: greatest common divisor of the times of a few short passes of growing length. */
export async function measureQuantum(gpu: Gpu): Promise<number | null> {
  if (!gpu.device.features.has("timestamp-query")) return null;
  const code = "@compute @workgroup_size(1) fn main() {}";
  const pipeline = await gpu.pipelines.get("quantum", code, []);
  const group = gpu.device.createBindGroup({ layout: gpu.pipelines.groupLayout([]), entries: [] });
  const passes = Array.from({ length: 24 }, (_, i) => (pass: GPUComputePassEncoder) => {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let n = 0; n <= i * 3; n++) pass.dispatchWorkgroups(1);
  });
  const times = (await timePasses(gpu, passes)).filter((ns) => ns > 0);
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  // A pass that the clock could not see at all is as wide as the quantum's unknown: report Chrome's 65,536 ns then.
  return times.length === 0 ? 65536 : times.reduce(divisor);
}
