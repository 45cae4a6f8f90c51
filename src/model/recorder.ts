/** Passes to dispatches: plans go into one arena, one behind the other, and the list of kernels that reads them comes out. Runs nothing. */
import { ensure } from "../errors";
import { type PastTokens, revealCapacity } from "../kernels/answer";
import type { Dispatch } from "../kernels/dispatch";
import type { Forward } from "./forward";
import type { KeptLogits } from "./kept-logits";
import {
  extentOf,
  type Group,
  type Pass,
  type PlanHeader,
  planBytes,
  type Reveal,
  type Row,
  type Sampling,
  writePlan,
} from "./pass";
import type { Scratch } from "./scratch";

/** A pass, recorded. */
export interface Recorded {
  readonly dispatches: Dispatch[];
  /** Whether all its answers come back, or what its reveals report. */
  readonly whole: boolean;
  /** Reveals that report, and how many answers they surely take, or are likely to. */
  readonly reveals: number;
  readonly room: number;
  /** Canvas places that it answers. */
  readonly goals: readonly number[];
  /** Where its answers lie on the device, and the index there of the one for a goal. */
  readonly answers: { readonly first: number; readonly count: number };
  readonly indexOf: (goal: number) => number;
  /** Whether the answer to row i with a goal was asked for a probe. */
  readonly probed: (i: number) => boolean;
  /** Whether it kept its logits. */
  readonly kept: (i: number) => boolean;
}

/** What all passes of a submit share. */
export interface Submit {
  readonly sampling: Sampling;
  /** Marks a place of the canvas that may be revealed. */
  readonly maskId: number;
}

/** Answers that a rule is taken to reveal whose number is not known beforehand: what is beyond is read in a second copy. */
const LIKELY_REPORTS = 4;

/** How many answers a rule surely takes, or is likely to. */
function roomFor(reveal: Reveal, answers: number, likely = LIKELY_REPORTS): number {
  if (reveal.rule === "all") return answers;
  const count = "count" in reveal ? reveal.count : 0;
  const surely = reveal.rule === "count" || reveal.rule === "sequential";
  return Math.max(1, Math.min(answers, surely ? count : Math.max(count, likely)));
}

export class Recorder {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly #forward: Forward;
  readonly #kept: KeptLogits;
  readonly #scratch: Scratch;
  #bytes = 0;
  #answers = 0;
  #reveals = 0;
  /** Forwards since draws began anew. */
  draw = 0;

  constructor(forward: Forward, kept: KeptLogits, scratch: Scratch) {
    this.#forward = forward;
    this.#kept = kept;
    this.#scratch = scratch;
    this.words = new Uint32Array(scratch.arenaBytes / 4);
  }

  /** Bytes of the plans since the arena was cleared. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Begins a submit. */
  clear(): void {
    this.#bytes = 0;
    this.#answers = 0;
    this.#reveals = 0;
  }

  /** Writes a pass's plans behind those already there and lists its dispatches. */
  record(pass: Pass, submit: Submit): Recorded {
    const { rows, reveal, guidance, report = "all" } = pass;
    this.checkRows(rows.length);
    const place = (planned: readonly Row[], sources: readonly number[] | null, header: Partial<PlanHeader>, rule = reveal) =>
      this.#place(planned, sources, { ...pass, ...submit, reveal: rule, header });
    const dispatches = this.#forward.recordBody(extentOf(rows), place(rows, null, {}));
    const twin = guidance ? rows.length / 2 : 0;
    const answering = guidance ? rows.slice(0, twin) : rows;
    const sources = answering.flatMap(({ goal }, i) => (goal === null ? [] : [i]));
    const groups = groupsOf(pass, sources.length);
    const ranking = groups.find((group) => "metric" in group.reveal)?.reveal;
    const first = this.#answers;
    const { sampling } = submit;
    const filtered = sampling.temperature > 0 && (sampling.topK > 0 || sampling.topP < 1 || sampling.minP > 0);
    const options = {
      suppressed: sampling.suppress.length,
      filtered,
      guided: guidance !== undefined,
      biased: sampling.bias?.length ?? 0,
      penalized: sampling.penalties === undefined ? null : pastOf(rowsAt(rows, sources)),
      constrained: pass.allowed !== undefined,
      topped: (sampling.tops ?? 0) > 0,
    };
    for (const chunk of this.chunks(sources, guidance ? 2 : 1)) {
      const hidden = guidance ? [...chunk, ...chunk.map((i) => i + twin)] : chunk;
      const offset = place(rowsAt(rows, hidden), hidden, { first: this.#answers }, ranking);
      dispatches.push(...this.#forward.recordLogits(hidden.length, offset));
      dispatches.push(...this.#forward.recordAnswers(chunk.length, offset, options));
      if (rows.some(({ kept }) => kept)) dispatches.push(this.#kept.record(chunk.length, offset));
      this.#answers += chunk.length;
    }
    ensure(this.#answers <= this.#scratch.capacity.answers, "bad-option", "too many answers in one submit");
    const whole = report === "all";
    const reveals = this.#reveals;
    let room = 0;
    let done = 0;
    for (const group of groups) {
      const { answers, reveal: rule } = group;
      const own = sources.slice(done, done + answers);
      const chosen = first + done;
      done += answers;
      if (rule.rule === "none" || answers === 0) continue;
      const most = revealCapacity(this.#scratch.capacity.rows);
      ensure(answers <= most, "bad-option", () => `a reveal ranks at most ${most} answers, came ${answers}; use shorter blocks`);
      const header = { first: chosen, guard: group.guard, report: whole ? undefined : this.#reveals++ };
      if (!whole) room += roomFor(rule, answers, group.likely ?? pass.likely);
      dispatches.push(...this.#forward.recordReveal(answers, place(rowsAt(rows, own), own, header, rule)));
    }
    this.draw++;
    const goals = new Map(sources.map((i, order) => [rows[i]?.goal as number, first + order]));
    return {
      dispatches,
      whole,
      reveals: this.#reveals - reveals,
      room,
      goals: [...goals.keys()],
      answers: { first, count: sources.length },
      indexOf: (goal) => goals.get(goal) as number,
      probed: (i) => rows[sources[i] as number]?.probe !== undefined,
      kept: (i) => rows[sources[i] as number]?.kept !== undefined,
    };
  }

  /** Writes the plans of a pass's body and of one piece of its head. Gives the head's offset. */
  logitsPlans(rows: readonly Row[], chunk: readonly number[], submit: Submit): number {
    this.clear();
    this.#place(rows, null, { ...submit, reveal: { rule: "none" }, header: {} });
    return this.#place(rowsAt(rows, chunk), chunk, { ...submit, reveal: { rule: "none" }, header: {} });
  }

  /** Rows that the head computes at a time, each taking `share` rows of logits. */
  chunks(sources: readonly number[], share = 1): number[][] {
    const size = Math.floor(this.#scratch.capacity.logits / share);
    return Array.from({ length: Math.ceil(sources.length / size) }, (_, i) => sources.slice(i * size, (i + 1) * size));
  }

  /** @throws `context-overflow` */
  checkRows(rows: number): void {
    const most = this.#scratch.capacity.rows;
    ensure(
      rows > 0 && rows <= most,
      "context-overflow",
      () => `a pass of ${rows} rows: expected 1 to ${most}; load with a larger contextLength, or shorten the canvas`,
    );
  }

  #place(
    rows: readonly Row[],
    sources: readonly number[] | null,
    { header, maskId, draw, ...plan }: Submit & Pick<Pass, "reveal" | "guidance" | "draw"> & { header: Partial<PlanHeader> },
  ): number {
    const offset = this.#bytes;
    this.#bytes += planBytes(rows.length);
    ensure(this.#bytes <= this.#scratch.arenaBytes, "bad-option", "too many passes in one submit");
    writePlan(this.words, offset, rows, sources, { ...plan, header: { first: 0, draw: draw ?? this.draw, ...header, maskId } });
    return offset;
  }
}

const rowsAt = (rows: readonly Row[], indices: readonly number[]): Row[] => indices.map((i) => rows[i] as Row);

/** What penalties count of rows. */
function pastOf(rows: readonly Row[]): PastTokens {
  const lengths = rows.map(({ past }) => (past ? past.limit - past.start : 0));
  return { tokens: lengths.reduce((a, b) => a + b, 0), pairs: lengths.reduce((sum, length) => sum + length ** 2, 0) };
}

/** The reveals of a pass, each with its answers. */
function groupsOf({ reveal, groups, guard }: Pass, answers: number): readonly Group[] {
  if (!groups) return [{ answers, reveal, guard }];
  const covered = groups.reduce((sum, group) => sum + group.answers, 0);
  ensure(
    reveal.rule === "none" && covered === answers,
    "bad-option",
    () => `groups: expected reveal of rule none and groups of ${answers} answers, came ${reveal.rule} and ${covered}`,
  );
  const metrics = new Set(groups.flatMap((group) => ("metric" in group.reveal ? [group.reveal.metric] : [])));
  ensure(metrics.size <= 1, "bad-option", () => `groups: a pass ranks by one metric, came ${[...metrics].join(" and ")}`);
  return groups;
}
