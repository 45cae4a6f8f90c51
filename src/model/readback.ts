/** Answers on their way to the host: which of them are copied, what is read out of them. Knows no passes beyond what was recorded of them. */
import { RidgepointError } from "../errors";
import type { Gpu } from "../gpu/device";
import { ANSWER_BYTES, MOST_TOPS, REPORT_BYTES } from "../kernels/answer";
import type { EngineCounts } from "./engine";
import { type Answer, readAnswers, readReports, readTop, type TopToken } from "./pass";
import type { Recorded } from "./recorder";
import type { Scratch } from "./scratch";

/** A range of bytes of a buffer. */
interface Copied {
  readonly from: "taken" | "reports" | "answers";
  readonly at: number;
  readonly size: number;
}

/** What is read of a submit: how many each reveal took, then their reports, then all answers of the passes whose answers are wanted whole. */
interface Layout {
  readonly reveals: number;
  /** Reports that are copied without being asked for. */
  readonly room: number;
  readonly copies: readonly Copied[];
}

function layoutOf(recorded: readonly Recorded[]): Layout {
  const sum = (of: (pass: Recorded) => number): number => recorded.reduce((total, pass) => total + of(pass), 0);
  const reveals = sum((pass) => pass.reveals);
  const reporting = recorded.filter((pass) => pass.reveals > 0);
  // A place is revealed once, however many passes of a submit ask for it.
  const places = new Set(reporting.flatMap(({ goals }) => goals)).size;
  const room = Math.min(
    places,
    sum((pass) => pass.room),
  );
  const copies: Copied[] = [
    { from: "taken", at: 0, size: 4 * reveals },
    { from: "reports", at: 0, size: REPORT_BYTES * room },
  ];
  for (const { whole, answers } of recorded)
    if (whole) copies.push({ from: "answers", at: ANSWER_BYTES * answers.first, size: ANSWER_BYTES * answers.count });
  return { reveals, room, copies: copies.filter(({ size }) => size > 0) };
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
    this.#copy(encoder, layoutOf(recorded).copies);
  }

  /**
   * Waits for the copies; gives the answers of each pass, with so many of the most probable tokens beside each. Where more was revealed than there was
   * room for, the other reports are fetched in one further copy.
   */
  async read(recorded: readonly Recorded[], tops: number): Promise<Answer[][]> {
    const { reveals, room, copies } = layoutOf(recorded);
    const bytes = await this.#map(copies);
    const taken = new Uint32Array(bytes, 0, reveals);
    const total = taken.reduce((sum, count) => sum + count, 0);
    const reports = readReports(bytes, 4 * reveals, Math.min(room, total));
    if (total > room) reports.push(...(await this.#fetch(room, total)));
    const topOf = await this.#tops(recorded, tops);
    let reveal = 0;
    let offset = 4 * reveals + REPORT_BYTES * room;
    return recorded.map(({ whole, reveals: own, answers: { count }, probed, kept, indexOf }) => {
      let answers: Answer[];
      if (whole) {
        answers = readAnswers(bytes, offset, count, probed, kept);
        offset += ANSWER_BYTES * count;
      } else {
        const revealed = taken.subarray(reveal, reveal + own).reduce((sum, some) => sum + some, 0);
        answers = reports.splice(0, revealed);
      }
      reveal += own;
      return topOf ? answers.map((answer) => ({ ...answer, top: topOf(indexOf(answer.goal)) })) : answers;
    });
  }

  dispose(): void {
    this.#gpu.buffers.destroy(this.#staging);
  }

  /** Reports [from, to) of the last submit, in a submit of its own. */
  async #fetch(from: number, to: number): Promise<Answer[]> {
    const copies: Copied[] = [{ from: "reports", at: REPORT_BYTES * from, size: REPORT_BYTES * (to - from) }];
    const encoder = this.#gpu.device.createCommandEncoder();
    this.#copy(encoder, copies);
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.#counts.submits++;
    return readReports(await this.#map(copies), 0, to - from);
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

  #copy(encoder: GPUCommandEncoder, copies: readonly Copied[]): void {
    let to = 0;
    for (const { from, at, size } of copies) {
      encoder.copyBufferToBuffer(this.#scratch.buffers[from], at, this.#staging, to, size);
      to += size;
    }
  }

  async #map(copies: readonly Copied[]): Promise<ArrayBuffer> {
    const bytes = copies.reduce((sum, { size }) => sum + size, 0);
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
