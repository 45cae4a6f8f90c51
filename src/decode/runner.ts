/** Runs a decoder on an engine: submits its passes, follows the canvas, counts forwards. Knows neither text nor families. */
import { ensure } from "../errors";
import type { Dispatch } from "../kernels/dispatch";
import type { Engine, PassResult } from "../model/engine";
import type { Answer, Metric, Sampling } from "../model/pass";
import type { Canvas } from "./canvas";
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
}

/** What one submit brought. */
export interface Progress {
  readonly forwards: readonly Forwarded[];
  readonly revealed: readonly Revealed[];
  /** Forwards that were computed past a stop id: planned ahead, paid for, not counted. */
  readonly dropped: readonly Forwarded[];
}

export interface RunOptions {
  readonly canvas: Canvas;
  readonly sampling: Sampling;
  readonly stopIds: ReadonlySet<number>;
  /** Whether the passes have guidance: the canvas without its prompt then follows the canvas. */
  readonly guided?: boolean;
  /** Ranking value that a trace reports. */
  readonly metric?: Metric;
  readonly signal?: AbortSignal | undefined;
}

/** The value that `metric` ranks by, as the trajectories give it: confidence, Σ p ln p, or the margin. */
const rankingValue = (metric: Metric) => (answer: Answer) =>
  metric === "entropy" ? -answer.entropy : metric === "margin" ? answer.margin : answer.confidence;

/**
 * Yields after every submit. An abort ends the run after the submit in flight.
 * @throws whatever the engine throws; `bad-option` when a decoder makes no progress (nothing it may reveal is left)
 */
export async function* runDecoder(engine: Engine, decoder: Decoder, options: RunOptions): AsyncGenerator<Progress, void, void> {
  const { canvas, sampling, stopIds } = options;
  engine.resetDraws();
  engine.writeCanvas(0, options.guided ? [...canvas.tokens, ...canvas.withoutPrompt()] : canvas.tokens);
  let written = canvas.length * (options.guided ? 2 : 1);
  // Every schedule reveals at least every second pass; more passes than that is a decoder that stands still.
  let budget = 0;
  for (let next = decoder.next(); !next.done; next = decoder.next()) {
    if (options.signal?.aborted) return;
    const passes = next.value;
    let needed = 0;
    for (const { rows } of passes) for (const { place, goal } of rows) needed = Math.max(needed, place + 1, (goal ?? 0) + 1);
    if (needed > written) {
      engine.writeCanvas(written, new Array<number>(needed - written).fill(canvas.maskId));
      written = needed;
    }
    const results = await engine.run(passes, sampling, canvas.maskId);
    const progress = follow(passes, results, { canvas, stopIds, metric: options.metric ?? "confidence" });
    // A revealed mask is no progress: the canvas is what it was.
    budget = progress.revealed.some(({ id }) => id !== canvas.maskId) ? 0 : budget + 1;
    ensure(
      budget <= 2 * engine.slots,
      "bad-option",
      `the decoder revealed nothing in ${budget} forwards: every candidate is the mask`,
    );
    yield progress;
  }
}

function follow(
  passes: readonly PlannedPass[],
  results: readonly PassResult[],
  { canvas, stopIds, metric }: { canvas: Canvas; stopIds: ReadonlySet<number>; metric: Metric },
): Progress {
  const forwards: Forwarded[] = [];
  const dropped: Forwarded[] = [];
  const value = rankingValue(metric);
  for (const [i, { kind, rows, guidance }] of passes.entries()) {
    const { answers, dispatches, passNs, dispatchNs } = results[i] as PassResult;
    const late = i > 0 && canvas.stopIndex(stopIds) >= 0;
    const revealed = late ? [] : canvas.apply(answers, value);
    const half = guidance ? rows.length / 2 : rows.length;
    const places = rows.slice(0, half).map(({ place }) => place);
    const cost = { forwards: guidance ? 2 : 1, computed: rows.length, dispatches, passNs, dispatchNs };
    (late ? dropped : forwards).push({ kind, rows: places, revealed, ...cost });
  }
  return { forwards, dropped, revealed: forwards.flatMap(({ revealed }) => revealed) };
}

/** Forwards by kind. */
export function countKinds(forwards: readonly Pick<Forwarded, "kind" | "forwards">[]): Partial<Record<ForwardKind, number>> {
  const counts: Partial<Record<ForwardKind, number>> = {};
  for (const { kind, forwards: count } of forwards) counts[kind] = (counts[kind] ?? 0) + count;
  return counts;
}
