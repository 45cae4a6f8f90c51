/** Plays passes on the device: writes plans, encodes the recorded dispatches, reads answers back. Knows rows, not decoders. */
import { ensure, RidgepointError } from "../errors";
import { READBACK } from "../gpu/buffers";
import type { Gpu } from "../gpu/device";
import { timePasses } from "../gpu/timestamps";
import { ANSWER_BYTES } from "../kernels/answer";
import type { Dispatch } from "../kernels/dispatch";
import type { ModelConfig } from "./config";
import { Forward } from "./forward";
import { type Answer, extentOf, GREEDY, type Pass, planBytes, type Row, readAnswers, type Sampling, writePlan } from "./pass";
import { freeScratch, type Scratch } from "./scratch";
import type { ModelWeights } from "./weights";

/** What a pass did: its answers, and the dispatches it was. */
export interface PassResult {
  readonly answers: readonly Answer[];
  readonly dispatches: readonly Dispatch[];
  /** Only in a timed run. GPU ns of the pass ("step") or of each dispatch ("trace"). */
  readonly passNs?: number;
  readonly dispatchNs?: readonly number[];
}

/** How runs are timed: not at all, by two timestamps a forward, or with one compute pass a dispatch, which perturbs. */
export type Timing = "off" | "step" | "trace";

/** Counts since the engine was made. */
export interface EngineCounts {
  submits: number;
  readbacks: number;
  dispatches: number;
}

/** A pass, recorded: where its answers and its dispatches are. */
interface Recorded {
  readonly dispatches: Dispatch[];
  readonly firstAnswer: number;
  readonly answers: number;
}

const encode = (pass: GPUComputePassEncoder, plans: GPUBindGroup, list: readonly Dispatch[]): void => {
  for (const { pipeline, bindGroup, planOffset, grid } of list) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.setBindGroup(1, plans, [planOffset]);
    pass.dispatchWorkgroups(...grid);
  }
};

export class Engine {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly counts: EngineCounts = { submits: 0, readbacks: 0, dispatches: 0 };
  timing: Timing = "off";
  readonly #weights: ModelWeights;
  readonly #scratch: Scratch;
  readonly #forward: Forward;
  readonly #plans: GPUBindGroup;
  readonly #arena: Uint32Array<ArrayBuffer>;
  readonly #staging: GPUBuffer;
  #draw = 0;

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
    this.#staging = staging;
    this.#arena = new Uint32Array(scratch.arenaBytes / 4);
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
    this.#draw = 0;
  }

  /**
   * Runs passes in order, in one submit, and reads their answers back in one copy.
   * @param maskId id that marks an unknown place of the canvas: only these are revealed
   */
  async run(passes: readonly Pass[], sampling: Sampling = GREEDY, maskId = 0xffffffff): Promise<PassResult[]> {
    const { device } = this.gpu;
    let arenaAt = 0;
    let answerAt = 0;
    const place = (rows: readonly Row[], sources: readonly number[] | null, pass: Pass, first: number): number => {
      const bytes = planBytes(rows.length);
      ensure(arenaAt + bytes <= this.#scratch.arenaBytes, "bad-option", "too many passes in one submit");
      writePlan(this.#arena, arenaAt, rows, sources, {
        reveal: pass.reveal,
        sampling,
        header: { first, maskId, draw: this.#draw },
      });
      arenaAt += bytes;
      return arenaAt - bytes;
    };
    const recorded = passes.map((pass): Recorded => {
      ensure(pass.rows.length > 0 && pass.rows.length <= this.maxRows, "context-overflow", () =>
        this.#tooManyRows(pass.rows.length),
      );
      const firstAnswer = answerAt;
      const dispatches = this.#forward.recordBody(extentOf(pass.rows), place(pass.rows, null, pass, 0));
      const sources = pass.rows.flatMap(({ goal }, i) => (goal === null ? [] : [i]));
      ensure(answerAt + sources.length <= this.#scratch.capacity.answers, "bad-option", "too many answers in one submit");
      const filtered = sampling.temperature > 0 && (sampling.topK > 0 || sampling.topP < 1 || sampling.minP > 0);
      for (const chunk of this.#chunks(sources)) {
        const rows = chunk.map((i) => pass.rows[i] as Row);
        const offset = place(rows, chunk, pass, answerAt);
        dispatches.push(...this.#forward.recordLogits(chunk.length, offset));
        dispatches.push(...this.#forward.recordAnswers(chunk.length, offset, { suppressed: sampling.suppress.length, filtered }));
        answerAt += chunk.length;
      }
      if (pass.reveal.rule !== "none" && sources.length > 0) {
        const rows = sources.map((i) => pass.rows[i] as Row);
        dispatches.push(...this.#forward.recordReveal(sources.length, place(rows, sources, pass, firstAnswer)));
      }
      this.#draw++;
      return { dispatches, firstAnswer, answers: sources.length };
    });
    if (sampling.suppress.length > 0) {
      device.queue.writeBuffer(this.#scratch.buffers.suppress, 0, Uint32Array.from(sampling.suppress));
    }
    device.queue.writeBuffer(this.#scratch.buffers.plans, 0, this.#arena, 0, arenaAt / 4);
    const timed = await this.#play(recorded);
    const bytes = await this.#readAnswers(answerAt);
    return recorded.map(({ dispatches, firstAnswer, answers }, i) => ({
      answers: readAnswers(bytes, firstAnswer, answers),
      dispatches,
      ...timed[i],
    }));
  }

  /**
   * Logits of every row that has a goal, f32 [goals, vocabSize] in row order, nothing suppressed. Copies them all to the host: for tests and `logits`.
   */
  async logits(rows: readonly Row[]): Promise<Float32Array> {
    ensure(rows.length > 0 && rows.length <= this.maxRows, "context-overflow", () => this.#tooManyRows(rows.length));
    const { device } = this.gpu;
    const { vocabSize } = this.config;
    const pass: Pass = { rows, reveal: { rule: "none" } };
    const options = { reveal: pass.reveal, sampling: GREEDY, header: { first: 0, maskId: 0xffffffff, draw: 0 } };
    const sources = rows.flatMap(({ goal }, i) => (goal === null ? [] : [i]));
    const logits = new Float32Array(sources.length * vocabSize);
    let done = 0;
    for (const chunk of this.#chunks(sources)) {
      // The body's states stay in `hidden` between chunks: only the first chunk computes them.
      const headAt = planBytes(rows.length);
      writePlan(this.#arena, 0, rows, null, options);
      writePlan(
        this.#arena,
        headAt,
        chunk.map((i) => rows[i] as Row),
        chunk,
        options,
      );
      device.queue.writeBuffer(this.#scratch.buffers.plans, 0, this.#arena, 0, (headAt + planBytes(chunk.length)) / 4);
      const body = done === 0 ? this.#forward.recordBody(extentOf(rows), 0) : [];
      this.#submit([...body, ...this.#forward.recordLogits(chunk.length, headAt)]);
      const bytes = await this.gpu.read(this.#scratch.buffers.logits, 0, chunk.length * vocabSize * 4);
      logits.set(new Float32Array(bytes), done * vocabSize);
      done += chunk.length;
    }
    return logits;
  }

  /** The dispatches that passes would be, without running them (cost model, snapshot tests). */
  record(passes: readonly Pass[]): Dispatch[] {
    return passes.flatMap(({ rows, reveal }) => {
      const emitted = rows.filter(({ goal }) => goal !== null).length;
      const list = this.#forward.recordBody(extentOf(rows), 0);
      for (const { length } of this.#chunks(Array.from({ length: emitted }, (_, i) => i))) {
        list.push(
          ...this.#forward.recordLogits(length, 0),
          ...this.#forward.recordAnswers(length, 0, { suppressed: 0, filtered: false }),
        );
      }
      if (reveal.rule !== "none" && emitted > 0) list.push(...this.#forward.recordReveal(emitted, 0));
      return list;
    });
  }

  /** ns of one call of each dispatch, by the difference of two repeat counts in one pass: what state it leaves is garbage. */
  async timeKernels(dispatches: readonly Dispatch[]): Promise<number[]> {
    const repeat = (dispatch: Dispatch, count: number) => (pass: GPUComputePassEncoder) => {
      for (let i = 0; i < count; i++) encode(pass, this.#plans, [dispatch]);
    };
    const times: number[] = [];
    for (const dispatch of dispatches) {
      const [once = 0] = await timePasses(this.gpu, [repeat(dispatch, 1)]);
      const resolvable = 100 * (this.gpu.profile.timestampQuantumNs ?? 100_000);
      const few = Math.max(1, Math.min(64, Math.ceil(Math.min(resolvable, 2e7) / Math.max(once, 1000))));
      const samples: number[] = [];
      for (let round = 0; round < 3; round++) {
        const [short = 0, long = 0] = await timePasses(this.gpu, [repeat(dispatch, few), repeat(dispatch, few * 3)]);
        samples.push((long - short) / (few * 2));
      }
      times.push(samples.sort((a, b) => a - b)[1] as number);
    }
    return times;
  }

  #tooManyRows(rows: number): string {
    return `a pass of ${rows} rows: expected 1 to ${this.maxRows}; load with a larger contextLength, or shorten the canvas`;
  }

  #chunks(sources: readonly number[]): number[][] {
    const size = this.#scratch.capacity.logits;
    return Array.from({ length: Math.ceil(sources.length / size) }, (_, i) => sources.slice(i * size, (i + 1) * size));
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

  /** Encodes and submits; what a timed run measured comes back, pass by pass. */
  async #play(recorded: readonly Recorded[]): Promise<Pick<PassResult, "passNs" | "dispatchNs">[]> {
    if (this.timing === "off") {
      const encoder = this.gpu.device.createCommandEncoder();
      for (const { dispatches } of recorded) {
        const pass = encoder.beginComputePass();
        encode(pass, this.#plans, dispatches);
        pass.end();
        this.counts.dispatches += dispatches.length;
      }
      this.gpu.device.queue.submit([encoder.finish()]);
      this.counts.submits++;
      return recorded.map(() => ({}));
    }
    this.counts.submits++;
    for (const { dispatches } of recorded) this.counts.dispatches += dispatches.length;
    if (this.timing === "step") {
      const times = await timePasses(
        this.gpu,
        recorded.map(
          ({ dispatches }) =>
            (pass) =>
              encode(pass, this.#plans, dispatches),
        ),
      );
      return times.map((passNs) => ({ passNs }));
    }
    const all = recorded.flatMap(({ dispatches }) => dispatches);
    const times = await timePasses(
      this.gpu,
      all.map((dispatch) => (pass) => encode(pass, this.#plans, [dispatch])),
    );
    let at = 0;
    return recorded.map(({ dispatches }) => {
      at += dispatches.length;
      return { dispatchNs: times.slice(at - dispatches.length, at) };
    });
  }

  async #readAnswers(count: number): Promise<ArrayBuffer> {
    if (count === 0) return new ArrayBuffer(0);
    const { device } = this.gpu;
    const bytes = count * ANSWER_BYTES;
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.#scratch.buffers.answers, 0, this.#staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    try {
      await this.#staging.mapAsync(GPUMapMode.READ, 0, bytes);
      this.counts.readbacks++;
      const copy = this.#staging.getMappedRange(0, bytes).slice(0);
      this.#staging.unmap();
      this.gpu.check();
      return copy;
    } catch (cause) {
      this.gpu.check();
      throw new RidgepointError("device-lost", `answers could not be read back: ${String(cause)}`, { cause });
    }
  }

  /** Frees weights, cache and activations; the device stays open. */
  dispose(): void {
    for (const buffer of this.#weights.buffers) this.gpu.buffers.destroy(buffer);
    this.gpu.buffers.destroy(this.#staging);
    freeScratch(this.gpu, this.#scratch);
  }
}
