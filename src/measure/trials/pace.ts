/** The time of one call, by the difference of two repeat counts in a pass: what begins and ends a pass cancels. It does not know what is called. */
import type { Gpu } from "../../gpu/device";
import { type PassFiller, timePasses } from "../../gpu/timestamps";
import { WALL_QUANTUM_NS } from "../kernel-times";

/** Fills a pass with so many calls. */
export type Fill = (count: number) => PassFiller;

/** How many calls a sample takes. */
export interface Pace {
  readonly fill: Fill;
  /** Calls by which the longer pass is longer; 0: one call is long enough by itself. */
  readonly more: number;
  /** ns of one call, roughly. */
  readonly roughNs: number;
}

/** The difference of two passes is so many steps of the clock, … */
const RESOLVED_QUANTA = 100;
/** … and no shorter than this, ns: what passes cost beside their calls varies by microseconds. */
const LEAST_NS = 5e5;
/** A call of this length is timed alone: what surrounds it is below a hundredth. */
const ALONE_NS = 15e6;
const MOST_CALLS = 2000;
const TRIES = 4;

/** Warms a call up and finds its pace. */
export async function paceOf(gpu: Gpu, fill: Fill): Promise<Pace> {
  const quantum = gpu.profile.timestampQuantumNs ?? WALL_QUANTUM_NS;
  const wanted = Math.max(RESOLVED_QUANTA * quantum, LEAST_NS);
  await timePasses(gpu, [fill(1)]);
  let more = 1;
  let roughNs = 0;
  for (let tries = 0; tries < TRIES; tries++) {
    const [one = 0, many = 0] = await timePasses(gpu, [fill(1), fill(1 + more)]);
    if (tries === 0 && one >= Math.max(ALONE_NS, wanted)) return { fill, more: 0, roughNs: one };
    const difference = many - one;
    roughNs = Math.max(difference, 0) / more;
    if (difference >= 0.8 * wanted || more >= MOST_CALLS) break;
    const growth = difference > 0 ? (1.1 * wanted) / difference : 8;
    more = Math.min(MOST_CALLS, Math.ceil(more * Math.min(64, Math.max(1.5, growth))));
  }
  return { fill, more, roughNs };
}

/** ns of one call; null where the clock saw nothing. */
export async function sampleNs(gpu: Gpu, { fill, more }: Pace): Promise<number | null> {
  const [one = 0, many = 0] = await timePasses(gpu, more === 0 ? [fill(1)] : [fill(1), fill(1 + more)]);
  const ns = more === 0 ? one : (many - one) / more;
  return ns > 0 ? ns : null;
}
