/** One task of a sweep into a point: runs it on a session, as often as it takes, and sums up. Failures that a sweep survives become points too. */
import type { Calibration, GenerationResult, Prompt, SweepPoint, SweepResult, SweepStatus, SweepTask } from "../src/index";
import { predictedTokensPerSecond, spread } from "../src/index";
import { evaluate, promptFor, summarizeEvaluation } from "./evaluation";
import type { Problem } from "./evaluation-dataset";
import { describeError } from "./output";
import type { LoadedModel } from "./protocol";
import type { Session } from "./session";
import { type KnownModel, promptIds } from "./sweep-prompts";

/** What the points of a sweep share. */
export interface PointContext {
  readonly session: Session;
  readonly loaded: LoadedModel;
  readonly known: KnownModel;
  readonly calibration: Calibration;
  /** Timed runs of a point, at most. */
  readonly repetitions: number;
  /** Of the dataset, for sweeps that answer one. */
  readonly problems: readonly Problem[];
}

/** A point is not run again after this long, ns. */
const ENOUGH_NS = 3e9;
/** A first run this short only warms up. */
const WARM_UP_NS = 1e9;

/** Codes of errors that are results of a sweep. */
const STATUS: Readonly<Record<string, SweepStatus>> = {
  "out-of-memory": "out-of-memory",
  timeout: "timeout",
  "context-overflow": "does-not-fit",
  "device-lost": "lost",
  browser: "lost",
};

/** After these the page is gone, or still busy with what took too long. */
export const ENDS_SESSION: ReadonlySet<SweepStatus> = new Set(["timeout", "lost", "out-of-memory"]);

/** FNV-1a over ids. */
function digestOf(lists: readonly (readonly number[])[]): string {
  let state = 0x811c9dc5;
  for (const id of lists.flatMap((ids) => [ids.length, ...ids])) state = Math.imul(state ^ id, 0x01000193);
  return (state >>> 0).toString(16).padStart(8, "0");
}

type Result = Omit<GenerationResult, "canvas" | "trace">;

interface Timed {
  readonly results: readonly Result[];
  readonly wallNs: number;
}

async function runOnce({ session, known }: PointContext, { batch, promptLength, options }: SweepTask): Promise<Timed> {
  const prompt = (sequence: number): Prompt => ({ ids: promptIds(known, promptLength ?? 0, sequence) });
  if (batch > 1) {
    const prompts = Array.from({ length: batch }, (_, sequence) => prompt(sequence));
    return session.call("generateBatch", { prompts, options });
  }
  const result = await session.call("generate", { prompt: prompt(0), options, stream: false });
  return { results: [result], wallNs: result.timings.wallNs };
}

async function runTimed(context: PointContext, task: SweepTask): Promise<SweepResult> {
  const first = await runOnce(context, task);
  const runs = first.wallNs < WARM_UP_NS ? [] : [first];
  let spentNs = runs.length > 0 ? first.wallNs : 0;
  while (runs.length < context.repetitions && (runs.length === 0 || spentNs < ENOUGH_NS)) {
    const run = await runOnce(context, task);
    spentNs += run.wallNs;
    runs.push(run);
  }
  const { results } = runs[0] as Timed;
  const sum = (pick: (result: Result) => number): number => results.reduce((total, result) => total + pick(result), 0);
  const tokens = sum(({ usage }) => usage.completionTokens);
  const forwards = sum((result) => result.forwards);
  const flops = sum((result) => result.flopsPerToken * Math.max(1, result.usage.completionTokens));
  const bytes = sum((result) => result.bytesPerToken * Math.max(1, result.usage.completionTokens));
  const work = { flopsPerToken: flops / tokens, arithmeticIntensity: flops / bytes };
  return {
    wallNs: spread(runs.map(({ wallNs }) => wallNs)),
    samples: runs.map(({ wallNs }) => wallNs),
    ttftNs: Math.min(...results.map(({ timings }) => timings.ttftNs)),
    tokens,
    tokensPerSecond: spread(runs.map(({ wallNs }) => (tokens * 1e9) / wallNs)),
    forwards,
    tokensPerForward: tokens / forwards,
    rowsPerForward: sum((result) => result.rowsPerForward * result.forwards) / forwards,
    ...work,
    bytesPerToken: bytes / tokens,
    dispatches: Math.max(...results.map(({ dispatches }) => dispatches)),
    submits: Math.max(...results.map(({ submits }) => submits)),
    readbacks: Math.max(...results.map(({ readbacks }) => readbacks)),
    predictedTokensPerSecond: predictedTokensPerSecond(work, context.calibration),
    digest: digestOf(results.map(({ ids }) => ids)),
  };
}

async function runDataset(context: PointContext, { options, model, sweep }: SweepTask): Promise<SweepResult> {
  const { session, loaded, problems } = context;
  const records = await evaluate(session, {
    conditions: { model, weights: null, device: session.device.vendor, judge: "number", options, batch: 1 },
    problems,
    promptOf: promptFor(loaded.info),
    done: [],
    title: `sweep ${sweep}`,
  });
  const { n, accuracy, confidence95, tokens, forwards, tokensPerForward, rowsPerForward, flopsPerToken } =
    summarizeEvaluation(records);
  const walls = records.map(({ wallNs }) => wallNs);
  const wallNs = walls.reduce((sum, ns) => sum + ns, 0);
  return {
    wallNs: { median: wallNs, mad: 0 },
    samples: walls,
    ttftNs: null,
    tokens,
    tokensPerSecond: { median: (tokens * 1e9) / wallNs, mad: 0 },
    forwards: forwards * n,
    tokensPerForward: tokensPerForward ?? 0,
    rowsPerForward: rowsPerForward ?? 0,
    flopsPerToken: flopsPerToken ?? 0,
    bytesPerToken: null,
    arithmeticIntensity: null,
    dispatches: null,
    submits: null,
    readbacks: null,
    predictedTokensPerSecond: null,
    digest: digestOf(records.map(({ ids }) => ids)),
    accuracy,
    confidence95,
    problems: n,
  };
}

/** A point of an error that a sweep survives; rethrows any other. */
export function failedPoint(task: SweepTask, cause: unknown): SweepPoint {
  const { code, message } = describeError(cause);
  const status = STATUS[code];
  if (status === undefined) throw cause;
  return { ...task, status, message, result: null };
}

/** Measures a task. Throws what is no result of a sweep. */
export async function measurePoint(context: PointContext, task: SweepTask): Promise<SweepPoint> {
  try {
    const result = await (task.promptLength === null ? runDataset(context, task) : runTimed(context, task));
    return { ...task, status: "ok", result };
  } catch (cause) {
    return failedPoint(task, cause);
  }
}
