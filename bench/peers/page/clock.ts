/**
 * The same GPU clock and the same counts for every library in the page: it stands between them and WebGPU, gives each compute pass a pair of
 * timestamps and counts passes, dispatches and submits. To be installed before any library asks for a device. Workers have a WebGPU of their own, which
 * it does not see.
 */

/** A query set holds at most 4096. */
const MOST_QUERIES = 4096;

/** What this project calls its device. */
const OWN_LABEL = "ridgepoint";

/** What happened between {@link beginCounting} and {@link endCounting}, on all devices; the time is that of one device's passes. */
export interface Counts {
  /** Sum over compute passes, ns; null where the device has no clock, or more passes than queries were made. */
  readonly gpuNs: number | null;
  readonly passes: number;
  readonly dispatches: number;
  readonly submits: number;
}

interface Queries {
  readonly set: GPUQuerySet;
  readonly resolved: GPUBuffer;
  readonly mapped: GPUBuffer;
}

const deviceOf = new WeakMap<GPUCommandEncoder, GPUDevice>();
const queriesOf = new WeakMap<GPUDevice, Queries>();
const faults: string[] = [];

let timed: GPUDevice | null = null;
let counting = false;
let queries = 0;
let passes = 0;
let dispatches = 0;
let submits = 0;

/** Uncaptured WebGPU errors since the last call, of any library. */
export const takeFaults = (): string[] => faults.splice(0);

/**
 * Puts the clock between the libraries and WebGPU. Once a page.
 * @param withheld features that no device but this project's own is given
 */
export function installClock(withheld: readonly string[] = []): void {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (this: GPUAdapter, descriptor: GPUDeviceDescriptor = {}) {
    const features = new Set(descriptor.requiredFeatures);
    const without = descriptor.label === OWN_LABEL ? [] : withheld;
    for (const feature of without) features.delete(feature as GPUFeatureName);
    if (this.features.has("timestamp-query")) features.add("timestamp-query");
    const device = await requestDevice.call(this, { ...descriptor, requiredFeatures: [...features] });
    const kept = without.filter((feature) => device.features.has(feature));
    if (kept.length > 0)
      throw new Error(`${kept.join(", ")}: another feature that was asked for brings it along; withhold that too`);
    device.addEventListener("uncapturederror", (event) => faults.push((event as GPUUncapturedErrorEvent).error.message));
    return device;
  };

  const { createCommandEncoder } = GPUDevice.prototype;
  GPUDevice.prototype.createCommandEncoder = function (this: GPUDevice, descriptor?: GPUCommandEncoderDescriptor) {
    const encoder = createCommandEncoder.call(this, descriptor);
    deviceOf.set(encoder, this);
    return encoder;
  };

  const { beginComputePass } = GPUCommandEncoder.prototype;
  GPUCommandEncoder.prototype.beginComputePass = function (this: GPUCommandEncoder, descriptor: GPUComputePassDescriptor = {}) {
    if (!counting) return beginComputePass.call(this, descriptor);
    passes++;
    const set = timed && deviceOf.get(this) === timed ? queriesOf.get(timed)?.set : undefined;
    if (!set || descriptor.timestampWrites || queries + 2 > MOST_QUERIES) return beginComputePass.call(this, descriptor);
    const timestampWrites = { querySet: set, beginningOfPassWriteIndex: queries, endOfPassWriteIndex: queries + 1 };
    queries += 2;
    return beginComputePass.call(this, { ...descriptor, timestampWrites });
  };

  const passPrototype = GPUComputePassEncoder.prototype;
  const { dispatchWorkgroups, dispatchWorkgroupsIndirect } = passPrototype;
  passPrototype.dispatchWorkgroups = function (this: GPUComputePassEncoder, ...size: [number, number?, number?]) {
    if (counting) dispatches++;
    return dispatchWorkgroups.apply(this, size);
  };
  passPrototype.dispatchWorkgroupsIndirect = function (this: GPUComputePassEncoder, ...from: [GPUBuffer, number]) {
    if (counting) dispatches++;
    return dispatchWorkgroupsIndirect.apply(this, from);
  };

  const { submit } = GPUQueue.prototype;
  GPUQueue.prototype.submit = function (this: GPUQueue, commands: Iterable<GPUCommandBuffer>) {
    if (counting) submits++;
    return submit.call(this, commands);
  };
}

/** Begins to count, and to time the passes of `device`. */
export function beginCounting(device: GPUDevice | null): void {
  timed = device?.features.has("timestamp-query") ? device : null;
  if (timed && !queriesOf.has(timed)) {
    queriesOf.set(timed, {
      set: timed.createQuerySet({ type: "timestamp", count: MOST_QUERIES }),
      resolved: timed.createBuffer({ size: MOST_QUERIES * 8, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC }),
      mapped: timed.createBuffer({ size: MOST_QUERIES * 8, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }),
    });
  }
  [queries, passes, dispatches, submits] = [0, 0, 0, 0];
  counting = true;
}

/** Ends counting. To be called when the device is idle. */
export async function endCounting(): Promise<Counts> {
  counting = false;
  const counts = { passes, dispatches, submits };
  const own = timed ? queriesOf.get(timed) : undefined;
  if (!timed || !own || queries === 0 || queries < 2 * passes) return { gpuNs: null, ...counts };
  const encoder = timed.createCommandEncoder();
  encoder.resolveQuerySet(own.set, 0, queries, own.resolved, 0);
  encoder.copyBufferToBuffer(own.resolved, 0, own.mapped, 0, queries * 8);
  timed.queue.submit([encoder.finish()]);
  await own.mapped.mapAsync(GPUMapMode.READ, 0, queries * 8);
  const ticks = new BigUint64Array(own.mapped.getMappedRange(0, queries * 8));
  let gpuNs = 0;
  for (let i = 0; i < queries; i += 2) gpuNs += Math.max(0, Number(ticks[i + 1]! - ticks[i]!));
  own.mapped.unmap();
  return { gpuNs, ...counts };
}
