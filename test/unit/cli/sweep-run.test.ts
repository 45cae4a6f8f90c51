/** A sweep goes on after what ends a page: a new one is opened, nothing is measured twice, and every failure is a point. No browser is started. */
import { expect, test } from "vitest";
import type { LoadedModel } from "../../../cli/protocol";
import type { Session, withSession } from "../../../cli/session";
import { runSweep, type SweepRun } from "../../../cli/sweep-run";
import { type ErrorCode, RidgepointError } from "../../../src/errors";
import { planSweep, type SweepPoint } from "../../../src/index";
import { MODEL_PRESETS } from "../../../src/measure/presets";
import { CALIBRATION } from "../measure/fixtures";

const TASKS = planSweep("length", [{ name: "m", family: "ar", blockLength: null }], {
  values: [4, 8, 16, 32],
  promptLengths: [3],
  genLength: 0,
});

const answer = (tokens: number) => ({
  ids: Array(tokens).fill(7),
  usage: { promptTokens: 3, completionTokens: tokens, totalTokens: tokens + 3 },
  timings: { wallNs: 2e9, ttftNs: 1e8, decodeNs: 1e9 },
  forwards: tokens,
  rowsPerForward: 1,
  flopsPerToken: 1e6,
  bytesPerToken: 1e5,
  dispatches: 10,
  submits: 2,
  readbacks: 2,
});

/** Sessions whose page fails as `failures` says: by tokens asked for, or for every load from the n-th on. */
function faked({ generate = {}, load = {} }: { generate?: Record<number, ErrorCode>; load?: Record<number, ErrorCode> }) {
  const log = { sessions: 0, generated: [] as number[], loads: 0, rooms: [] as unknown[] };
  const fail = (code: ErrorCode | undefined): void => {
    if (code) throw new RidgepointError(code, `${code} here`);
  };
  type Request = { options: { maxNewTokens: number }; prompts?: readonly unknown[] };
  const session = {
    device: CALIBRATION.device,
    call: async (_: string, { options, prompts }: Request) => {
      log.generated.push(options.maxNewTokens);
      fail(generate[options.maxNewTokens]);
      const one = answer(options.maxNewTokens);
      return prompts ? { results: prompts.map(() => one), wallNs: 4e9 } : one;
    },
    load: async (_: unknown, room: unknown) => {
      log.rooms.push(room);
      fail(load[log.loads++]);
      return {} as LoadedModel;
    },
  } as unknown as Session;
  const open: typeof withSession = async (_options, _specs, work) => {
    log.sessions++;
    return work(session);
  };
  return { log, open };
}

async function sweep(
  open: typeof withSession,
  tasks = TASKS,
  more: Partial<SweepRun> = {},
): Promise<{ points: SweepPoint[]; calibrations: number }> {
  const points: SweepPoint[] = [];
  let calibrations = 0;
  const run: SweepRun = {
    options: { adapter: "default", timeout: 1 },
    specs: new Map([["m", { address: "builtin:ar" }]]),
    known: new Map([["m", { config: { ...MODEL_PRESETS["llama-3-8b"], maxPositionEmbeddings: 64 }, textIds: [1, 2] }]]),
    tasks,
    total: tasks.length,
    problems: [],
    repetitions: 1,
    onDevice: async () => {
      calibrations++;
      return CALIBRATION;
    },
    onPoint: (point) => points.push(point),
    open,
    ...more,
  };
  await runSweep(run);
  return { points, calibrations };
}

test("all is well: one session, one load, one calibration", async () => {
  const { log, open } = faked({});
  const { points, calibrations } = await sweep(open);
  expect(points.map(({ status }) => status)).toEqual(["ok", "ok", "ok", "ok"]);
  expect(points[1]?.result).toMatchObject({ tokens: 8, tokensPerForward: 1, arithmeticIntensity: 10 });
  expect(log).toMatchObject({ sessions: 1, loads: 1, generated: [4, 8, 16, 32], rooms: [{ contextLength: 36 }] });
  expect(calibrations).toBe(1);
});

test.each([
  ["timeout", "timeout", 2],
  ["browser", "lost", 2],
  ["device-lost", "lost", 2],
  ["out-of-memory", "out-of-memory", 2],
  ["context-overflow", "does-not-fit", 1],
] as const)("%s: the point says %s, %i sessions, the others are measured once", async (code, status, sessions) => {
  const { log, open } = faked({ generate: { 8: code } });
  const { points, calibrations } = await sweep(open);
  expect(points.map((point) => point.status)).toEqual(["ok", status, "ok", "ok"]);
  expect(points[1]).toMatchObject({ result: null, message: `${code} here` });
  expect(log.generated).toEqual([4, 8, 16, 32]);
  expect(log.sessions).toBe(sessions);
  expect(calibrations).toBe(1);
});

test("a model that does not fit makes points too", async () => {
  const { log, open } = faked({ load: { 0: "out-of-memory", 2: "out-of-memory" } });
  const { points } = await sweep(open);
  expect(points.map(({ status }) => status)).toEqual(["out-of-memory", "ok", "ok", "ok"]);
  expect(log.sessions).toBe(2);
});

test("every batch size gets room of its own, small ones first", async () => {
  const tasks = planSweep("batch", [{ name: "m", family: "ar", blockLength: null }], {
    values: [4, 1],
    promptLengths: [3],
    genLength: 8,
  });
  const { log, open } = faked({ generate: {} });
  await sweep(
    open,
    tasks.filter(({ batch }) => batch === 1),
  );
  expect(log.rooms).toEqual([{ contextLength: 12 }]);
  const four = faked({ load: { 0: "out-of-memory" } });
  const { points } = await sweep(four.open, tasks);
  expect(points.map(({ batch, status }) => [batch, status])[0]).toEqual([1, "out-of-memory"]);
  expect(four.log.rooms[1]).toEqual({ contextLength: 12, sequences: 4 });
  expect(points[1]?.result).toMatchObject({ tokens: 32, tokensPerSecond: { median: 8 }, forwards: 32, flopsPerToken: 1e6 });
});

test("what is no result of a sweep ends it", async () => {
  const { open } = faked({ generate: { 8: "bad-option" } });
  await expect(sweep(open)).rejects.toThrow("bad-option here");
});

test("a browser that never gets as far as a point ends it", async () => {
  const open: typeof withSession = async () => {
    throw new RidgepointError("browser", "it did not start");
  };
  await expect(sweep(open)).rejects.toThrow("it did not start");
});

test("interrupted, the point that was being measured is no point", async () => {
  const { log, open } = faked({ generate: { 8: "browser" } });
  const points: SweepPoint[] = [];
  const ending = (): boolean => log.generated.includes(8);
  const run = sweep(open, TASKS, { ending, onPoint: (point) => points.push(point) });
  await expect(run).rejects.toThrow("interrupted");
  expect(points.map(({ axis }) => axis)).toEqual([4]);
});
