/** The autotuner: finds, on a device, which variant of each class of dispatches is fastest, within a budget of time, and remembers it. */
import { ensure, RidgepointError } from "../../errors";
import type { Gpu } from "../../gpu/device";
import { ROW_CLASSES, type Tuning } from "../../kernels/tuning";
import { type Pace, paceOf, sampleNs } from "../trials/pace";
import type { Way } from "../trials/trial";
import { type Ready, Workbench } from "../trials/workbench";
import { holdContest, type Verdict } from "./contest";
import { candidatesHash, deviceKey } from "./device-key";
import { TUNING_SCHEMA, type TuningClock, type TuningDocument, type TuningEntry, tuningOf } from "./tuning-entry";
import { openTuningStore, type TuningStore } from "./tuning-store";
import type { TuningSubject } from "./tuning-subjects";

export interface TuneProgress {
  readonly phase: "tune";
  /** Classes done and in all. */
  readonly loaded: number;
  readonly total: number;
  /** Class that is tuned now. */
  readonly what: string;
}

export interface TuneOptions {
  /** Nothing new is timed after so many ms; what is decided by then is kept. Default 1500. */
  readonly budgetMs?: number | undefined;
  /** Classes of rows to be tuned, the most important first. Default: what the model's family runs most. */
  readonly rows?: readonly number[] | undefined;
  /** Variants too that round inputs to f16 or to bytes (dp4a): faster on some devices, and other numbers. Default off. */
  readonly approximate?: boolean | undefined;
  /** Where decisions are kept from visit to visit. Default IndexedDB; a page without it goes on, and its report says so. */
  readonly storage?: "indexeddb" | "none" | undefined;
  /** Measure again what is remembered. */
  readonly again?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TuneProgress) => void) | undefined;
}

/** A class that keeps its default, undecided: time ran out, no candidate is right, or a trial of its size has no room on the device. */
export interface Undecided {
  readonly key: string;
  readonly reason: Verdict["reason"] | "out-of-memory";
}

export interface TuneReport {
  /** What runs from now on, by class: `gpu.tuning` has it too. */
  readonly tuning: Tuning;
  /** The same, with what it was decided on: to be kept, or given to `loadModel` as `tuning` on an equal device. */
  readonly document: TuningDocument;
  /** Classes decided now, and remembered from before. */
  readonly decided: number;
  readonly remembered: number;
  readonly undecided: readonly Undecided[];
  /** Whose clock timed it: `host` where the device has none (`timestamp-query`), which counts submits in. */
  readonly clock: TuningClock;
  /** Why decisions are not kept for the next visit; null where they are. */
  readonly notKept: string | null;
  readonly ms: number;
}

export const TUNE_BUDGET_MS = 1500;

const NAMES: readonly string[] = [
  "budgetMs",
  "rows",
  "approximate",
  "storage",
  "again",
  "signal",
  "onProgress",
] satisfies (keyof TuneOptions)[];

/** @throws `bad-option` for an unknown option, and for a value that is none */
export function checkTuneOptions(options: TuneOptions): void {
  const { budgetMs = TUNE_BUDGET_MS, storage = "indexeddb", rows = [] } = options;
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  ensure(
    unknown === undefined,
    "bad-option",
    () => `tune: there is no option "${unknown}": expected some of ${NAMES.join(", ")}`,
  );
  ensure(budgetMs > 0 && Number.isFinite(budgetMs), "bad-option", () => `tune: budgetMs: expected ms above 0, came ${budgetMs}`);
  const known = storage === "indexeddb" || storage === "none";
  ensure(known, "bad-option", () => `tune: storage: expected indexeddb or none, came ${String(storage)}`);
  const classes: readonly number[] = ROW_CLASSES;
  const wrong = rows.find((count) => !classes.includes(count));
  ensure(wrong === undefined, "bad-option", () => `tune: rows: expected some of ${classes.join(", ")}, came ${wrong}`);
}

/**
 * Tunes the subjects in their order, and sets `gpu.tuning`. Models that are loaded later follow it. Buffers that it makes are freed before it returns.
 * @throws `bad-option`, `abort`, `device-lost`; a store that fails is reported and not thrown
 */
export async function tune(gpu: Gpu, subjects: readonly TuningSubject[], options: TuneOptions = {}): Promise<TuneReport> {
  checkTuneOptions(options);
  const { budgetMs = TUNE_BUDGET_MS, storage = "indexeddb", again = false, signal, onProgress } = options;
  const begun = performance.now();
  const deadline = begun + budgetMs;
  const device = deviceKey(gpu.profile);
  const clock: TuningClock = gpu.device.features.has("timestamp-query") ? "gpu" : "host";
  const store = storage === "none" ? null : await openTuningStore();
  const entries: TuningEntry[] = [];
  const fresh: TuningEntry[] = [];
  const undecided: Undecided[] = [];
  let notKept = store ? store.fault : "storage is off";
  try {
    for (const [loaded, subject] of subjects.entries()) {
      const { key } = subject;
      ensure(!signal?.aborted, "abort", "tune: aborted");
      onProgress?.({ phase: "tune", loaded, total: subjects.length, what: key });
      const candidates = await candidatesHash(subject.codes());
      const held = again ? null : await remembered(store, device, { key, candidates });
      if (held) {
        entries.push(held);
        continue;
      }
      if (performance.now() >= deadline) {
        undecided.push({ key, reason: "out-of-time" });
        continue;
      }
      const verdict = await contest(gpu, subject, { deadline, signal }).catch(withoutRoom);
      if (verdict.winner === null) {
        undecided.push({ key, reason: verdict.reason });
        continue;
      }
      const { winner, ...grounds } = verdict;
      const entry: TuningEntry = { key, variant: winner, before: subject.before, ...grounds, clock, candidates, at: Date.now() };
      entries.push(entry);
      fresh.push(entry);
    }
    onProgress?.({ phase: "tune", loaded: subjects.length, total: subjects.length, what: "done" });
  } finally {
    notKept ??= await keep(
      store,
      device,
      fresh.filter(({ untried }) => untried.length === 0),
    );
    store?.close();
    const tuning = tuningOf(entries);
    gpu.tuning = { ...gpu.tuning, ...tuning };
  }
  return {
    tuning: tuningOf(entries),
    document: { schema: TUNING_SCHEMA, device, entries },
    decided: fresh.length,
    remembered: entries.length - fresh.length,
    undecided,
    clock,
    notKept,
    ms: performance.now() - begun,
  };
}

/** @throws `cause`, unless it is that memory is short */
function withoutRoom(cause: unknown): { readonly winner: null; readonly reason: "out-of-memory" } {
  if (cause instanceof RidgepointError && cause.code === "out-of-memory") return { winner: null, reason: "out-of-memory" };
  throw cause;
}

async function remembered(
  store: TuningStore | null,
  device: string,
  { key, candidates }: { readonly key: string; readonly candidates: string },
): Promise<TuningEntry | null> {
  try {
    return (await store?.get(device, key, candidates)) ?? null;
  } catch {
    // A store that cannot be read remembers nothing; whether it can be written is told in the end.
    return null;
  }
}

/** Why entries could not be kept, or null. */
async function keep(store: TuningStore | null, device: string, entries: readonly TuningEntry[]): Promise<string | null> {
  try {
    if (entries.length > 0) await store?.put(device, entries);
    return null;
  } catch (cause) {
    return `IndexedDB keeps nothing: ${cause instanceof Error ? cause.message : String(cause)}`;
  }
}

/** A way made ready, or why it cannot be. */
type Prepared = { readonly ready: Ready } | { readonly cause: unknown };

/** One subject's contest on the device. */
async function contest(
  gpu: Gpu,
  { before, others, trial: make }: TuningSubject,
  { deadline, signal }: { readonly deadline: number; readonly signal: AbortSignal | undefined },
): Promise<Verdict> {
  const trial = make();
  const bench = await Workbench.open(gpu, trial);
  const ready = new Map<string, Ready>();
  const paces = new Map<string, Pace>();
  const prepare = (way: Way): Promise<Prepared> =>
    bench.prepare(way).then(
      (made) => ({ ready: made }),
      (cause: unknown) => ({ cause }),
    );
  // Drivers compile on threads of their own; where these are the adapter's own cores, what is not reached in time would be compiled for nothing.
  const ahead = gpu.profile.software ? null : new Map(trial.ways.map((way) => [way.id, prepare(way)]));
  try {
    const verdict = await holdContest({
      incumbent: before,
      challengers: others,
      deadline,
      signal,
      now: () => performance.now(),
      async verify(id) {
        const way = trial.ways.find((one) => one.id === id);
        if (!way) throw new RidgepointError("bad-option", `tune: ${trial.role} has no way "${id}"`);
        const prepared = await (ahead?.get(id) ?? prepare(way));
        if ("cause" in prepared) {
          // A variant that does not compile here is no candidate; a lost device is not its fault.
          const { cause } = prepared;
          if (cause instanceof RidgepointError && cause.code === "shader") return cause.message;
          throw cause;
        }
        ready.set(id, prepared.ready);
        return (await bench.verify(prepared.ready)).fault;
      },
      async sample(id) {
        const pace = paces.get(id) ?? (await paceOf(gpu, (ready.get(id) as Ready).fill));
        paces.set(id, pace);
        return sampleNs(gpu, pace);
      },
    });
    gpu.check();
    return verdict;
  } finally {
    bench.dispose();
  }
}
