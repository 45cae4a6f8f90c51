/** The WebGPU device: features, limits, loss and uncaptured errors, turned into typed errors. The only file that asks for one. */
import { RidgepointError } from "../errors";
import { BufferLedger } from "./buffers";
import { PipelineCache } from "./pipelines";
import { type DeviceProfile, isSoftware } from "./profile";
import { measureQuantum } from "./timestamps";

const WANTED_FEATURES = ["timestamp-query", "shader-f16", "subgroups"] as const;
/** Extensions of WGSL itself, which no device need be asked for. */
const LANGUAGE_FEATURES = ["packed_4x8_integer_dot_product"] as const;
const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBuffersPerShaderStage",
] as const;

export interface GpuOptions {
  powerPreference?: GPUPowerPreference;
  /** Features not to ask for, as if the device had none of them (tests of the fallbacks). */
  without?: readonly string[];
  /** Limits to stay within, below the adapter's own: as if the device had no more (tests of what is split). */
  limits?: Readonly<Record<string, number>>;
  /** Kernel variants that were found best on this device, by key; without an entry, what is shipped for its architecture, or a default, runs. */
  tuning?: Readonly<Record<string, string>>;
}

async function requestAdapter({ powerPreference = "high-performance" }: GpuOptions): Promise<GPUAdapter> {
  if (!globalThis.navigator?.gpu) {
    throw new RidgepointError(
      "no-webgpu",
      "this page has no WebGPU (navigator.gpu): expected Chrome ≥ 113, Edge, Safari ≥ 26 or Firefox ≥ 141 on https or localhost",
    );
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new RidgepointError(
      "no-adapter",
      "WebGPU found no adapter: update the GPU driver, or start Chrome with --enable-unsafe-webgpu --use-webgpu-adapter=swiftshader for the CPU adapter",
    );
  }
  return adapter;
}

function profileOf(adapter: GPUAdapter, { without = [], limits: within = {} }: GpuOptions): DeviceProfile {
  const features = featuresOf(adapter, without);
  const language = LANGUAGE_FEATURES.filter((name) => navigator.gpu.wgslLanguageFeatures?.has(name) && !without.includes(name));
  const { vendor, architecture, description } = adapter.info;
  const own = (name: (typeof WANTED_LIMITS)[number]) => Math.min(adapter.limits[name], within[name] ?? Number.POSITIVE_INFINITY);
  const limits = Object.fromEntries(WANTED_LIMITS.map((name) => [name, own(name)]));
  const subgroups = features.includes("subgroups");
  return {
    vendor,
    architecture,
    description,
    software: isSoftware(adapter.info) || adapter.info.isFallbackAdapter === true,
    features: [...features, ...language],
    limits,
    subgroupMinSize: subgroups ? (adapter.info.subgroupMinSize ?? 0) : 0,
    subgroupMaxSize: subgroups ? (adapter.info.subgroupMaxSize ?? 0) : 0,
    timestampQuantumNs: null,
    userAgent: navigator.userAgent,
  };
}

const featuresOf = (adapter: GPUAdapter, without: readonly string[] = []): string[] =>
  WANTED_FEATURES.filter((name) => adapter.features.has(name) && !without.includes(name));

/**
 * Describes the adapter that {@link openGpu} would open, without opening it.
 * @throws `no-webgpu`, `no-adapter`
 */
export async function probe(options: GpuOptions = {}): Promise<DeviceProfile> {
  const adapter = await requestAdapter(options);
  return profileOf(adapter, options);
}

/** An open device with its ledger of buffers and its pipelines. Owned by whoever opened it. */
export class Gpu {
  readonly device: GPUDevice;
  readonly profile: DeviceProfile;
  readonly buffers: BufferLedger;
  readonly pipelines: PipelineCache;
  /** Variants of kernels, by key (`kernels/tuning.ts`). Models that are loaded later follow it. */
  tuning: Readonly<Record<string, string>>;
  #fault: RidgepointError | null = null;
  #disposed = false;

  private constructor(device: GPUDevice, profile: DeviceProfile, tuning: Readonly<Record<string, string>>) {
    this.device = device;
    this.profile = profile;
    this.tuning = tuning;
    this.buffers = new BufferLedger(device, profile);
    this.pipelines = new PipelineCache(device);
    device.addEventListener("uncapturederror", (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.#fault ??= new RidgepointError(
        error instanceof GPUOutOfMemoryError ? "out-of-memory" : "gpu-validation",
        error.message,
      );
    });
    void device.lost.then(({ reason, message }) => {
      if (this.#disposed) return;
      this.#fault = new RidgepointError("device-lost", `the GPU device was lost (${reason}): ${message}; load the model again`);
    });
  }

  /** @throws `no-webgpu`, `no-adapter`, `missing-limit` */
  static async open(options: GpuOptions = {}): Promise<Gpu> {
    const adapter = await requestAdapter(options);
    const features = featuresOf(adapter, options.without);
    const requiredLimits = Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]]));
    let device: GPUDevice;
    try {
      device = await adapter.requestDevice({
        label: "ridgepoint",
        requiredFeatures: features as GPUFeatureName[],
        requiredLimits,
      });
    } catch (cause) {
      throw new RidgepointError("missing-limit", `the adapter refused a device with its own limits: ${String(cause)}`, { cause });
    }
    const gpu = new Gpu(device, profileOf(adapter, options), options.tuning ?? {});
    const timestampQuantumNs = await measureQuantum(gpu);
    return Object.assign(gpu, { profile: { ...gpu.profile, timestampQuantumNs } });
  }

  /**
   * Throws what went wrong on the device since the last call, if anything did. Called before results are used.
   * @throws `device-lost`, `gpu-validation`, `out-of-memory`
   */
  check(): void {
    const fault = this.#fault;
    if (!fault) return;
    if (fault.code !== "device-lost") this.#fault = null;
    throw fault;
  }

  /**
   * Copies bytes back to the host.
   * @param byteLength multiple of 4
   */
  async read(buffer: GPUBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    const mapped = this.device.createBuffer({ size: byteLength, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, byteOffset, mapped, 0, byteLength);
      this.device.queue.submit([encoder.finish()]);
      await mapped.mapAsync(GPUMapMode.READ);
      this.check();
      return mapped.getMappedRange().slice(0);
    } catch (cause) {
      this.check();
      throw cause;
    } finally {
      mapped.destroy();
    }
  }

  /** Frees every buffer and the device. A second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.buffers.destroyAll();
    this.device.destroy();
  }
}

/** Opens the device with the adapter's own limits and the features the engine has variants for. */
export const openGpu = (options: GpuOptions = {}): Promise<Gpu> => Gpu.open(options);
