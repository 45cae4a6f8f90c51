/** A decoder is a generator of passes: it yields what to run in one submit, and is sent the results. It runs nothing and knows no device. */
import type { PassResult } from "../model/engine";
import type { Pass, Row } from "../model/pass";
import type { Canvas } from "./canvas";
import type { TokenConstraint } from "./constraint";
import type { ForwardKind } from "./step";

/** A token for a place of the canvas; the mask's id makes the place unknown again. */
export interface Write {
  readonly place: number;
  readonly id: number;
  /** Ranking value that a trace reports; absent: that of the last forward's answer for the place, where it has one. */
  readonly confidence?: number | undefined;
}

/** A pass with the name that its forward has in a trace. */
export interface PlannedPass extends Pass {
  readonly kind: ForwardKind;
  /** The run's other model computes it, on a canvas of its own; all passes of one list are for one model. Absent: the model that answers. */
  readonly on?: "assistant" | undefined;
  /**
   * Put into the canvas, host's and device's copy, before the pass runs; the prompt is never written. Whatever is not the mask counts as revealed by the
   * forward before, whose answers it was decided on. With no rows the pass is this write alone, and no forward.
   */
  readonly write?: readonly Write[] | undefined;
  /** What the rows read at these places in this pass only: the device's copy, restored before the next submit. Never part of the answer. */
  readonly draft?: readonly Write[] | undefined;
  /**
   * As a pass's, of the answer's places; and it counts only where these are known by then: what may be planned behind passes that will probably reveal
   * them. Its rows must not touch what those passes would need again.
   */
  readonly guard?: Pass["guard"];
  /**
   * Asked right before the pass runs: which ids may be drawn, as {@link Pass.allowed}, or null where none may: then it does not run and the list ends with
   * the pass before. Such a pass is a list of its own.
   */
  readonly allow?: (() => Promise<Uint32Array<ArrayBuffer> | null>) | undefined;
  /** Counts although a pass before it in its list completed an answer with a stop id: the block is finished all the same. */
  readonly throughStop?: boolean | undefined;
}

/**
 * Yields the passes of one submit and is sent their results: by then the canvas holds what they revealed. A result's answers are those of every row with
 * a goal, in row order, known places too. Of a list, passes behind a stop id, passes that find nothing left to reveal and
 * passes whose guard does not hold are dropped by whoever runs them (their rows were computed for nothing): they are no forwards, and their results are left out. A pass that writes or drafts begins a submit of its own.
 */
export type Decoder = Generator<readonly PlannedPass[], void, readonly PassResult[]>;

/** What every decoder is given. */
export interface DecoderContext {
  readonly canvas: Canvas;
  /** Ids that end the answer; empty with `ignoreEos`. */
  readonly stopIds: ReadonlySet<number>;
  /** Most rows of one pass. */
  readonly maxRows: number;
  /**
   * Passes of a schedule that go in one submit, planned on the masks known before the first of them; of rules that do not say how much they reveal, one
   * more where so many are likely to be needed. Default 1: none is planned ahead.
   */
  readonly passesPerSubmit?: number | undefined;
  /** Cache rows; absent: as many as the canvas has places. */
  readonly slots?: number | undefined;
  /** What the answer must be; only autoregressive decoding asks. */
  readonly constraint?: TokenConstraint | undefined;
}

/** What {@link DecoderContext.passesPerSubmit} is outside of tests: the host waits for every second forward of a diffusion model. */
export const PASSES_PER_SUBMIT = 2;

/** Rows of canvas places [from, to) at their own positions and slots, `limitOf` giving where each one's view ends. */
export function rowsOf(
  from: number,
  to: number,
  limitOf: (place: number) => number,
  goalOf: (place: number) => number | null,
): Row[] {
  return Array.from({ length: to - from }, (_, i) => {
    const place = from + i;
    return { place, position: place, slot: place, start: 0, limit: limitOf(place), goal: goalOf(place) };
  });
}

/**
 * Goals by row: which row's distribution answers each place. With shift, row i−1 answers place i (place 0, which nothing precedes, is answered by row 0).
 */
export function goalsOf(places: readonly number[], shift: boolean): (row: number) => number | null {
  const goals = new Map(places.map((place) => [shift ? Math.max(0, place - 1) : place, place]));
  return (row) => goals.get(row) ?? null;
}
