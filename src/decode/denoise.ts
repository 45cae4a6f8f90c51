/** Denoising of one block, pass by pass: what is asked of the model, and how its answers become tokens. Knows neither rows nor caches. */
import type { Row } from "../model/pass";
import type { Canvas } from "./canvas";
import { type Decoder, goalsOf, type PlannedPass } from "./decoder";
import { type SelfSpeculation, SelfSpeculator } from "./freedave";
import type { BlockRule, Probed } from "./host-rule";
import { revealOf, type Selection } from "./selection";

/** How a block is denoised. */
export interface Denoising {
  readonly selection: Selection;
  /** Counts of a block's passes from its masks; null for rules without a schedule. */
  readonly schedule: ((masks: number) => readonly number[]) | null;
  /** Guessed steps go along with every forward. Needs a rule that counts (schedule, sequential). */
  readonly speculation?: SelfSpeculation | undefined;
}

/** Places that a pass is taken to reveal before any has run, by a rule without a count. */
const USUAL_PACE = 3;
/** How many places a pass of a run revealed of late, whatever the block. */
const PACES = new WeakMap<Canvas, number>();

export class Denoiser {
  readonly #canvas: Canvas;
  readonly #start: number;
  readonly #stop: number;
  readonly #selection: Selection;
  readonly #counts: readonly number[] | null;
  readonly #rule: BlockRule | null;
  readonly #speculator: SelfSpeculator | null;
  /** Places that were masked when the block began: no other is ever written. */
  readonly #open: ReadonlySet<number>;
  /** Passes planned and not yet yielded: they go in one submit with the next. */
  #waiting: PlannedPass[] = [];
  /** Passes so far, those that wait included. */
  step = 0;

  /** A block of places [start, stop). */
  constructor(canvas: Canvas, { selection, schedule, speculation }: Denoising, start: number, stop: number) {
    const masks = canvas.masks(start, stop);
    this.#canvas = canvas;
    this.#start = start;
    this.#stop = stop;
    this.#selection = selection;
    this.#counts = schedule?.(masks.length) ?? null;
    this.#rule = selection.rule === "host" && masks.length > 0 ? selection.host.block() : null;
    this.#speculator = speculation
      ? new SelfSpeculator(canvas, speculation, {
          metric: selection.metric,
          sequential: selection.rule === "sequential",
          countOf: (step) => this.#counts?.[step] ?? 1,
        })
      : null;
    this.#open = new Set(masks);
  }

  /** Whether nothing is left to do. */
  get done(): boolean {
    return this.#canvas.masks(this.#start, this.#stop).length === 0 && this.#rule?.unsettled?.() !== true;
  }

  /** Places whose answers the next pass needs. */
  get wanted(): number[] {
    if (this.#selection.rule !== "host" || !this.#selection.host.looksBack) return this.#canvas.masks(this.#start, this.#stop);
    return [...this.#open];
  }

  /** Gives rows their goals, those answered with shift by the row before; a goal's row also carries its probe. */
  asked(rows: readonly Row[], shift: boolean): Row[] {
    const goalOf = goalsOf(this.wanted, shift);
    return rows.map((row) => {
      const goal = goalOf(row.place);
      if (goal === null) return { ...row, goal };
      const probe = this.#canvas.isMasked(goal) ? this.#rule?.probe?.(goal) : this.#canvas.tokens[goal];
      return probe === undefined ? { ...row, goal } : { ...row, goal, probe };
    });
  }

  /**
   * One pass, and what the rule makes of its answers. Up to `most` go in one submit, those behind the first planned on the masks
   * known before it: only where the rows of the next pass do not depend on what this one reveals. With a schedule no pass is for nothing; with other rules the second is
   * planned where the first is not likely to finish the block, and is dropped where it did.
   */
  *pass(planned: Omit<PlannedPass, "reveal" | "report">, most = 1): Decoder {
    if (this.#speculator) {
      this.step += yield* this.#speculator.pass(planned, this.step);
      return;
    }
    const step = this.step++;
    const count = this.#counts?.[step] ?? 1;
    const canvas = this.#canvas;
    const reveal = revealOf(this.#selection, count);
    if (!this.#rule) {
      yield* this.#inTurn({ ...planned, reveal, report: "revealed", likely: Math.ceil(1.5 * this.#pace) }, most);
      return;
    }
    const results = yield [{ ...planned, reveal }];
    const answers = (results.at(-1)?.answers ?? []).filter(({ goal }) => this.#open.has(goal)).sort((a, b) => a.goal - b.goal);
    const write = this.#rule.choose({
      canvas,
      start: this.#start,
      stop: this.#stop,
      step,
      masked: answers.filter(({ goal }) => canvas.isMasked(goal)),
      known: answers.filter((answer): answer is Probed => !canvas.isMasked(answer.goal) && answer.probe !== undefined),
    });
    if (write.length > 0) yield [{ kind: planned.kind, rows: [], reveal: { rule: "none" }, write }];
  }

  get #pace(): number {
    return PACES.get(this.#canvas) ?? USUAL_PACE;
  }

  /** Yields a pass with those that wait, or lets it wait where another is surely or likely to follow. */
  *#inTurn(pass: PlannedPass, most: number): Decoder {
    const masks = (): number => this.#canvas.masks(this.#start, this.#stop).length;
    const before = masks();
    this.#waiting.push(pass);
    const counted = this.#waiting.every(({ reveal }) => reveal.rule === "count" || reveal.rule === "sequential");
    const taken = this.#waiting.reduce((sum, { reveal }) => sum + ("count" in reveal && counted ? reveal.count : this.#pace), 0);
    const left = before - taken;
    if (this.#waiting.length < most && left >= (counted ? 1 : this.#pace)) return;
    const list = this.#waiting;
    this.#waiting = [];
    const { length } = yield list;
    PACES.set(this.#canvas, Math.max(1, (before - masks()) / Math.max(1, length)));
  }
}
