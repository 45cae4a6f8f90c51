/** Contestants of one case into outcomes: each is checked first, then all are timed in interleaved rounds. It knows no engine. */
import type { Effort, Engine, Outcome, Standing } from "../protocol";
import { beginCounting, endCounting, takeFaults } from "./clock";

/** One engine's way of computing a case. */
export interface Contestant {
  readonly engine: Engine;
  readonly name: string;
  /** Whose compute passes are timed. */
  readonly device: GPUDevice;
  /** Queues so many calls at once and waits until the device has done them. */
  readonly run: (calls: number) => Promise<void>;
  /** What one call computed, dense. */
  readonly output: () => Promise<Float32Array>;
  readonly close: () => void | Promise<void>;
  /** What it computes where that is not what the others do. */
  readonly otherwise?: string | undefined;
}

/** Makes a contestant; a failure to do so is an outcome too. */
export interface Entry {
  readonly engine: Engine;
  readonly name: string;
  readonly open: () => Promise<Contestant>;
}

export interface Checked {
  /** Relative error of an output. */
  readonly errorOf: (output: Float32Array) => number;
  readonly effort: Effort;
}

/** Activations of 8 bits err by half a percent; beyond this it is another function. */
const MOST_ERROR = 0.03;
const NS_PER_MS = 1e6;

interface Running {
  readonly contestant: Contestant;
  readonly calls: number;
  readonly outcome: Omit<Outcome, "gpuNs" | "wallNs">;
  readonly gpuNs: number[];
  readonly wallNs: number[];
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).slice(0, 300);

const failed = ({ engine, name }: Pick<Entry, "engine" | "name">, reason: string): Outcome => ({
  engine,
  name,
  gpuNs: [],
  wallNs: [],
  calls: 0,
  dispatches: 0,
  passes: 0,
  submits: 0,
  firstNs: 0,
  error: null,
  standing: "failed",
  note: reason,
});

async function wallNsOf(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) * NS_PER_MS;
}

function standingOf({ otherwise }: Contestant, dispatches: number, error: number): [Standing, string] {
  if (dispatches === 0) return ["cpu", "no dispatch on the GPU: it ran on the CPU"];
  if (otherwise !== undefined) return ["other", otherwise];
  if (!(error <= MOST_ERROR)) return ["wrong", `wrong result: relative error ${error.toPrecision(2)}`];
  return ["counts", ""];
}

/** First call, check, and how many calls fill a round. */
async function prepared(contestant: Contestant, { errorOf, effort }: Checked): Promise<Running> {
  const firstNs = await wallNsOf(() => contestant.run(1));
  const error = errorOf(await contestant.output());
  beginCounting(contestant.device);
  const oneNs = await wallNsOf(() => contestant.run(1));
  const { dispatches, passes, submits } = await endCounting();
  const [fault] = takeFaults();
  if (fault) throw new Error(fault);
  const [standing, note] = standingOf(contestant, dispatches, error);
  const calls = Math.max(1, Math.min(effort.mostCalls, Math.ceil((effort.roundMs * NS_PER_MS) / oneNs)));
  const { engine, name } = contestant;
  const outcome = { engine, name, calls, dispatches, passes, submits, firstNs, error, standing, note };
  return { contestant, calls, outcome, gpuNs: [], wallNs: [] };
}

async function round({ contestant, calls, gpuNs, wallNs }: Running): Promise<void> {
  beginCounting(contestant.device);
  wallNs.push((await wallNsOf(() => contestant.run(calls))) / calls);
  const counts = await endCounting();
  if (counts.gpuNs !== null) gpuNs.push(counts.gpuNs / calls);
}

/**
 * Times the entries against each other: one round of each, over and over, so that whatever else the machine does hits all alike.
 * The first in a round is another one each time.
 */
export async function contest(entries: readonly Entry[], checked: Checked): Promise<Outcome[]> {
  const outcomes = new Map<Entry, Outcome>();
  const running = new Map<Entry, Running>();
  for (const entry of entries) {
    let contestant: Contestant | null = null;
    try {
      contestant = await entry.open();
      running.set(entry, await prepared(contestant, checked));
    } catch (cause) {
      takeFaults();
      outcomes.set(entry, failed(entry, reasonOf(cause)));
      await contestant?.close();
    }
  }
  const list = [...running];
  for (let i = 0; i < checked.effort.rounds; i++) {
    for (let j = 0; j < list.length; j++) {
      const [entry, each] = list[(i + j) % list.length]!;
      if (outcomes.has(entry)) continue;
      try {
        await round(each);
      } catch (cause) {
        outcomes.set(entry, failed(entry, reasonOf(cause)));
      }
    }
  }
  for (const [entry, { contestant, outcome, gpuNs, wallNs }] of list) {
    const timed = gpuNs.length === wallNs.length ? gpuNs : [];
    if (!outcomes.has(entry)) outcomes.set(entry, { ...outcome, gpuNs: timed, wallNs });
    await contestant.close();
  }
  return entries.map((entry) => outcomes.get(entry)!);
}

/** √(Σ difference² / Σ reference²) over the pairs of (output, reference). */
export function relativeError(pairs: Iterable<readonly [got: number, want: number]>): number {
  let difference = 0;
  let reference = 0;
  for (const [got, want] of pairs) {
    difference += (got - want) ** 2;
    reference += want ** 2;
  }
  return Math.sqrt(difference / reference);
}
