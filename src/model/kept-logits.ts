/** Logits of the pass before, for what asks how far a distribution has moved: a buffer that is made when the first pass asks, and grows with the slots. */
import { ensure } from "../errors";
import type { Gpu } from "../gpu/device";
import { divergence } from "../kernels/answer";
import { codeOf, type Dispatch } from "../kernels/dispatch";
import type { Pass } from "./pass";
import type { Scratch } from "./scratch";

type Made = (rows: number, planOffset: number) => Dispatch;

export class KeptLogits {
  readonly #gpu: Gpu;
  readonly #vocabSize: number;
  readonly #scratch: Scratch;
  #buffer: GPUBuffer | null = null;
  #slots = 0;
  #dispatch: Made | null = null;

  constructor(gpu: Gpu, vocabSize: number, scratch: Scratch) {
    this.#gpu = gpu;
    this.#vocabSize = vocabSize;
    this.#scratch = scratch;
  }

  /**
   * Makes room for what the rows of passes keep.
   * @throws `bad-option` where it is more than a binding; `out-of-memory`
   */
  async reserve(passes: readonly Pass[]): Promise<void> {
    const needed = passes.reduce((most, { rows }) => rows.reduce((m, { kept }) => Math.max(m, kept?.[1] ?? 0), most), 0);
    if (needed <= this.#slots) return;
    const bytes = 4 * needed * (this.#vocabSize + 1);
    const most = this.#gpu.device.limits.maxStorageBufferBindingSize;
    ensure(
      bytes <= most,
      "bad-option",
      () => `kept logits: ${needed} rows of ${this.#vocabSize} take ${bytes} bytes, a binding holds ${most}; use shorter blocks`,
    );
    this.dispose();
    this.#buffer = await this.#gpu.buffers.create("kept logits", bytes);
    this.#slots = needed;
    this.#dispatch = await this.#bind(this.#buffer);
  }

  /** What compares the plan's rows with what was kept, and keeps them; behind their answers. */
  record(rows: number, planOffset: number): Dispatch {
    ensure(this.#dispatch, "bad-option", "kept logits: no room was made for them");
    return this.#dispatch(rows, planOffset);
  }

  dispose(): void {
    if (this.#buffer) this.#gpu.buffers.destroy(this.#buffer);
    this.#buffer = null;
    this.#slots = 0;
    this.#dispatch = null;
  }

  async #bind(buffer: GPUBuffer): Promise<Made> {
    const { device, pipelines, profile } = this.#gpu;
    const { logits, answers } = this.#scratch.buffers;
    const kernel = divergence(profile, this.#vocabSize);
    const { name, variant, bindings } = kernel;
    const pipeline = await pipelines.get(name, codeOf(kernel), bindings, true);
    const bindGroup = device.createBindGroup({
      label: name,
      layout: pipelines.groupLayout(bindings),
      entries: [logits, buffer, answers].map((bound, binding) => ({ binding, resource: { buffer: bound } })),
    });
    return (rows, planOffset) => {
      const extent = { rows, visible: 0, span: 0 };
      const counted = { shape: kernel.shape(extent), grid: kernel.grid(extent), ...kernel.work(extent) };
      return { kernel: name, variant, role: name, layer: null, ...counted, pipeline, bindGroup, planOffset };
    };
  }
}
