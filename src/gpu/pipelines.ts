/** Compute pipelines, compiled once per code and binding layout. Knows nothing of what they compute. */
import { RidgepointError } from "../errors";

/** How a kernel binds a buffer: `read` storage, `write` (read_write) storage, or uniform. */
export type BindingKind = "read" | "write" | "uniform";

const bufferType: Record<BindingKind, GPUBufferBindingType> = { read: "read-only-storage", write: "storage", uniform: "uniform" };

export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #groupLayouts = new Map<string, GPUBindGroupLayout>();
  readonly #planLayout: GPUBindGroupLayout;
  /** Wall-clock ns spent compiling so far, summed over pipelines. */
  compileNs = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#planLayout = device.createBindGroupLayout({
      label: "plan",
      entries: [{ binding: 0, visibility: 4, buffer: { type: "read-only-storage", hasDynamicOffset: true } }],
    });
  }

  /** Number of distinct pipelines asked for. */
  get count(): number {
    return this.#pipelines.size;
  }

  /** Layout of group 1: the plan of the current pass, one read-only storage buffer with a dynamic offset. */
  get planLayout(): GPUBindGroupLayout {
    return this.#planLayout;
  }

  /** Layout of group 0 for these bindings, in order. */
  groupLayout(kinds: readonly BindingKind[]): GPUBindGroupLayout {
    const key = kinds.join();
    let layout = this.#groupLayouts.get(key);
    if (!layout) {
      const entries = kinds.map((kind, binding) => ({ binding, visibility: 4, buffer: { type: bufferType[kind] } }));
      layout = this.#device.createBindGroupLayout({ label: key, entries });
      this.#groupLayouts.set(key, layout);
    }
    return layout;
  }

  /**
   * The pipeline of `code`'s entry point `main`.
   * @param withPlan whether group 1 is the pass's plan
   * @throws `shader` with the compiler's message, line and source line.
   */
  get(label: string, code: string, kinds: readonly BindingKind[], withPlan = false): Promise<GPUComputePipeline> {
    const key = `${kinds.join()}|${withPlan}|${code}`;
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(label, code, kinds, withPlan);
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  async #compile(label: string, code: string, kinds: readonly BindingKind[], withPlan: boolean): Promise<GPUComputePipeline> {
    const begun = performance.now();
    // A fault is thrown here, with its line: it must not also surface later as an uncaptured error of something else.
    this.#device.pushErrorScope("validation");
    const module = this.#device.createShaderModule({ label, code });
    const scope = this.#device.popErrorScope();
    const { messages } = await module.getCompilationInfo();
    await scope;
    const fault = messages.find((message) => message.type === "error");
    if (fault) {
      const line = code.split("\n")[fault.lineNum - 1]?.trim() ?? "";
      throw new RidgepointError("shader", `${label}:${fault.lineNum}:${fault.linePos} ${fault.message} in "${line}"`);
    }
    const bindGroupLayouts = [this.groupLayout(kinds), ...(withPlan ? [this.#planLayout] : [])];
    const layout = this.#device.createPipelineLayout({ label, bindGroupLayouts });
    try {
      return await this.#device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: "main" } });
    } catch (cause) {
      throw new RidgepointError("shader", `${label}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    } finally {
      this.compileNs += (performance.now() - begun) * 1e6;
    }
  }
}
