/** Runs the tasks of a sweep: model by model, a new browser after a crash or a time-out, every point handed out as it is there. */
import { ensure, RidgepointError } from "../src/errors";
import type { Calibration, SweepPoint, SweepTask } from "../src/index";
import { isEnding } from "./cleanup";
import type { Problem } from "./evaluation-dataset";
import type { ModelSpec } from "./models";
import { ProgressLine } from "./output";
import type { LoadedModel, Room } from "./protocol";
import { type DeviceDocument, type Session, type SessionOptions, withSession } from "./session";
import { ENDS_SESSION, failedPoint, measurePoint } from "./sweep-points";
import type { KnownModel } from "./sweep-prompts";

/** What a sweep runs. */
export interface SweepRun {
  readonly options: SessionOptions;
  readonly specs: ReadonlyMap<string, ModelSpec>;
  readonly known: ReadonlyMap<string, KnownModel>;
  /** Not measured yet, in order. */
  readonly tasks: readonly SweepTask[];
  /** All of the shard: what the progress bar counts. */
  readonly total: number;
  readonly problems: readonly Problem[];
  readonly repetitions: number;
  /** Called once the device is known, before any point; gives its roofs. */
  readonly onDevice: (device: DeviceDocument, calibrate: () => Promise<Calibration>) => Promise<Calibration>;
  readonly onPoint: (point: SweepPoint) => void;
  /** Opens a browser with a page. Default {@link withSession}. */
  readonly open?: typeof withSession;
  /** Whether the command was asked to end. Default {@link isEnding}. */
  readonly ending?: () => boolean;
}

/** Positions that a task needs: prompt and answer, and the rest of a last block that lies on the absolute grid, and one place more. */
function lengthOf({ promptLength, options }: SweepTask): number {
  const answer = options.maxNewTokens ?? (typeof options.genLength === "number" ? options.genLength : 0);
  return (promptLength ?? 0) + answer + (options.blockLength ?? 0) + 1;
}

/** Room for a task: a batch has its own, all others of a model share the largest, so that it is loaded once. */
function roomFor(task: SweepTask, tasks: readonly SweepTask[], { config }: KnownModel): Room {
  // A dataset's prompts are as long as they are.
  if (task.promptLength === null) return {};
  const peers = task.sweep === "batch" ? [task] : tasks.filter(({ model }) => model === task.model);
  const contextLength = Math.min(config.maxPositionEmbeddings, Math.max(...peers.map(lengthOf)));
  return { contextLength, ...(task.batch > 1 && { sequences: task.batch }) };
}

/** Tasks in the order that loads a model and its room as seldom as possible: as planned, batches of a size together. */
const inLoadOrder = (tasks: readonly SweepTask[]): SweepTask[] => {
  const models = [...new Set(tasks.map(({ model }) => model))];
  const rank = ({ sweep, batch, promptLength }: SweepTask): number => (sweep === "batch" ? (promptLength ?? 0) * 1e6 + batch : 0);
  return [...tasks].sort((a, b) => models.indexOf(a.model) - models.indexOf(b.model) || rank(a) - rank(b) || a.index - b.index);
};

/** Runs every task. Failures that a sweep survives are points; whatever else is thrown ends it. */
export async function runSweep(run: SweepRun): Promise<void> {
  const { open = withSession, ending = isEnding } = run;
  const waiting = inLoadOrder(run.tasks);
  const progress = new ProgressLine();
  let calibration: Calibration | null = null;
  const show = (task: SweepTask): void => {
    const loaded = run.total - waiting.length;
    progress.update({ kind: "progress", phase: `sweep ${task.sweep}`, loaded, total: run.total, file: task.key });
  };
  const finish = (point: SweepPoint): boolean => {
    // The browser was closed under it: the point is still to be measured.
    ensure(!ending(), "abort", "interrupted; --resume goes on");
    run.onPoint(point);
    waiting.shift();
    progress.done();
    return ENDS_SESSION.has(point.status);
  };

  const work = async (session: Session): Promise<void> => {
    calibration ??= await run.onDevice(session.device, () => session.call("calibrate", { quick: true }));
    let loadedAs = "";
    let loaded: LoadedModel | null = null;
    for (let task = waiting[0]; task; task = waiting[0]) {
      const known = run.known.get(task.model) as KnownModel;
      const room = roomFor(task, run.tasks, known);
      const as = JSON.stringify([task.model, room]);
      if (as !== loadedAs) {
        try {
          loaded = await session.load(run.specs.get(task.model) as ModelSpec, room);
        } catch (cause) {
          if (finish(failedPoint(task, cause))) return;
          continue;
        }
        loadedAs = as;
      }
      show(task);
      const context = { session, known, calibration, loaded: loaded as LoadedModel };
      const point = await measurePoint({ ...context, repetitions: run.repetitions, problems: run.problems }, task);
      if (finish(point)) return;
    }
  };

  // Every session finishes at least one task, or throws.
  for (let left = waiting.length + 1; waiting.length > 0; ) {
    ensure(waiting.length < left, "browser", () => `the browser ended before ${waiting[0]?.key} was begun`);
    left = waiting.length;
    try {
      await open(run.options, [...run.specs.values()], work);
    } catch (cause) {
      // A page that could not even be closed after its last point was measured.
      if (!(cause instanceof RidgepointError) || cause.code !== "browser" || waiting.length === left) throw cause;
    }
  }
  progress.done();
}
