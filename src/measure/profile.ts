/** A profile of a real run: the same generation once as it is shipped (step mode), once timed kernel by kernel, set against the device's roof. */
import type { Forwarded } from "../decode/runner";
import type { ForwardKind, GenerationResult, Step } from "../decode/step";
import type { Dispatch } from "../kernels/dispatch";
import type { Engine } from "../model/engine";
import { kernelTable, phaseTable, type TimedDispatch } from "./kernel-table";
import { kernelTimes } from "./kernel-times";
import { type PairedForward, type PairedOptions, type PairedProfile, pairKernels } from "./paired";
import type { TimelineForward } from "./timeline";
import type { Calibration, KernelRow, PhaseRow } from "./types";

/** `trace`: one compute pass a dispatch, which perturbs; `kernel`: each distinct dispatch repeated, by difference of two counts. */
export type ProfileMode = "trace" | "kernel";

export type Clock = "gpu" | "host";

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
  /** Whose clock it was: the GPU's, or, without `timestamp-query`, the host's, which counts submits in and cannot see a short kernel. */
  readonly clock: Clock;
  /** Step of the GPU's clock. */
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
        const time = times?.(dispatch);
        const ns = time?.ns ?? dispatchNs?.[i] ?? null;
        timed.push({ kernel, variant, role, phase, shape, flops, bytes, loads, ns, ...(time && { errorNs: time.errorNs }) });
      });
      if (timeline) {
        const own = timed.slice(timed.length - dispatches.length);
        const parts = own.map(({ loads, phase: _, errorNs, ...rest }, i) => ({
          ...rest,
          layer: (dispatches[i] as Dispatch).layer,
        }));
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
      clock: quantum === null ? "host" : "gpu",
      quantumNs: quantum,
      mode: chosen,
      ...(timeline && { timeline: forwards }),
    };
  } finally {
    engine.timing = "off";
  }
}

/** The middle forward of each phase, in order of appearance: shapes grow with the answer, and its are neither the first nor the last. */
function middleForwards(forwards: readonly Forwarded[], family: string, cached: boolean): PairedForward[] {
  const phases = new Map<string, Forwarded[]>();
  for (const forward of forwards) {
    const phase = phaseOf(forward.kind, family, cached);
    phases.set(phase, [...(phases.get(phase) ?? []), forward]);
  }
  return [...phases].flatMap(([phase, list]) => {
    const { dispatches, plans } = list[list.length >> 1] as Forwarded;
    return plans ? [{ phase, dispatches, plans }] : [];
  });
}

/** Runs a generation for its forwards, then times the kernels of one forward of each phase in turns with a sentinel: see {@link pairKernels}. */
export async function pairGeneration(
  engine: Engine,
  rerun: Rerun,
  calibration: Calibration,
  { family, cached, ...options }: Pick<ProfileRequest, "family" | "cached"> & PairedOptions,
): Promise<PairedProfile> {
  const steps: Forwarded[] = [];
  try {
    engine.timing = "step";
    await drain(rerun((forward) => steps.push(forward)));
    engine.timing = "off";
    return await pairKernels(engine, middleForwards(steps, family, cached), calibration, options);
  } finally {
    engine.timing = "off";
  }
}
