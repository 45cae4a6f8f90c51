/** Answers on their way to the host: which stretches are copied, what is read out of them. Knows no passes beyond what was recorded of them. */
import { RidgepointError } from "../errors";
import type { Gpu } from "../gpu/device";
import { ANSWER_BYTES, MOST_TOPS } from "../kernels/answer";
import type { EngineCounts } from "./engine";
import { type Answer, readAnswers, readTop, type TopToken, takenOf } from "./pass";
import type { Recorded, Stretch } from "./recorder";
import type { Scratch } from "./scratch";

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

  /** Waits for the copies; gives the answers of each pass, with so many of the most probable tokens beside each. */
  async read(recorded: readonly Recorded[], tops: number): Promise<Answer[][]> {
    const bytes = await this.#map(recorded.flatMap(({ stretches }) => stretches));
    const topOf = await this.#tops(recorded, tops);
    const results: Answer[][] = [];
    let at = 0;
    for (const record of recorded) {
      const answers: Answer[] = [];
      for (const stretch of record.stretches) {
        answers.push(...(await this.#answersOf(stretch, bytes, at, record)));
        at += stretch.count;
      }
      results.push(topOf ? answers.map((answer) => ({ ...answer, top: topOf(record.indexOf(answer.goal)) })) : answers);
    }
    return results;
  }

  dispose(): void {
    this.#gpu.buffers.destroy(this.#staging);
  }

  /** Answers of a stretch that came back at `at`; where more were revealed than there was room for, all are fetched. */
  async #answersOf(stretch: Stretch, bytes: ArrayBuffer, at: number, { probed }: Recorded): Promise<Answer[]> {
    const { count, chosen } = stretch;
    if (!chosen) return readAnswers(bytes, at, count, probed);
    const taken = takenOf(bytes, at);
    if (taken <= count) return readAnswers(bytes, at, taken);
    const all: Stretch = { from: "answers", ...chosen };
    const encoder = this.#gpu.device.createCommandEncoder();
    this.#copy(encoder, [all]);
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.#counts.submits++;
    return readAnswers(await this.#map([all]), 0, chosen.count).filter(({ revealed }) => revealed);
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
