/** Runs trials on a device: compiles and binds their ways, checks what they compute, repeats them to be timed. It knows no kernel. */
import { RidgepointError } from "../../errors";
import type { Gpu } from "../../gpu/device";
import type { PassFiller } from "../../gpu/timestamps";
import { codeOf, type Grid } from "../../kernels/dispatch";
import { type Checked, exactly, type Trial, type Way, type Words } from "./trial";

/** Copies of rotated arrays take about so many bytes together: more than a CPU's cache, and most GPUs'. */
const ROTATED_BYTES = 64 * 2 ** 20;
const MOST_COPIES = 8;

/** A way that is compiled and bound. */
export interface Ready {
  readonly way: Way;
  /** A pass of so many calls. */
  readonly fill: (count: number) => PassFiller;
  /** What is run to be checked: a call, with what goes before and after it. */
  readonly checked: PassFiller;
}

interface BoundStep {
  readonly pipeline: GPUComputePipeline;
  readonly grid: Grid;
  /** One for each copy of the rotated arrays. */
  readonly groups: readonly GPUBindGroup[];
}

const bytesOf = (array: Words | number): number => (typeof array === "number" ? array : array.byteLength);

export class Workbench {
  readonly trial: Trial;
  readonly #gpu: Gpu;
  readonly #buffers = new Map<string, GPUBuffer[]>();
  #plan: GPUBuffer | null = null;
  #planGroup: GPUBindGroup | null = null;
  #copies = 1;

  private constructor(gpu: Gpu, trial: Trial) {
    this.#gpu = gpu;
    this.trial = trial;
  }

  /**
   * Lays out a trial's arrays on the device; {@link dispose} frees them.
   * @throws `out-of-memory`
   */
  static async open(gpu: Gpu, trial: Trial): Promise<Workbench> {
    const bench = new Workbench(gpu, trial);
    try {
      await bench.#allocate();
    } catch (cause) {
      bench.dispose();
      throw cause;
    }
    return bench;
  }

  /**
   * Compiles a way and binds it.
   * @throws `shader`
   */
  async prepare(way: Way): Promise<Ready> {
    const [before, steps, after] = await Promise.all(
      [way.before ?? [], way.steps, way.after ?? []].map((list) => this.#bind(list)),
    );
    const once = this.#fillOf([...(before as BoundStep[]), ...(steps as BoundStep[]), ...(after as BoundStep[])]);
    return { way, fill: this.#fillOf(steps as BoundStep[]), checked: once(1) };
  }

  /** Compiles steps and binds them. */
  #bind(steps: Way["steps"]): Promise<BoundStep[]> {
    const { device, pipelines } = this.#gpu;
    const { extent } = this.trial;
    return Promise.all(
      steps.map(async ({ kernel, bound }): Promise<BoundStep> => {
        const pipeline = await pipelines.get(kernel.name, codeOf(kernel), kernel.bindings, true);
        const groups = Array.from({ length: this.#copies }, (_, copy) => {
          const entries = bound.map((name, binding) => ({ binding, resource: { buffer: this.#bufferOf(name, copy) } }));
          return device.createBindGroup({ label: kernel.name, layout: pipelines.groupLayout(kernel.bindings), entries });
        });
        return { pipeline, groups, grid: kernel.grid(extent) };
      }),
    );
  }

  /** A pass of so many calls of the steps, each on the next copy of the rotated arrays. */
  #fillOf(steps: readonly BoundStep[]): (count: number) => PassFiller {
    return (count) => (pass) => {
      pass.setBindGroup(1, this.#planGroup, [0]);
      for (let call = 0; call < count; call++) {
        for (const { pipeline, groups, grid } of steps) {
          pass.setPipeline(pipeline);
          pass.setBindGroup(0, groups[call % groups.length] as GPUBindGroup);
          pass.dispatchWorkgroups(...grid);
        }
      }
    };
  }

  /** Runs a way once, on arrays as they were, and compares its outputs with the reference. */
  async verify({ way, checked }: Ready): Promise<Checked> {
    const { device } = this.#gpu;
    this.#restore();
    device.pushErrorScope("validation");
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    checked(pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
    const fault = await device.popErrorScope();
    if (fault) return exactly(fault.message);
    const read: Record<string, Words> = {};
    for (const name of this.trial.outputs) {
      const array = this.trial.arrays[name] as Words | number;
      const bytes = await this.#gpu.read(this.#bufferOf(name, 0), 0, bytesOf(array));
      read[name] = array instanceof Uint32Array ? new Uint32Array(bytes) : new Float32Array(bytes);
    }
    return this.trial.check(read, way);
  }

  /** Frees what it made. A second call does nothing. */
  dispose(): void {
    for (const buffer of [...this.#buffers.values()].flat()) this.#gpu.buffers.destroy(buffer);
    if (this.#plan) this.#gpu.buffers.destroy(this.#plan);
    this.#buffers.clear();
    this.#plan = null;
  }

  async #allocate(): Promise<void> {
    const { arrays, rotated, plan, role } = this.trial;
    const bytes = rotated.reduce((sum, name) => sum + bytesOf(arrays[name] as Words), 0);
    this.#copies = bytes === 0 ? 1 : Math.max(1, Math.min(MOST_COPIES, Math.ceil(ROTATED_BYTES / bytes)));
    for (const [name, array] of Object.entries(arrays)) {
      const made: GPUBuffer[] = [];
      this.#buffers.set(name, made);
      const copies = rotated.includes(name) ? this.#copies : 1;
      for (let copy = 0; copy < copies; copy++) made.push(await this.#gpu.buffers.create(`${role} ${name}`, bytesOf(array)));
      for (const buffer of made) if (typeof array !== "number") this.#gpu.device.queue.writeBuffer(buffer, 0, array);
    }
    this.#plan = await this.#gpu.buffers.create(`${role} plan`, plan.byteLength);
    this.#gpu.device.queue.writeBuffer(this.#plan, 0, plan);
    const entries = [{ binding: 0, resource: { buffer: this.#plan } }];
    this.#planGroup = this.#gpu.device.createBindGroup({ layout: this.#gpu.pipelines.planLayout, entries });
  }

  /** Gives the arrays that ways write what they held at first. */
  #restore(): void {
    const { trial } = this;
    const written = new Set(
      trial.ways.flatMap(({ before = [], steps, after = [] }) =>
        [...before, ...steps, ...after].flatMap(({ kernel, bound }) =>
          bound.filter((_, binding) => kernel.bindings[binding] === "write"),
        ),
      ),
    );
    for (const name of written) {
      const array = trial.arrays[name] as Words | number;
      const words = typeof array === "number" ? new Uint32Array(Math.ceil(array / 4)) : array;
      this.#gpu.device.queue.writeBuffer(this.#bufferOf(name, 0), 0, words);
    }
  }

  #bufferOf(name: string, copy: number): GPUBuffer {
    const made = this.#buffers.get(name) ?? [];
    const buffer = made[copy % Math.max(1, made.length)];
    if (!buffer) throw new RidgepointError("gpu-validation", `${this.trial.role}: expected an array "${name}", there is none`);
    return buffer;
  }
}
