/**
 * Every kernel of a forward, alone: checked against float64, then timed, then set against its own floor. And the forwards that they add up to. It takes
 * no model, only its sizes; operands are random.
 */
import { ensure, RidgepointError } from "../errors";
import type { Gpu } from "../gpu/device";
import { lanesOf } from "../kernels/lanes";
import { pad32 } from "../kernels/layer";
import { chooseLinear } from "../kernels/linear";
import type { ModelConfig } from "../model/config";
import { type ForwardMeasurement, forwardOf, type KernelMeasurement, measurementOf } from "./kernel-measurement";
import type { WeightFormats } from "./layout";
import { type LinearLayer, linearTrial } from "./trials/linear-trial";
import { forwardTrials, linearCandidates, type PlannedTrial } from "./trials/model-trials";
import { type Pace, paceOf, sampleNs } from "./trials/pace";
import type { Checked, Way } from "./trials/trial";
import { type Ready, Workbench } from "./trials/workbench";
import type { Calibration } from "./types";

/** What is measured: the kernels of a model's forward, or linear layers alone. */
export type KernelSubject =
  | { readonly config: ModelConfig; readonly formats: WeightFormats }
  | { readonly layers: readonly LinearLayer[] };

export interface KernelBenchOptions {
  /** Rows of the forwards. Default 1, 8, 32 and 128. */
  readonly rows?: readonly number[] | undefined;
  /** Rows of the cache that attention sees, at least those of the forward. Default 256. */
  readonly keys?: number | undefined;
  /** A kernel's file stem, or a role: nothing else is measured. */
  readonly only?: string | undefined;
  /** Every variant of linear layers that the device can run, not just the one that does. */
  readonly variants?: boolean | undefined;
  /** With `variants`: those too that round inputs to f16 or to bytes. */
  readonly approximate?: boolean | undefined;
  /** Without kernels that only options call (guidance, penalties, top-k…). */
  readonly essential?: boolean | undefined;
  readonly samples?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { phase: "kernels"; loaded: number; total: number; what: string }) => void) | undefined;
}

export interface KernelBench {
  readonly kernels: readonly KernelMeasurement[];
  readonly forwards: readonly ForwardMeasurement[];
  /** Whose clock it was: the GPU's, or, without `timestamp-query`, the host's, which counts submits in. */
  readonly clock: "gpu" | "host";
}

const DEFAULT_ROWS = [1, 8, 32, 128];
const DEFAULT_KEYS = 256;
const DEFAULT_SAMPLES = 7;
/** Turns in all, as a multiple of the samples that are wanted. */
const MOST_TURNS = 4;

/** Trials of one number of rows. */
function planned(gpu: Gpu, subject: KernelSubject, rows: number, options: KernelBenchOptions): PlannedTrial[] {
  const { profile, tuning } = gpu;
  const { keys = DEFAULT_KEYS, variants = false, approximate = false, essential = false } = options;
  const which = variants ? (approximate ? "all" : "exact") : undefined;
  if ("config" in subject) {
    const context = { profile, tuning, variants: which } as const;
    return forwardTrials(subject.config, subject.formats, { rows, keys }, context).filter(({ calls }) => !essential || calls > 0);
  }
  return subject.layers.map((layer) => {
    const chosen = chooseLinear(profile, tuning, { ...layer, inFeatures: pad32(layer.inFeatures), rows });
    const candidates = [...new Set([chosen, ...(which ? linearCandidates(profile, layer, which) : [])])];
    const make = () => linearTrial(layer, rows, { variants: candidates, lanes: lanesOf(profile) });
    const stems = [...new Set(candidates.map(({ algorithm }) => algorithm))];
    return { role: layer.role, calls: 1, stems, make, dtype: layer.format, runs: chosen.id };
  });
}

/**
 * Checks and times the kernels of a subject at each number of rows. Buffers that it makes are freed before it returns.
 * @throws `bad-option` for an unknown kernel and for rows that are no count; `abort`; `device-lost`
 */
export async function benchKernels(
  gpu: Gpu,
  subject: KernelSubject,
  calibration: Calibration,
  options: KernelBenchOptions = {},
): Promise<KernelBench> {
  const { rows: given = DEFAULT_ROWS, keys = DEFAULT_KEYS, only, signal, onProgress } = options;
  const wrong = [...given, keys].find((count) => !(Number.isInteger(count) && count > 0));
  ensure(wrong === undefined, "bad-option", () => `rows and keys: expected whole numbers from 1 on, came ${wrong}`);
  const lists = given.map((rows) => planned(gpu, subject, rows, options).map((plan) => ({ rows, plan })));
  const plans = lists.flat().filter(({ plan }) => only === undefined || plan.role === only || plan.stems.includes(only));
  ensure(plans.length > 0, "bad-option", () => {
    const known = [...new Set(lists.flat().flatMap(({ plan }) => [plan.role, ...plan.stems]))];
    return `no kernel "${only}": expected one of ${known.join(", ")}`;
  });
  const kernels: KernelMeasurement[] = [];
  for (const [loaded, { rows, plan }] of plans.entries()) {
    ensure(!signal?.aborted, "abort", "kernels: aborted");
    onProgress?.({ phase: "kernels", loaded, total: plans.length, what: `${plan.role}, ${rows} rows` });
    kernels.push(...(await benchTrial(gpu, plan, rows, calibration, options)));
  }
  gpu.check();
  const clock = gpu.device.features.has("timestamp-query") ? "gpu" : "host";
  const forwards = only === undefined ? given.map((rows) => forwardOf(rows, kernels)) : [];
  return { kernels, forwards, clock };
}

async function benchTrial(
  gpu: Gpu,
  { role, calls, make, dtype, runs }: PlannedTrial,
  rows: number,
  calibration: Calibration,
  { samples = DEFAULT_SAMPLES, signal }: KernelBenchOptions,
): Promise<KernelMeasurement[]> {
  const trial = make();
  const bench = await Workbench.open(gpu, trial);
  try {
    const tested: { way: Way; checked: Checked; pace: Pace | null; ns: number[] }[] = [];
    for (const way of trial.ways) {
      const { ready, checked } = await check(bench, way);
      const pace = ready && checked.fault === null ? await paceOf(gpu, ready.fill) : null;
      tested.push({ way, checked, pace, ns: [] });
    }
    // A short call on a busy machine may take less than nothing by its difference: such a sample is taken again.
    for (let turn = 0; turn < MOST_TURNS * samples; turn++) {
      for (const { pace, ns } of tested) {
        if (pace === null || ns.length >= samples) continue;
        ensure(!signal?.aborted, "abort", "kernels: aborted");
        const time = await sampleNs(gpu, pace);
        if (time !== null) ns.push(time);
      }
    }
    return tested.map(({ way, checked, ns }) => {
      const chosen = runs === undefined || way.id === runs;
      return measurementOf({ trial, way, role, rows, calls, chosen, checked, ns, dtype }, calibration);
    });
  } finally {
    bench.dispose();
  }
}

/** Compiles and checks a way; one that does not compile is wrong, not the end. */
async function check(bench: Workbench, way: Way): Promise<{ ready: Ready | null; checked: Checked }> {
  try {
    const ready = await bench.prepare(way);
    return { ready, checked: await bench.verify(ready) };
  } catch (cause) {
    if (!(cause instanceof RidgepointError && cause.code === "shader")) throw cause;
    return { ready: null, checked: { fault: cause.message, maxError: null } };
  }
}
