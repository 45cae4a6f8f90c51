/** What `generateBatch` gives: several generations that run together, each with its own steps, result and abort. */
import type { GenerationResult, Step } from "../decode/step";
import type { Lane } from "../model/batch";
import { Generation } from "./generation";

/** A step of one of the sequences. */
export interface BatchStep extends Step {
  /** Which prompt it belongs to. */
  readonly sequence: number;
}

export interface BatchRun {
  /** Aborts all sequences. */
  readonly signal?: AbortSignal | undefined;
  readonly start: (sequence: number, lane: Lane, signal: AbortSignal) => AsyncGenerator<Step, GenerationResult, void>;
  /** Runs when nothing else does on the model. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
}

export class BatchGeneration implements AsyncIterable<BatchStep> {
  readonly #generations: readonly Generation[];
  readonly #aborts: readonly AbortController[];
  readonly #inTurn: BatchRun["inTurn"];
  #open: () => void = () => {};
  #refuse: (cause: unknown) => void = () => {};
  readonly #opened: Promise<void>;
  #started = false;

  constructor(lanes: readonly Lane[], { signal, start, inTurn }: BatchRun) {
    this.#inTurn = inTurn;
    this.#opened = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#refuse = reject;
    });
    this.#opened.catch(() => {});
    this.#aborts = lanes.map(() => new AbortController());
    this.#generations = lanes.map((lane, i) => {
      const own = (this.#aborts[i] as AbortController).signal;
      const both = signal ? AbortSignal.any([signal, own]) : own;
      return new Generation(this.#lead(lane, () => start(i, lane, both)));
    });
  }

  /** Each sequence as a generation of its own, in the order of the prompts; all run from now on, whichever is awaited. */
  get sequences(): readonly Generation[] {
    this.#start();
    return this.#generations;
  }

  /** All results, in the order of the prompts; rejects with what stopped the first that failed. */
  get results(): Promise<GenerationResult[]> {
    return Promise.all(this.sequences.map(({ result }) => result));
  }

  /** Ends one sequence after the submit in flight, or all; their results say `abort`. */
  abort(sequence?: number): void {
    for (const [i, controller] of this.#aborts.entries()) if (sequence === undefined || i === sequence) controller.abort();
  }

  /** Steps of all sequences as they come. */
  async *[Symbol.asyncIterator](): AsyncIterator<BatchStep> {
    const iterators = this.sequences.map((generation) => generation[Symbol.asyncIterator]());
    const next = async (sequence: number) => ({ sequence, came: await (iterators[sequence] as AsyncIterator<Step>).next() });
    const pending = new Map(iterators.map((_, sequence) => [sequence, next(sequence)]));
    while (pending.size > 0) {
      const { sequence, came } = await Promise.race(pending.values());
      if (came.done) pending.delete(sequence);
      else {
        pending.set(sequence, next(sequence));
        yield { ...came.value, sequence };
      }
    }
  }

  /** A sequence waits for the model's turn; when it ends, however it ends, the others do not wait for it. */
  async *#lead(lane: Lane, begin: () => AsyncGenerator<Step, GenerationResult, void>) {
    try {
      await this.#opened;
      return yield* begin();
    } finally {
      lane.leave();
    }
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    const results = this.#generations.map(({ result }) => result);
    this.#inTurn(async () => {
      this.#open();
      await Promise.allSettled(results);
    }).catch((cause) => this.#refuse(cause));
  }
}
