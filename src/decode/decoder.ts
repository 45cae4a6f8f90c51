/** A decoder is a generator of passes: it yields what to run in one submit, and is sent the results. It runs nothing and knows no device. */
import type { Pass, Row } from "../model/pass";
import type { Canvas } from "./canvas";
import type { ForwardKind } from "./step";

/** A pass with the name that its forward has in a trace. */
export interface PlannedPass extends Pass {
  readonly kind: ForwardKind;
}

/**
 * Yields the passes of one submit; by the time it goes on, the canvas holds what they revealed. Passes planned ahead of a stop id are dropped by
 * whoever runs them (their rows were computed for nothing), so a decoder looks at the canvas only.
 */
export type Decoder = Generator<readonly PlannedPass[], void, void>;

/** What every decoder is given. */
export interface DecoderContext {
  readonly canvas: Canvas;
  /** Ids that end the answer; empty with `ignoreEos`. */
  readonly stopIds: ReadonlySet<number>;
  /** Most rows of one pass. */
  readonly maxRows: number;
}

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
