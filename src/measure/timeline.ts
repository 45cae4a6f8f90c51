/**
 * A profile's forwards and kernels as a Chrome trace (the Trace Event Format, read by chrome://tracing and Perfetto), each event with its FLOP and bytes.
 * Durations are measured, places are not: what was timed one by one is laid end to end, and the bubble, whose parts have no place, comes last.
 */

/** One dispatch of a forward. */
export interface TimelineDispatch {
  readonly kernel: string;
  readonly variant: string;
  readonly role: string;
  readonly layer: number | null;
  readonly shape: Readonly<Record<string, number>>;
  readonly flops: number;
  readonly bytes: number;
  /** null where the clock gave nothing. */
  readonly ns: number | null;
}

/** One forward of a profiled run. */
export interface TimelineForward {
  readonly phase: string;
  readonly rows: number;
  /** Tokens it made known. */
  readonly revealed: number;
  /** GPU time of the whole forward as it is shipped, where it was timed so. */
  readonly passNs: number | null;
  readonly dispatches: readonly TimelineDispatch[];
}

/** A profiled run in a trace. */
export interface TracedRun {
  /** Model and decoding. */
  readonly name: string;
  readonly timeline: readonly TimelineForward[];
  readonly bubbleNs: number;
}

/** An event of the format; times in µs. */
export interface TraceEvent {
  readonly name: string;
  /** `X`: with a duration; `M`: names a track. */
  readonly ph: "X" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface ChromeTrace {
  readonly displayTimeUnit: "ns";
  readonly traceEvents: readonly TraceEvent[];
  readonly otherData: Readonly<Record<string, unknown>>;
}

const TRACKS = ["forwards", "kernels", "bubble"] as const;

const total = (dispatches: readonly TimelineDispatch[], pick: (dispatch: TimelineDispatch) => number): number =>
  dispatches.reduce((sum, dispatch) => sum + pick(dispatch), 0);

/** Work and what comes of it over a time: rates only where there is a time. */
function work(flops: number, bytes: number, ns: number | null) {
  const rates = ns ? { gflops: flops / ns, gbps: bytes / ns } : {};
  return { flops, bytes, intensity: bytes > 0 ? flops / bytes : 0, ...rates };
}

function eventsOf({ name, timeline, bubbleNs }: TracedRun, pid: number): TraceEvent[] {
  const named = (what: string, args: object, tid = 0): TraceEvent => ({ name: what, ph: "M", pid, tid, args: { ...args } });
  const events = [named("process_name", { name }), ...TRACKS.map((track, tid) => named("thread_name", { name: track }, tid))];
  let at = 0;
  for (const { phase, rows, revealed, passNs, dispatches } of timeline) {
    const kernelsNs = total(dispatches, ({ ns }) => ns ?? 0);
    // Kernels timed alone may take longer than together: then they are what the forward is drawn with.
    const span = Math.max(passNs ?? 0, kernelsNs);
    const sums = work(
      total(dispatches, (one) => one.flops),
      total(dispatches, (one) => one.bytes),
      passNs ?? kernelsNs,
    );
    const args = { rows, revealed, passNs, kernelsNs, ...sums };
    events.push({ name: phase, ph: "X", cat: "forward", pid, tid: 0, ts: at / 1000, dur: span / 1000, args });
    let start = at;
    for (const { kernel, variant, role, layer, shape, flops, bytes, ns } of dispatches) {
      const details = { kernel, variant, layer, shape, ns, ...work(flops, bytes, ns) };
      events.push({ name: role, ph: "X", cat: phase, pid, tid: 1, ts: start / 1000, dur: (ns ?? 0) / 1000, args: details });
      start += ns ?? 0;
    }
    at += span;
  }
  const note = "wall time with no forward on the GPU, all of it: submits, readbacks, the host";
  if (bubbleNs > 0) {
    events.push({ name: "bubble", ph: "X", cat: "bubble", pid, tid: 2, ts: at / 1000, dur: bubbleNs / 1000, args: { note } });
  }
  return events;
}

/** A trace of profiled runs, each a process of its own. Its events' work adds up to that of the profiles. */
export function chromeTrace(runs: readonly TracedRun[], otherData: Readonly<Record<string, unknown>> = {}): ChromeTrace {
  return { displayTimeUnit: "ns", traceEvents: runs.flatMap((run, i) => eventsOf(run, i + 1)), otherData };
}
