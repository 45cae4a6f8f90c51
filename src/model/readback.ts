/** Answers on their way to the host: which stretches are copied, what is read out of them. Knows no passes beyond what was recorded of them. */
import { RidgepointError } from "../errors";
import type { Gpu } from "../gpu/device";
import { ANSWER_BYTES, MOST_TOPS } from "../kernels/answer";
import type { EngineCounts } from "./engine";
import { type Answer, readAnswers, readTop, type TopToken, takenOf } from "./pass";
import type { Recorded, Stretch } from "./recorder";
import type { Scratch } from "./scratch";

/** A stretch that came back. */
interface Read {
  readonly stretch: Stretch;
  readonly bytes: ArrayBuffer;
  /** Where it lies in the bytes, in answers. */
  readonly at: number;
  /** Answers that its reveal took: more than its count where there was no room. */
  readonly taken: number;
}

export class Readback {
  readonly #gpu: Gpu;
  readonly #scratch: Scratch;
  readonly #staging: GPUBuffer;
  readonly #counts: EngineCounts;

  /** @param staging mapped for the answers of a submit; freed with {@link dispose} */
  constructor(gpu: Gpu, scratch: Scratch, staging: GPUBuffer, counts: EngineCounts) {
    this.#gpu = gpu;
    this.#scratch = scratch;
    this.#staging = staging;
    this.#counts = counts;
  }

  /** Copies what a submit's passes report to where the host maps it, one behind the other. */
  copy(encoder: GPUCommandEncoder, recorded: readonly Recorded[]): void {
    this.#copy(
      encoder,
      recorded.flatMap(({ stretches }) => stretches),
    );
  }

  /**
   * Waits for the copies; gives the answers of each pass, with so many of the most probable tokens beside each. Where more was revealed than there was
   * room for, all answers of those reveals are fetched in one further copy.
   */
  async read(recorded: readonly Recorded[], tops: number): Promise<Answer[][]> {
    const read = await this.#stretches(recorded.flatMap(({ stretches }) => stretches));
    const full = read.flatMap(({ stretch: { count, chosen }, taken }) => (chosen && taken > count ? [chosen] : []));
    const fetched = await this.#fetch(full);
    const topOf = await this.#tops(recorded, tops);
    let next = 0;
    return recorded.map(({ stretches, probed, indexOf }) => {
      const answers = stretches.flatMap(({ count, chosen }): Answer[] => {
        const { bytes, at, taken } = read[next++] as Read;
        if (!chosen) return readAnswers(bytes, at, count, probed);
        if (taken <= count) return readAnswers(bytes, at, taken);
        const whole = fetched.shift() as Read;
        return readAnswers(whole.bytes, whole.at, chosen.count).filter(({ revealed }) => revealed);
      });
      return topOf ? answers.map((answer) => ({ ...answer, top: topOf(indexOf(answer.goal)) })) : answers;
    });
  }

  dispose(): void {
    this.#gpu.buffers.destroy(this.#staging);
  }

  /** What was copied of stretches lying one behind the other, and how many answers each reveal took. */
  async #stretches(stretches: readonly Stretch[]): Promise<Read[]> {
    const bytes = await this.#map(stretches);
    let end = 0;
    return stretches.map((stretch) => {
      const at = end;
      end += stretch.count;
      return { stretch, bytes, at, taken: stretch.chosen ? takenOf(bytes, at) : stretch.count };
    });
  }

  /** Every answer of reveals whose reports had no room, in a submit of its own. */
  async #fetch(chosen: readonly { readonly first: number; readonly count: number }[]): Promise<Read[]> {
    if (chosen.length === 0) return [];
    const stretches = chosen.map((range): Stretch => ({ from: "answers", ...range }));
    const encoder = this.#gpu.device.createCommandEncoder();
    this.#copy(encoder, stretches);
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.#counts.submits++;
    return this.#stretches(stretches);
  }

  /** The most probable tokens of every answer of a submit, by its index; null where none were asked for. */
  async #tops(recorded: readonly Recorded[], count: number): Promise<((index: number) => TopToken[]) | null> {
    const answers = recorded.reduce((end, { answers: { first, count: some } }) => Math.max(end, first + some), 0);
    if (count === 0 || answers === 0) return null;
    const size = answers * MOST_TOPS * 8;
    const bytes = await this.#gpu.read(this.#scratch.buffers.tops, 0, size);
    this.#counts.readbacks++;
    this.#counts.bytesRead += size;
    return (index) => readTop(bytes, index, count);
  }

  #copy(encoder: GPUCommandEncoder, stretches: readonly Stretch[]): void {
    let at = 0;
    for (const { from, first, count } of stretches) {
      const bytes = count * ANSWER_BYTES;
      encoder.copyBufferToBuffer(this.#scratch.buffers[from], first * ANSWER_BYTES, this.#staging, at, bytes);
      at += bytes;
    }
  }

  async #map(stretches: readonly Stretch[]): Promise<ArrayBuffer> {
    const bytes = stretches.reduce((sum, { count }) => sum + count, 0) * ANSWER_BYTES;
    if (bytes === 0) return new ArrayBuffer(0);
    try {
      await this.#staging.mapAsync(GPUMapMode.READ, 0, bytes);
      this.#counts.readbacks++;
      this.#counts.bytesRead += bytes;
      const copy = this.#staging.getMappedRange(0, bytes).slice(0);
      this.#staging.unmap();
      this.#gpu.check();
      return copy;
    } catch (cause) {
      this.#gpu.check();
      throw new RidgepointError("device-lost", `answers could not be read back: ${String(cause)}`, { cause });
    }
  }
}
