/** A profile of a real run: the same generation once as it is shipped (step mode), once timed kernel by kernel, set against the device's roof. */
import type { Forwarded } from "../decode/runner";
import type { ForwardKind, GenerationResult, Step } from "../decode/step";
import type { Dispatch } from "../kernels/dispatch";
import type { Engine } from "../model/engine";
import { kernelTable, phaseTable, type TimedDispatch } from "./kernel-table";
import type { TimelineForward } from "./timeline";
import type { Calibration, KernelRow, PhaseRow } from "./types";

/** `trace`: one compute pass a dispatch, which perturbs; `kernel`: each distinct dispatch repeated, by difference of two counts. */
export type ProfileMode = "trace" | "kernel";

export interface Profile {
  /** The step run: the production stream, with two timestamps a forward. Its timings carry the four sums. */
  readonly result: GenerationResult;
  readonly kernels: readonly KernelRow[];
  readonly phases: readonly PhaseRow[];
  /** Wall time of the step run in which no forward was on the GPU: submit, readback (of the timestamps too), host. */
  readonly bubbleNs: number;
  readonly dispatches: number;
  readonly submits: number;
  readonly readbacks: number;
  readonly quantumNs: number | null;
  readonly mode: ProfileMode;
  /** Every forward with its dispatches, in order; only where it was asked for. */
  readonly timeline?: readonly TimelineForward[];
}

export interface ProfileRequest {
  readonly mode?: ProfileMode | undefined;
  readonly family: string;
  /** A cache that full passes refresh. */
  readonly cached: boolean;
  /** Keep every single dispatch, for `chromeTrace`. Default off. */
  readonly timeline?: boolean | undefined;
}

/** A generation that can be run again from its options, and told to report its forwards. */
export type Rerun = (onForward: (forward: Forwarded, dropped: boolean) => void) => AsyncGenerator<Step, GenerationResult, void>;

const PHASES: Readonly<Record<ForwardKind, string>> = {
  prefill: "prefill",
  full: "refresh",
  suffix: "denoise",
  block: "denoise",
  commit: "commit",
  draft: "draft",
  verify: "verify",
};

/** Phase of a forward: a decoded token of an AR model, or a full pass of an uncached diffusion run, has a name of its own. */
function phaseOf(kind: ForwardKind, family: string, cached: boolean): string {
  if (family === "ar" && kind === "commit") return "decode";
  if (kind === "full" && !cached) return "denoise";
  return PHASES[kind];
}

/** A clock this fine resolves single dispatches. */
const TRACE_QUANTUM_NS = 1000;

async function drain(run: AsyncGenerator<Step, GenerationResult, void>): Promise<GenerationResult> {
  for (;;) {
    const next = await run.next();
    if (next.done) return next.value;
  }
}

const keyOf = ({ kernel, variant, role, shape }: Dispatch): string => `${kernel}|${variant}|${role}|${JSON.stringify(shape)}`;

/** Times each distinct dispatch once and gives every call that time. */
async function kernelTimes(engine: Engine, forwards: readonly Forwarded[]): Promise<Map<string, number>> {
  const distinct = new Map<string, Dispatch>();
  for (const { dispatches } of forwards) for (const dispatch of dispatches) distinct.set(keyOf(dispatch), dispatch);
  const times = await engine.timeKernels([...distinct.values()]);
  return new Map([...distinct.keys()].map((key, i) => [key, times[i] as number]));
}

/**
 * Profiles a generation. Runs it two or three times: warm-up, step mode, and (mode "trace") once more with one pass a dispatch.
 * The command stream of the step run is the production one; only timestamps are added.
 */
export async function profileGeneration(
  engine: Engine,
  rerun: Rerun,
  calibration: Calibration,
  { mode, family, cached, timeline = false }: ProfileRequest,
): Promise<Profile> {
  const { timestampQuantumNs: quantum } = engine.gpu.profile;
  const chosen = mode ?? (quantum !== null && quantum <= TRACE_QUANTUM_NS ? "trace" : "kernel");
  const steps: Forwarded[] = [];
  const traced: Forwarded[] = [];
  try {
    engine.timing = "off";
    await drain(rerun(() => {})); // warms up: pipelines, caches, clocks
    engine.timing = "step";
    const stepped = await drain(rerun((forward) => steps.push(forward)));
    engine.timing = chosen === "trace" ? "trace" : "off";
    if (chosen === "trace") await drain(rerun((forward) => traced.push(forward)));
    engine.timing = "off";
    const times = chosen === "kernel" ? await kernelTimes(engine, steps) : null;
    const counts: Record<string, { tokens: number; forwards: number }> = {};
    const timed: TimedDispatch[] = [];
    const forwards: TimelineForward[] = [];
    for (const { kind, dispatches, dispatchNs, passNs, computed, revealed } of chosen === "trace" ? traced : steps) {
      const phase = phaseOf(kind, family, cached);
      counts[phase] ??= { tokens: 0, forwards: 0 };
      counts[phase].tokens += revealed.length;
      counts[phase].forwards += 1;
      dispatches.forEach((dispatch, i) => {
        const { kernel, variant, role, shape, flops, bytes, loads } = dispatch;
        const ns = times ? (times.get(keyOf(dispatch)) ?? null) : (dispatchNs?.[i] ?? null);
        timed.push({ kernel, variant, role, phase, shape, flops, bytes, loads, ns });
      });
      if (timeline) {
        const own = timed.slice(timed.length - dispatches.length);
        const parts = own.map(({ loads, phase: _, ...rest }, i) => ({ ...rest, layer: (dispatches[i] as Dispatch).layer }));
        forwards.push({ phase, rows: computed, revealed: revealed.length, passNs: passNs ?? null, dispatches: parts });
      }
    }
    const kernels = kernelTable(timed, calibration, chosen === "kernel" ? { quantumNs: 1 } : {});
    const sumOfKernelsNs = timed.reduce((sum, { ns }) => sum + (ns ?? 0), 0);
    const sumOfFloorsNs = kernels.reduce((sum, row) => sum + (row.floorNs ?? 0), 0);
    const stepNs = steps.reduce((sum, { passNs }) => sum + (passNs ?? 0), 0);
    return {
      result: { ...stepped, timings: { ...stepped.timings, sumOfFloorsNs, sumOfKernelsNs, stepNs } },
      kernels,
      phases: phaseTable(timed, counts),
      bubbleNs: stepped.timings.wallNs - stepNs,
      dispatches: stepped.dispatches,
      submits: stepped.submits,
      readbacks: stepped.readbacks,
      quantumNs: quantum,
      mode: chosen,
      ...(timeline && { timeline: forwards }),
    };
  } finally {
    engine.timing = "off";
  }
}
