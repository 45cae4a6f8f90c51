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

/** A pass of a block, before its rule is added. */
export type BlockPass = Omit<PlannedPass, "reveal" | "report">;

/** How passes are put into submits. */
export interface Ahead {
  /** Most passes of a schedule in one submit; above 1, one more of a rule without counts. */
  readonly most: number;
  /** Most rows of one pass: a submit has room for the plans of a few such passes. */
  readonly maxRows: number;
  /** Passes that follow the block, if it is likely to be finished in the submit: guarded by its places, harmless where it is not. */
  readonly tail?: () => readonly PlannedPass[];
}

/** A run so far, whatever its blocks: what says how many passes the next block will take, and how much room their reports get. */
interface Account {
  /** Places that a pass revealed of late. */
  pace: number;
  /** Times that the host waited, for so many forwards. */
  readbacks: number;
  forwards: number;
  /** Reports that there was room for, and that came. */
  room: number;
  revealed: number;
}
const USUAL_PACE = 3;
const ACCOUNTS = new WeakMap<Canvas, Account>();

function accountOf(canvas: Canvas): Account {
  const known = ACCOUNTS.get(canvas) ?? { pace: USUAL_PACE, readbacks: 0, forwards: 0, room: 0, revealed: 0 };
  ACCOUNTS.set(canvas, known);
  return known;
}

/**
 * Room for the reports of a submit that reveals `expected` places of `most`. A report that finds no room costs another readback, room that stays empty the
 * bytes of a report: what is over of two reports a place, and of a few places to begin with, is spent on more than is expected.
 */
function roomOf({ room, revealed }: Account, expected: number, most: number): number {
  const spare = Math.floor(ROOM_A_PLACE * (ROOM_IN_ADVANCE + revealed + expected) - room);
  return Math.min(most, Math.max(expected, spare));
}
const ROOM_A_PLACE = 1.8;
const ROOM_IN_ADVANCE = 10;

/** Share of the passes that are likely to be needed which go ahead: the rest is planned when more is known. */
const CAREFUL = 0.8;

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
  /** How many go together, and what follows them if they finish the block. */
  #together = 1;
  #tail: readonly PlannedPass[] = [];
  /** Passes so far, those that wait included. */
  step = 0;
  /** Whether the last submit ended with the block's tail. */
  followed = false;

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

  get #keeps(): number {
    return this.#selection.rule === "host" ? (this.#selection.host.keeps ?? 0) : 0;
  }

  /** Gives rows their goals, those answered with shift by the row before; a goal's row also carries its probe. */
  asked(rows: readonly Row[], shift: boolean): Row[] {
    const goalOf = goalsOf(this.wanted, shift);
    return rows.map((row) => {
      const goal = goalOf(row.place);
      if (goal === null) return { ...row, goal };
      const kept = this.#keeps > 0 ? { kept: [goal - this.#start, this.#keeps] as const } : {};
      const probe = this.#canvas.isMasked(goal) ? this.#rule?.probe?.(goal) : this.#canvas.tokens[goal];
      return probe === undefined ? { ...row, goal, ...kept } : { ...row, goal, probe, ...kept };
    });
  }

  /**
   * One pass, and what the rule makes of its answers. Several go in one submit, those behind the first planned on the masks known before it: only where
   * the rows of the next pass do not depend on what this one reveals. With a schedule no pass is for nothing; with other rules so many go together as
   * the pace of the last passes says will be needed, and one that finds nothing left is dropped.
   */
  *pass(planned: BlockPass, ahead: Ahead = ALONE): Decoder {
    if (this.#speculator) {
      this.step += yield* this.#speculator.pass(planned, this.step);
      return;
    }
    const step = this.step++;
    const canvas = this.#canvas;
    if (!this.#rule) {
      yield* this.#inTurn(this.#revealing(planned, step), ahead);
      return;
    }
    const results = yield [{ ...planned, reveal: revealOf(this.#selection, 1) }];
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

  /** Whether the block's passes can be planned before the block is begun: its first one behind the last of the block before. */
  get plannable(): boolean {
    return !this.#rule && !this.#speculator;
  }

  /** Whether a schedule's passes fill their submits anyway. */
  get paired(): boolean {
    return this.#exact && this.#counts !== null && this.#counts.length > 1;
  }

  /** The block's first pass, for the tail of the block before; {@link begin} says that it counted. */
  first(planned: BlockPass): PlannedPass {
    return this.#revealing(planned, 0);
  }

  begin(): void {
    this.step = 1;
  }

  /** Draws are numbered within the block, for how many passes before it counted is not known when several are planned. */
  #revealing(planned: BlockPass, step: number): PlannedPass {
    const reveal = revealOf(this.#selection, this.#counts?.[step] ?? 1);
    return { ...planned, reveal, report: "revealed", draw: step };
  }

  /** Yields a pass with those that wait, or lets it wait for others. */
  *#inTurn(pass: PlannedPass, { most, maxRows, tail }: Ahead): Decoder {
    const canvas = this.#canvas;
    const masks = (): number => canvas.masks(this.#start, this.#stop).length;
    const account = accountOf(canvas);
    const before = masks();
    const needed = this.#needed(before);
    if (this.#waiting.length === 0) {
      // As much as the plans of a submit have room for, and what follows it where there still is room.
      const room = PLANNED_PASSES * maxRows;
      const rows = plannedRows(pass);
      this.#together = Math.max(1, Math.min(this.#likelyTogether(needed, most), Math.floor(room / rows)));
      const follows = most > 1 && this.#together >= needed ? (tail?.() ?? []) : [];
      const needs = follows.reduce((sum, next) => sum + plannedRows(next), this.#together * rows);
      this.#tail = needs <= room ? follows : [];
    }
    this.#waiting.push(pass);
    if (most > 1 && this.#waiting.length < this.#together) return;
    const list = this.#waiting;
    this.#waiting = [];
    this.followed = this.#tail.length > 0 && list.length >= this.#together;
    const follows = this.followed ? this.#tail : [];
    const open = this.followed ? before + answersOf(follows) : before;
    const expected = Math.min(open, Math.ceil(account.pace * (list.length + (open > before ? 1 : 0))));
    const room = roomOf(account, expected, open);
    const planned = [...list, ...follows];
    const share = Math.ceil(room / planned.length);
    const results = yield planned.map((one, i) => ({ ...one, likely: Math.max(1, Math.min(share, room - i * share)) }));
    const gained = before - masks();
    const counted = this.done ? results.length - follows.length : results.length;
    const came = results.reduce((sum, { answers }) => sum + answers.filter(({ revealed }) => revealed).length, 0);
    if (!this.#exact) account.pace = Math.max(1, gained / Math.max(1, counted));
    account.readbacks += came > room && !this.#exact ? 2 : 1;
    account.forwards += results.length;
    account.room += room;
    account.revealed += came;
  }

  /** Passes that the block still takes, as far as can be said; those that wait included. */
  #needed(masks: number): number {
    const counts = this.#exact ? this.#counts : null;
    if (!counts) return Math.max(1, masks / accountOf(this.#canvas).pace);
    return Math.max(1, counts.length - (this.step - 1 - this.#waiting.length));
  }

  /** Whether a schedule says how many passes there are. */
  get #exact(): boolean {
    return this.#selection.rule === "schedule" || this.#selection.rule === "sequential";
  }

  #likelyTogether(needed: number, most: number): number {
    // The last pass of a schedule does not go alone.
    if (most === 1 || this.#exact) return most > 1 && needed === most + 1 ? needed : Math.min(most, needed);
    const { readbacks, forwards } = accountOf(this.#canvas);
    const masks = this.#canvas.masks(this.#start, this.#stop).length;
    const whole = Math.ceil(needed);
    // Where the host would have waited more often than for every second forward, rather one pass too many; and two, where the block has taken more
    // than it seemed to need before.
    const behind = 2 * readbacks > forwards;
    const late = this.step > 1 && 2 * (readbacks + 1) > forwards + whole;
    const wanted = late ? Math.min(masks, whole + 1) : behind ? whole : Math.round(CAREFUL * needed);
    return Math.max(1, Math.min(most + 1, wanted));
  }
}

/** Rows of all plans of a submit, in passes of most rows. */
const PLANNED_PASSES = 6;

/** Rows in the plans of a pass: its own, those of its head and its reveal. */
function plannedRows({ rows, guidance }: PlannedPass): number {
  return rows.length + (guidance ? 3 : 2) * rows.filter(({ goal }) => goal !== null).length;
}

const answersOf = (passes: readonly PlannedPass[]): number =>
  passes.reduce((sum, { rows }) => sum + rows.filter(({ goal }) => goal !== null).length, 0);

/** One pass a submit. */
const ALONE: Ahead = { most: 1, maxRows: 0 };
