/** Runs a decoder on an engine: submits its passes, follows the canvas, counts forwards. Knows neither text nor families. */
import { ensure } from "../errors";
import type { Dispatch } from "../kernels/dispatch";
import type { PassResult, Player } from "../model/engine";
import type { Answer, Metric, Sampling } from "../model/pass";
import { type Canvas, NO_TOKEN } from "./canvas";
import { CanvasCopy } from "./canvas-copy";
import type { Decoder, PlannedPass } from "./decoder";
import type { ForwardKind, ForwardTrace, Revealed } from "./step";

/** A forward that counted, with what it cost. */
export interface Forwarded extends ForwardTrace {
  /** 2 with guidance, whose conditional and unconditional halves are one pass; else 1. */
  readonly forwards: number;
  /** Rows computed, those of both halves. */
  readonly computed: number;
  readonly dispatches: readonly Dispatch[];
  readonly passNs: number | undefined;
  readonly dispatchNs: readonly number[] | undefined;
  readonly plans: Uint32Array<ArrayBuffer> | undefined;
}

/** What one submit brought. */
export interface Progress {
  readonly forwards: readonly Forwarded[];
  readonly revealed: readonly Revealed[];
  /** Forwards that were computed past a stop id: planned ahead, paid for, not counted. */
  readonly dropped: readonly Forwarded[];
}

/** The other model of a speculation: it drafts tokens, or checks them. */
export interface Assistant {
  readonly engine: Player;
  readonly canvas: Canvas;
  readonly sampling: Sampling;
}

export interface RunOptions {
  readonly canvas: Canvas;
  readonly sampling: Sampling;
  readonly stopIds: ReadonlySet<number>;
  /** Whether the passes have guidance: the canvas without its prompt then follows the canvas. */
  readonly guided?: boolean;
  /** Ranking value that a trace reports. */
  readonly metric?: Metric;
  /** Runs the passes that are planned for it; what these reveal stays on its canvas and is no part of the answer. */
  readonly assistant?: Assistant | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Random draws of runs with different numbers are apart, whatever the seed. Default 0. */
  readonly sequence?: number | undefined;
}

/** Draws of a run, far more than it has forwards. */
const DRAWS = 2 ** 20;

/** The value that `metric` ranks by, as the trajectories give it: confidence, Σ p ln p, or the margin. */
const rankingValue = (metric: Metric) => (answer: Answer) =>
  metric === "entropy" ? -answer.entropy : metric === "margin" ? answer.margin : answer.confidence;

/** A forward that a later write may still be counted to. */
interface OpenForward extends Forwarded {
  readonly revealed: Revealed[];
}

/** Passes of one submit: one that writes begins a new one, because what the queue writes is there before all of a submit. */
function submitsOf(passes: readonly PlannedPass[]): PlannedPass[][] {
  const submits: PlannedPass[][] = [];
  for (const pass of passes) {
    const last = submits.at(-1);
    const writes = (pass.write?.length ?? 0) > 0 || (pass.draft?.length ?? 0) > 0;
    if (last && !writes && !last.at(-1)?.draft?.length) last.push(pass);
    else submits.push([pass]);
  }
  return submits;
}

/**
 * Yields after every list of passes. An abort ends the run after the submit in flight.
 * @throws whatever the engine throws; `bad-option` when a decoder makes no progress (nothing it may reveal is left)
 */
export async function* runDecoder(engine: Player, decoder: Decoder, options: RunOptions): AsyncGenerator<Progress, void, void> {
  const run = new Run(engine, options);
  engine.resetDraws();
  const { assistant } = options;
  const aside = assistant && new Run(assistant.engine, { ...assistant, stopIds: new Set() });
  assistant?.engine.resetDraws();
  for (let next = decoder.next(), results = NO_RESULTS; !next.done; next = decoder.next(results)) {
    if (options.signal?.aborted) return;
    const helps = next.value[0]?.on === "assistant";
    const lane = helps ? aside : run;
    ensure(lane, "bad-option", "the decoder plans passes for another model, and there is none");
    const progress = await lane.advance(next.value);
    results = lane.results;
    yield helps ? withoutReveals(progress) : progress;
  }
}

/** What an assistant reveals to itself is no part of the answer. */
const withoutReveals = ({ forwards, dropped }: Progress): Progress => ({
  forwards: forwards.map((forward) => ({ ...forward, revealed: [] })),
  dropped,
  revealed: [],
});

/** A run between two yields of its decoder. */
class Run {
  readonly #engine: Player;
  readonly #options: RunOptions;
  readonly #copy: CanvasCopy;
  readonly #value: (answer: Answer) => number;
  #last: OpenForward | null = null;
  #answers: readonly Answer[] = [];
  #mostKnown = 0;
  #still = 0;
  /** Forwards that counted. */
  #forwards = 0;
  /** Results of the passes that counted, of the last list. */
  results: PassResult[] = [];

  constructor(engine: Player, options: RunOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#copy = new CanvasCopy(engine, options.canvas, options.guided ?? false);
    this.#value = rankingValue(options.metric ?? "confidence");
  }

  async advance(passes: readonly PlannedPass[]): Promise<Progress> {
    const { canvas, sampling } = this.#options;
    const forwards: OpenForward[] = [];
    const dropped: Forwarded[] = [];
    const revealed: Revealed[] = [];
    this.results = [];
    for (const [i, submit] of submitsOf(passes).entries()) {
      if (i > 0 && this.#late(submit[0] as PlannedPass)) break;
      this.#prepare(submit);
      revealed.push(...this.#written(submit[0] as PlannedPass));
      const computing = submit.filter(({ rows }) => rows.length > 0);
      const bitmap = await submit[0]?.allow?.();
      if (bitmap === null) break;
      const drawn = DRAWS * (this.#options.sequence ?? 0);
      // Draws are numbered by the forwards that count, so that a seed's text does not depend on what is planned ahead.
      const numbered = computing.map((pass, at) => ({
        ...this.#counting(pass),
        draw: drawn + (pass.draw ?? this.#forwards + at),
        allowed: bitmap,
      }));
      const came = computing.length > 0 ? await this.#engine.run(numbered, sampling, canvas.maskId) : [];
      for (const pass of submit) {
        const result = pass.rows.length > 0 ? (came[computing.indexOf(pass)] as PassResult) : NOTHING;
        const late = this.results.length > 0 && this.#late(pass);
        const gained = late ? [] : canvas.apply(result.answers, this.#value);
        if (!late) this.results.push(result);
        if (pass.rows.length === 0) continue;
        const forward = forwardOf(pass, result, gained);
        (late ? dropped : forwards).push(forward);
        revealed.push(...gained);
        if (late) continue;
        this.#forwards++;
        this.#last = forward;
        this.#answers = result.answers;
      }
    }
    this.#checkProgress();
    return { forwards, dropped, revealed };
  }

  /** Whether a pass that was planned behind another is for nothing, now that the other ran. */
  #late({ rows, reveal, guard, throughStop }: PlannedPass): boolean {
    const { canvas, stopIds } = this.#options;
    if (guard && canvas.masks(...guard).length > 0) return true;
    if (!throughStop && canvas.stopIndex(stopIds) >= 0) return true;
    const goals = rows.flatMap(({ goal }) => (goal === null ? [] : [goal]));
    return reveal.rule !== "none" && goals.length > 0 && goals.every((goal) => goal < canvas.length && !canvas.isMasked(goal));
  }

  /** With penalties, rows say which tokens count: an autoregressive model's those before the one that is made, else all that are known. */
  #counting(pass: PlannedPass): PlannedPass {
    const { canvas, sampling } = this.#options;
    if (!sampling.penalties) return pass;
    const answer = canvas.promptLength;
    const limitOf = (goal: number): number => (canvas.maskId === NO_TOKEN ? goal : canvas.length);
    const rows = pass.rows.map((row) =>
      row.goal === null ? row : { ...row, past: { start: 0, answer, limit: limitOf(row.goal) } },
    );
    return { ...pass, rows };
  }

  #prepare(submit: readonly PlannedPass[]): void {
    for (const pass of submit) this.#copy.prepare(pass);
  }

  /** What a pass's own writes reveal: decided on the last forward's answers, so counted to it. */
  #written({ write = [] }: PlannedPass): Revealed[] {
    const answers = new Map(this.#answers.map((answer) => [answer.goal, answer]));
    const revealed = write
      .filter(({ id }) => id !== this.#options.canvas.maskId)
      .map(({ place, id, confidence }) => {
        const answer = answers.get(place);
        const { logProbability = undefined, top = undefined } = answer?.id === id ? answer : {};
        const value = confidence ?? (answer ? this.#value(answer) : 1);
        return {
          position: place,
          id,
          confidence: value,
          ...(logProbability === undefined ? {} : { logProbability }),
          ...(top ? { top } : {}),
        };
      })
      .sort((a, b) => a.position - b.position);
    this.#last?.revealed.push(...revealed);
    this.#last?.revealed.sort((a, b) => a.position - b.position);
    return revealed;
  }

  /**
   * Every schedule reveals at least every second pass, and one that remasks fills its canvas again: many more passes than there are places, with no more
   * known than ever before, are a decoder that stands still. A revealed mask is no progress: the canvas is what it was.
   */
  #checkProgress(): void {
    const { canvas } = this.#options;
    const known = canvas.length - canvas.promptLength - canvas.masks(canvas.promptLength, canvas.length).length;
    this.#still = known > this.#mostKnown ? 0 : this.#still + 1;
    this.#mostKnown = Math.max(known, this.#mostKnown);
    ensure(
      this.#still <= 2 * this.#engine.slots,
      "bad-option",
      () =>
        `the decoder revealed nothing in ${this.#still} forwards: every candidate is the mask, or what is revealed is masked again`,
    );
  }
}

const NOTHING: PassResult = { answers: [], dispatches: [] };
const NO_RESULTS: readonly PassResult[] = [];

function forwardOf({ kind, rows, guidance }: PlannedPass, result: PassResult, revealed: Revealed[]): OpenForward {
  const { dispatches, passNs, dispatchNs, plans } = result;
  const half = guidance ? rows.length / 2 : rows.length;
  const places = rows.slice(0, half).map(({ place }) => place);
  const timed = { passNs, dispatchNs, plans };
  return { kind, rows: places, revealed, forwards: guidance ? 2 : 1, computed: rows.length, dispatches, ...timed };
}

/** Forwards by kind. */
export function countKinds(forwards: readonly Pick<Forwarded, "kind" | "forwards">[]): Partial<Record<ForwardKind, number>> {
  const counts: Partial<Record<ForwardKind, number>> = {};
  for (const { kind, forwards: count } of forwards) counts[kind] = (counts[kind] ?? 0) + count;
  return counts;
}
