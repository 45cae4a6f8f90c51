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
  /** Passes so far. */
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

  /** One pass, and what the rule makes of its answers. */
  *pass(planned: Omit<PlannedPass, "reveal">): Decoder {
    if (this.#speculator) {
      this.step += yield* this.#speculator.pass(planned, this.step);
      return;
    }
    const step = this.step++;
    const results = yield [{ ...planned, reveal: revealOf(this.#selection, this.#counts?.[step] ?? 1) }];
    if (!this.#rule) return;
    const canvas = this.#canvas;
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
}
