/** Plays passes on the device: writes plans, encodes the recorded dispatches, reads answers back. Knows rows, not decoders. */
import { ensure } from "../errors";
import { READBACK } from "../gpu/buffers";
import type { Gpu } from "../gpu/device";
import { type PassFiller, timePasses } from "../gpu/timestamps";
import { ANSWER_BYTES } from "../kernels/answer";
import type { Dispatch } from "../kernels/dispatch";
import type { ModelConfig } from "./config";
import { Forward } from "./forward";
import { KeptLogits } from "./kept-logits";
import { type Answer, extentOf, GREEDY, type Pass, type Row, type Sampling } from "./pass";
import { Readback } from "./readback";
import { type Recorded, Recorder } from "./recorder";
import { freeScratch, type Scratch } from "./scratch";
import type { ModelWeights } from "./weights";

/** What a pass did: its answers, and the dispatches it was. */
export interface PassResult {
  readonly answers: readonly Answer[];
  readonly dispatches: readonly Dispatch[];
  /** Only in a timed run. GPU ns of the pass ("step") or of each dispatch ("trace"). */
  readonly passNs?: number;
  readonly dispatchNs?: readonly number[];
  /** Only in a "step" run: the plans of its submit, which the dispatches read when they are repeated ({@link Engine.restorePlans}). */
  readonly plans?: Uint32Array<ArrayBuffer>;
}

/** How runs are timed: not at all, by two timestamps a forward, or with one compute pass a dispatch, which perturbs. */
export type Timing = "off" | "step" | "trace";

/** Counts since the engine was made. */
export interface EngineCounts {
  submits: number;
  /** Times that the host waited for answers. */
  readbacks: number;
  /** Bytes of answers that came back. */
  bytesRead: number;
  dispatches: number;
}

/** A bias list as `bias.wgsl` reads it. */
function biasWords(list: readonly (readonly [number, number])[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(2 * list.length);
  const floats = new Float32Array(words.buffer);
  for (const [i, [id, value]] of list.entries()) {
    words[2 * i] = id;
    floats[2 * i + 1] = value;
  }
  return words;
}

const encode = (pass: GPUComputePassEncoder, plans: GPUBindGroup, list: readonly Dispatch[]): void => {
  for (const { pipeline, bindGroup, planOffset, grid } of list) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.setBindGroup(1, plans, [planOffset]);
    pass.dispatchWorkgroups(...grid);
  }
};

/** As much of an engine as runs passes: the engine itself, or one lane of a batch. */
export interface Player {
  readonly counts: EngineCounts;
  /** Rows of the cache and places of the canvas. */
  readonly slots: number;
  /** Most rows of one pass. */
  readonly maxRows: number;
  /** Writes tokens into the canvas at a place. */
  writeCanvas(place: number, tokens: readonly number[]): void;
  /** Starts a run of random draws anew, so that a seed reproduces a generation. */
  resetDraws(): void;
  /** Runs passes in order and gives their results. */
  run(passes: readonly Pass[], sampling: Sampling, maskId: number): Promise<PassResult[]>;
}

export class Engine implements Player {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly counts: EngineCounts = { submits: 0, readbacks: 0, bytesRead: 0, dispatches: 0 };
  timing: Timing = "off";
  readonly #weights: ModelWeights;
  readonly #scratch: Scratch;
  readonly #forward: Forward;
  readonly #plans: GPUBindGroup;
  readonly #kept: KeptLogits;
  readonly #recorder: Recorder;
  readonly #readback: Readback;

  private constructor(
    gpu: Gpu,
    config: ModelConfig,
    weights: ModelWeights,
    scratch: Scratch,
    forward: Forward,
    staging: GPUBuffer,
  ) {
    this.gpu = gpu;
    this.config = config;
    this.#weights = weights;
    this.#scratch = scratch;
    this.#forward = forward;
    this.#readback = new Readback(gpu, scratch, staging, this.counts);
    this.#kept = new KeptLogits(gpu, config.vocabSize, scratch);
    this.#recorder = new Recorder(forward, this.#kept, scratch);
    this.#plans = gpu.device.createBindGroup({
      label: "plans",
      layout: gpu.pipelines.planLayout,
      entries: [{ binding: 0, resource: { buffer: scratch.buffers.plans, offset: 0, size: scratch.windowBytes } }],
    });
  }

  static async create(gpu: Gpu, config: ModelConfig, weights: ModelWeights, scratch: Scratch): Promise<Engine> {
    const forward = await Forward.create(gpu, config, weights, scratch);
    const staging = await gpu.buffers.create("staging", scratch.capacity.answers * ANSWER_BYTES, READBACK);
    return new Engine(gpu, config, weights, scratch, forward, staging);
  }

  /** Rows of the cache and places of the canvas. */
  get slots(): number {
    return this.#scratch.capacity.slots;
  }

  /** Most rows of one pass. */
  get maxRows(): number {
    return this.#scratch.capacity.rows;
  }

  /** The key and value caches, one buffer a layer, for tests and for hashing. */
  get cache(): { readonly keys: readonly GPUBuffer[]; readonly values: readonly GPUBuffer[] } {
    return { keys: this.#scratch.keys, values: this.#scratch.values };
  }

  /** Writes tokens into the canvas at a place. */
  writeCanvas(place: number, tokens: readonly number[]): void {
    if (tokens.length === 0) return;
    ensure(place + tokens.length <= this.slots, "context-overflow", () => this.#overflow(place + tokens.length));
    this.gpu.device.queue.writeBuffer(this.#scratch.buffers.canvas, place * 4, Uint32Array.from(tokens));
  }

  #overflow(length: number): string {
    return `context: ${length} positions are needed, ${this.slots} are allocated; shorten the prompt or genLength, or load with a larger contextLength`;
  }

  /** Starts a run of random draws anew, so that a seed reproduces a generation. */
  resetDraws(): void {
    this.#recorder.draw = 0;
  }

  /**
   * Runs passes in order, in one submit, and reads their answers back in one copy.
   * @param maskId id that marks an unknown place of the canvas: only these are revealed
   */
  async run(passes: readonly Pass[], sampling: Sampling = GREEDY, maskId = 0xffffffff): Promise<PassResult[]> {
    const { queue } = this.gpu.device;
    const { suppress, biases, allowed, plans } = this.#scratch.buffers;
    await this.#kept.reserve(passes);
    this.#recorder.clear();
    const recorded = passes.map((pass) => this.#recorder.record(pass, { sampling, maskId }));
    if (sampling.suppress.length > 0) queue.writeBuffer(suppress, 0, Uint32Array.from(sampling.suppress));
    if (sampling.bias?.length) queue.writeBuffer(biases, 0, biasWords(sampling.bias));
    const bitmaps = passes.flatMap((pass) => (pass.allowed ? [pass.allowed] : []));
    const alone = bitmaps.length === 0 || passes.length === 1;
    ensure(alone, "bad-option", "a pass with a bitmap of allowed ids is a submit of its own");
    for (const bitmap of bitmaps) queue.writeBuffer(allowed, 0, bitmap);
    queue.writeBuffer(plans, 0, this.#recorder.words, 0, this.#recorder.bytes / 4);
    const kept = this.timing === "step" ? { plans: this.#recorder.words.slice(0, this.#recorder.bytes / 4) } : {};
    const timed = await this.#play(recorded);
    const answers = await this.#readback.read(recorded, sampling.tops ?? 0);
    return recorded.map(({ dispatches }, i) => ({ answers: answers[i] as Answer[], dispatches, ...timed[i], ...kept }));
  }

  /**
   * Logits of every row that has a goal, f32 [goals, vocabSize] in row order, nothing suppressed. Copies them all to the host: for tests and `logits`.
   */
  async logits(rows: readonly Row[]): Promise<Float32Array> {
    this.#recorder.checkRows(rows.length);
    const { device } = this.gpu;
    const { vocabSize } = this.config;
    const sources = rows.flatMap(({ goal }, i) => (goal === null ? [] : [i]));
    const logits = new Float32Array(sources.length * vocabSize);
    let done = 0;
    for (const chunk of this.#recorder.chunks(sources)) {
      // The body's states stay in `hidden` between chunks: only the first chunk computes them.
      const headAt = this.#recorder.logitsPlans(rows, chunk, { sampling: GREEDY, maskId: 0xffffffff });
      device.queue.writeBuffer(this.#scratch.buffers.plans, 0, this.#recorder.words, 0, this.#recorder.bytes / 4);
      const body = done === 0 ? this.#forward.recordBody(extentOf(rows), 0) : [];
      this.#submit([...body, ...this.#forward.recordLogits(chunk.length, headAt)]);
      const bytes = await this.gpu.read(this.#scratch.buffers.logits, 0, chunk.length * vocabSize * 4);
      logits.set(new Float32Array(bytes), done * vocabSize);
      done += chunk.length;
    }
    return logits;
  }

  /** The dispatches that a pass would be, without running it: what the cost model and the tests of counts read. */
  record(pass: Pass, sampling: Sampling = GREEDY): readonly Dispatch[] {
    const { draw } = this.#recorder;
    this.#recorder.clear();
    const { dispatches } = this.#recorder.record(pass, { sampling, maskId: 0xffffffff });
    this.#recorder.draw = draw;
    return dispatches;
  }

  /** Puts the plans of an earlier submit back where its dispatches read them: how many rows they compute, what these attend to. */
  restorePlans(plans: Uint32Array<ArrayBuffer>): void {
    this.gpu.device.queue.writeBuffer(this.#scratch.buffers.plans, 0, plans);
  }

  /** Fills a pass with `count` dispatches of a list, round and round. Their plans must be there; what state they leave is garbage. */
  repeat(dispatches: readonly Dispatch[], count: number): PassFiller {
    const list = Array.from({ length: count }, (_, i) => dispatches[i % dispatches.length] as Dispatch);
    return (pass) => encode(pass, this.#plans, list);
  }

  #submit(dispatches: readonly Dispatch[]): void {
    const encoder = this.gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass, this.#plans, dispatches);
    pass.end();
    this.gpu.device.queue.submit([encoder.finish()]);
    this.counts.submits++;
    this.counts.dispatches += dispatches.length;
  }

  /** Encodes and submits, answers copied for the host; what a timed run measured comes back, pass by pass. */
  async #play(recorded: readonly Recorded[]): Promise<Pick<PassResult, "passNs" | "dispatchNs">[]> {
    const { device } = this.gpu;
    const lists = recorded.map(({ dispatches }) => dispatches);
    this.counts.submits++;
    this.counts.dispatches += lists.reduce((sum, list) => sum + list.length, 0);
    const timed = await this.#time(lists);
    const encoder = device.createCommandEncoder();
    if (!timed) {
      for (const list of lists) {
        const pass = encoder.beginComputePass();
        encode(pass, this.#plans, list);
        pass.end();
      }
    }
    this.#readback.copy(encoder, recorded);
    device.queue.submit([encoder.finish()]);
    return timed ?? lists.map(() => ({}));
  }

  /** Runs the lists with timestamps, or returns null where none are wanted. */
  async #time(lists: readonly (readonly Dispatch[])[]): Promise<Pick<PassResult, "passNs" | "dispatchNs">[] | null> {
    if (this.timing === "off") return null;
    const fill = (list: readonly Dispatch[]) => (pass: GPUComputePassEncoder) => encode(pass, this.#plans, list);
    if (this.timing === "step") return (await timePasses(this.gpu, lists.map(fill))).map((passNs) => ({ passNs }));
    const times = await timePasses(
      this.gpu,
      lists.flat().map((dispatch) => fill([dispatch])),
    );
    let at = 0;
    return lists.map(({ length }) => {
      at += length;
      return { dispatchNs: times.slice(at - length, at) };
    });
  }

  /** Frees weights, cache and activations; the device stays open. */
  dispose(): void {
    for (const buffer of this.#weights.buffers) this.gpu.buffers.destroy(buffer);
    this.#readback.dispose();
    this.#kept.dispose();
    freeScratch(this.gpu, this.#scratch);
  }
}
