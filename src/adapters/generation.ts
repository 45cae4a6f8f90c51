/** What `generate` gives: a generation that is iterated for its steps and awaited for its result. */
import type { GenerationResult, Step } from "../decode/step";

/** A running generation: iterate it for steps, await `result`. Iterating is not needed: the result drives what is left. */
export class Generation implements AsyncIterable<Step> {
  readonly #run: AsyncGenerator<Step, GenerationResult, void>;
  readonly #waiting: IteratorResult<Step, void>[] = [];
  #result: Promise<GenerationResult> | null = null;
  #wake: (() => void)[] = [];

  constructor(run: AsyncGenerator<Step, GenerationResult, void>) {
    this.#run = run;
  }

  /** The result; rejects with what stopped the generation. */
  get result(): Promise<GenerationResult> {
    this.#result ??= this.#drive();
    return this.#result;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Step> {
    const result = this.result;
    result.catch(() => {});
    for (;;) {
      while (this.#waiting.length === 0) {
        await new Promise<void>((wake) => {
          this.#wake.push(wake);
        });
      }
      const next = this.#waiting[0] as IteratorResult<Step, void>;
      // The end stays, so that whoever iterates later or beside meets it too.
      if (next.done) break;
      this.#waiting.shift();
      yield next.value;
    }
    await result;
  }

  async #drive(): Promise<GenerationResult> {
    try {
      for (;;) {
        const next = await this.#run.next();
        if (next.done) return next.value;
        this.#push({ done: false, value: next.value });
      }
    } finally {
      this.#push({ done: true, value: undefined });
    }
  }

  #push(step: IteratorResult<Step, void>): void {
    this.#waiting.push(step);
    for (const wake of this.#wake.splice(0)) wake();
  }
}
