/** The runs of a `compare` document into what its report says first: one line per model and decoding, and what they cost. Pure. */
import type { DeviceProfile } from "../gpu/profile";
import { groupRows, keyOfKernel, mergeKernelRows } from "./kernel-table";
import { type Interval, shareInterval95 } from "./statistics";
import type { Calibration, KernelRow, PhaseRow } from "./types";

/** One prompt, decoded one way, as `compare` writes it. */
export interface ReportRun {
  readonly model: string;
  readonly family: string;
  /** Options, and how they are called. */
  readonly decoding: Readonly<object> & { readonly name?: string };
  readonly prompt: string;
  readonly text: string;
  readonly finishReason?: string;
  readonly timings: ReportTimings;
  readonly tokensPerSecond: number;
  readonly forwards: number;
  readonly tokensPerForward: number;
  readonly rowsPerForward: number;
  readonly flopsPerToken: number;
  readonly bytesPerToken: number;
  readonly arithmeticIntensity: number;
  readonly exactMatch?: boolean;
  readonly phases?: readonly PhaseRow[];
  readonly kernels?: readonly KernelRow[];
  readonly bubbleNs?: number | null;
  readonly dispatches?: number;
  readonly submits?: number;
  readonly readbacks?: number;
}

export interface ReportTimings {
  readonly wallNs: number;
  readonly sumOfFloorsNs?: number;
  readonly sumOfKernelsNs?: number;
  readonly stepNs?: number;
}

/** What {@link renderReport} draws: the document of `ridgepoint compare --json`. */
export interface CompareDocument {
  readonly schema?: string;
  readonly command?: string;
  /** As it was typed. */
  readonly commandLine?: string;
  /** ISO 8601, when it was measured. */
  readonly date?: string;
  readonly device: DeviceProfile & { readonly browser?: string };
  readonly calibration: Calibration;
  readonly runs: readonly ReportRun[];
}

/** All prompts of one model and decoding. */
export interface Contestant {
  readonly model: string;
  readonly family: string;
  readonly decoding: string;
  /** Colour: contestants of one model share it. */
  readonly series: number;
  readonly runs: readonly ReportRun[];
  readonly tokens: number;
  readonly tokensPerSecond: number;
  readonly tokensPerForward: number;
  readonly rowsPerForward: number;
  readonly flopsPerToken: number;
  readonly bytesPerToken: number;
  readonly arithmeticIntensity: number;
  readonly answered: number;
  readonly matches: number;
  readonly matchInterval: Interval | null;
  /** Rows of all profiled runs, one a kernel whatever its shape; empty without a profile. */
  readonly kernels: readonly KernelRow[];
  readonly shapesOf: ReadonlyMap<KernelRow, readonly KernelRow["shape"][]>;
  readonly profiled: ReportRun | null;
}

/** What a contestant is called on the page. */
export const nameOf = ({ model, decoding }: Pick<Contestant, "model" | "decoding">): string => `${model} · ${decoding}`;

/** One contestant for each model and decoding, in the order of the runs; rates are totals over totals. */
export function contestants({ runs }: CompareDocument): Contestant[] {
  const models = [...new Set(runs.map((run) => run.model))];
  const groups = new Map<string, ReportRun[]>();
  for (const run of runs) {
    const key = JSON.stringify([run.model, decodingName(run)]);
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()].map((group) => contestant(group as [ReportRun, ...ReportRun[]], models));
}

function contestant(runs: readonly [ReportRun, ...ReportRun[]], models: readonly string[]): Contestant {
  const total = (pick: (run: ReportRun) => number) => runs.reduce((sum, run) => sum + pick(run), 0);
  const tokensOf = (run: ReportRun) => run.tokensPerForward * run.forwards;
  const [tokens, forwards, wallNs] = [total(tokensOf), total((run) => run.forwards), total((run) => run.timings.wallNs)];
  const flops = total((run) => run.flopsPerToken * tokensOf(run));
  const bytes = total((run) => run.bytesPerToken * tokensOf(run));
  const answered = runs.filter((run) => run.exactMatch !== undefined);
  const matches = answered.filter((run) => run.exactMatch).length;
  const tables = runs.map((run) => run.kernels ?? []);
  const kernels = mergeKernelRows(tables, { shapes: "together" });
  const shapes = new Map(
    groupRows(tables.flat(), keyOfKernel).map((group) => [keyOfKernel(group[0]), group.map((row) => row.shape)]),
  );
  const [{ model, family }] = runs;
  return {
    model,
    family,
    decoding: decodingName(runs[0]),
    series: models.indexOf(model),
    runs,
    tokens,
    tokensPerSecond: tokens / (wallNs / 1e9),
    tokensPerForward: tokens / forwards,
    rowsPerForward: total((run) => run.rowsPerForward * run.forwards) / forwards,
    flopsPerToken: flops / tokens,
    bytesPerToken: bytes / tokens,
    arithmeticIntensity: flops / bytes,
    answered: answered.length,
    matches,
    matchInterval: answered.length ? shareInterval95(matches, answered.length) : null,
    kernels,
    shapesOf: new Map(kernels.map((row) => [row, shapes.get(keyOfKernel(row)) ?? [row.shape]])),
    profiled: runs.find((run) => run.kernels?.length) ?? null,
  };
}

function decodingName({ decoding }: ReportRun): string {
  const { name, ...options } = decoding as Readonly<Record<string, unknown>>;
  if (typeof name === "string") return name;
  const words = Object.entries(options).map(([key, value]) => `${key} ${String(value)}`);
  return words.join(", ") || "default";
}

/** Where the wall time of a profiled run went, in ns: least possible, above it in kernels, between kernels, outside the GPU's steps. */
export interface Account {
  readonly floors: number;
  readonly aboveFloors: number;
  readonly betweenKernels: number;
  readonly outside: number;
  readonly wall: number;
}

/** Parts that add up to the profiled wall time; null where the run was not profiled. A part that comes out negative (kernels timed alone) is 0. */
export function accountOf({ timings, bubbleNs }: ReportRun): Account | null {
  const { sumOfFloorsNs: floors, sumOfKernelsNs: kernels, stepNs: step } = timings;
  if (floors === undefined || kernels === undefined || step === undefined || !(step > 0)) return null;
  // The profiled run's own wall time, where it is known: `wallNs` may be that of a timed run.
  const wall = Math.max(step, step + (bubbleNs ?? timings.wallNs - step));
  const inKernels = Math.min(kernels, step);
  const least = Math.min(floors, inKernels);
  return {
    floors: least,
    aboveFloors: inKernels - least,
    betweenKernels: step - inKernels,
    outside: wall - step,
    wall,
  };
}
