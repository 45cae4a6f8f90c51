/** The autotuner for real, on small shapes: what it chooses runs and is right, what is wrong is never chosen, what is kept is found again. */
import { afterEach, describe, expect, test } from "vitest";
import { useTuning } from "../../src/adapters/tuning";
import { codeOf } from "../../src/kernels/dispatch";
import { chooseLinear, linearVariant, linearVariants } from "../../src/kernels/linear";
import type { LinearLayer } from "../../src/measure/trials/linear-trial";
import { deviceKey } from "../../src/measure/tuning/device-key";
import { type TuneOptions, tune } from "../../src/measure/tuning/tune";
import { tuneKernels } from "../../src/measure/tuning/tune-kernels";
import type { TuningEntry } from "../../src/measure/tuning/tuning-entry";
import { openTuningStore } from "../../src/measure/tuning/tuning-store";
import { linearSubjects, type TuningSubject } from "../../src/measure/tuning/tuning-subjects";
import { testGpu } from "../support/goldens";

const LAYER: LinearLayer = { role: "o_proj", format: "q8", inFeatures: 96, outFeatures: 130, residual: true };
const LONG: TuneOptions = { budgetMs: 60_000 };

const forget = async () => {
  const store = await openTuningStore();
  await store.clear(deviceKey((await testGpu()).profile));
  store.close();
  (await testGpu()).tuning = {};
};
afterEach(forget);

test("a small shape is tuned: a right variant for each class, remembered the next time", { timeout: 120_000 }, async () => {
  const gpu = await testGpu();
  const buffers = gpu.buffers.count;
  const progress: number[] = [];
  const options = { ...LONG, rows: [1, 8], onProgress: ({ loaded }: { loaded: number }) => void progress.push(loaded) };
  const first = await tuneKernels(gpu, { layers: [LAYER] }, options);
  expect(first).toMatchObject({ decided: 2, remembered: 0, undecided: [], notKept: null, clock: "gpu" });
  expect(progress).toEqual([0, 1, 2]);
  expect(Object.keys(first.tuning)).toEqual(["linear q8 1 96x130", "linear q8 8 96x130"]);
  const able = linearVariants(gpu.profile, "q8").filter(({ rounds }) => rounds === undefined);
  for (const { variant, before, speedup, rounds, reason, rejected } of first.document.entries) {
    expect(able.map(({ id }) => id)).toContain(variant);
    expect(rejected).toEqual([]);
    expect(reason).toBe(variant === before ? "kept" : "faster");
    if (variant !== before) {
      expect(speedup).toBeGreaterThanOrEqual(1.05);
      for (const round of rounds) expect((round[before] ?? 0) / (round[variant] ?? 0)).toBeGreaterThanOrEqual(1.05);
    }
    expect(Object.keys(rounds[0] ?? {}).length).toBeGreaterThan(1);
  }
  expect(gpu.tuning).toEqual(first.tuning);
  expect(gpu.buffers.count).toBe(buffers);
  const again = await tuneKernels(gpu, { layers: [LAYER] }, options);
  expect(again).toMatchObject({ decided: 0, remembered: 2, tuning: first.tuning });
  expect(again.document).toEqual(first.document);

  // A document goes through JSON to an equal device, and decides there.
  gpu.tuning = {};
  useTuning(gpu, JSON.parse(JSON.stringify(first.document)));
  expect(gpu.tuning).toEqual(first.tuning);
  const query = { format: "q8", rows: 9, inFeatures: 96, outFeatures: 130 } as const;
  expect(chooseLinear(gpu.profile, gpu.tuning, query).id).toBe(first.tuning["linear q8 8 96x130"]);
});

/** A subject whose every way is spoiled, but for those that are named. */
function spoiled(subject: TuningSubject, right: readonly string[]): TuningSubject {
  const trial = () => {
    const made = subject.trial();
    return {
      ...made,
      check: (...given: Parameters<typeof made.check>) => {
        const [, way] = given;
        return right.includes(way.id) ? made.check(...given) : { fault: "element 0: spoiled", maxError: 1 };
      },
    };
  };
  return { ...subject, trial };
}

const subjectOf = async (rows = 1): Promise<TuningSubject> => {
  const { profile } = await testGpu();
  return linearSubjects(profile, [LAYER], { rows: [rows], approximate: false })[0] as TuningSubject;
};

describe("what is wrong on the device", () => {
  test("is never chosen, however fast", { timeout: 60_000 }, async () => {
    const gpu = await testGpu();
    const subject = await subjectOf();
    const report = await tune(gpu, [spoiled(subject, [subject.before])], { ...LONG, storage: "none" });
    expect(report.tuning).toEqual({ [subject.key]: subject.before });
    expect(report.document.entries[0]?.rejected.map(({ id }) => id)).toEqual(subject.others);
    expect(report.notKept).toBe("storage is off");
  });

  test("gives its place up to what is right", { timeout: 60_000 }, async () => {
    const gpu = await testGpu();
    const subject = await subjectOf();
    const other = subject.others[0] as string;
    const report = await tune(gpu, [spoiled(subject, [other])], { ...LONG, storage: "none" });
    expect(report.tuning).toEqual({ [subject.key]: other });
    expect(report.document.entries[0]?.reason).toBe("only-right");
  });

  test("all of it: nothing is decided", { timeout: 60_000 }, async () => {
    const gpu = await testGpu();
    const subject = await subjectOf();
    const report = await tune(gpu, [spoiled(subject, [])], { ...LONG, storage: "none" });
    expect(report).toMatchObject({ tuning: {}, undecided: [{ key: subject.key, reason: "none-right" }] });
    expect(gpu.tuning).toEqual({});
  });

  test("code that does not compile is rejected with the compiler's words", { timeout: 60_000 }, async () => {
    const gpu = await testGpu();
    const subject = await subjectOf();
    const bad = subject.others[0] as string;
    const trial = () => {
      const made = subject.trial();
      const ways = made.ways.map((way) => {
        if (way.id !== bad) return way;
        return {
          ...way,
          steps: way.steps.map((step) => ({ ...step, kernel: { ...step.kernel, wgsl: { source: "fn main( {" } } })),
        };
      });
      return { ...made, ways };
    };
    const report = await tune(gpu, [{ ...subject, trial }], { ...LONG, storage: "none" });
    const rejected = report.document.entries[0]?.rejected ?? [];
    expect(rejected.map(({ id }) => id)).toEqual([bad]);
    expect(rejected[0]?.fault).toMatch(/expected/);
    gpu.check();
  });
});

test("a budget that is over before it begins decides nothing, and frees everything", async () => {
  const gpu = await testGpu();
  const buffers = gpu.buffers.count;
  const report = await tuneKernels(gpu, { layers: [LAYER] }, { budgetMs: 0.001, rows: [1, 8], storage: "none" });
  expect(report.undecided.map(({ reason }) => reason)).toEqual(["out-of-time", "out-of-time"]);
  expect(report).toMatchObject({ decided: 0, tuning: {} });
  expect(gpu.buffers.count).toBe(buffers);
});

test("an abort is an error, and leaves no buffers", async () => {
  const gpu = await testGpu();
  const buffers = gpu.buffers.count;
  const stop = new AbortController();
  const options = { ...LONG, rows: [1, 8], storage: "none" as const, signal: stop.signal, onProgress: () => stop.abort() };
  await expect(tuneKernels(gpu, { layers: [LAYER] }, options)).rejects.toMatchObject({ code: "abort" });
  expect(gpu.buffers.count).toBe(buffers);
});

test.each([
  [{ budgetMs: 0 }, /budgetMs: expected ms above 0, came 0/],
  [{ budget: 5 } as TuneOptions, /there is no option "budget": expected some of budgetMs/],
  [{ rows: [3] }, /rows: expected some of 1, 2, 4/],
  [{ storage: "disk" } as unknown as TuneOptions, /storage: expected indexeddb or none, came disk/],
])("options %j are refused", async (options, message) => {
  await expect((async () => tuneKernels(await testGpu(), { layers: [LAYER] }, options))()).rejects.toThrow(message);
});

test("variants that round their inputs are candidates only where that is wanted", async () => {
  const { profile } = await testGpu();
  const idsOf = (approximate: boolean) => {
    const { before, others } = linearSubjects(profile, [LAYER], { rows: [32], approximate })[0] as TuningSubject;
    return [before, ...others];
  };
  const rounding = linearVariants(profile, "q8").filter(({ rounds }) => rounds !== undefined);
  for (const { id } of rounding) {
    expect(idsOf(false)).not.toContain(id);
    expect(idsOf(true)).toContain(id);
  }
  for (const id of idsOf(false)) expect(linearVariant(id).rounds).toBeUndefined();
});

describe("the browser's store", () => {
  const entry = (changed: Partial<TuningEntry> = {}): TuningEntry => ({
    ...{
      key: "linear q4 1",
      variant: "gemv_lane",
      before: "gemv_reg",
      reason: "faster",
      speedup: 1.5,
      rounds: [],
      rejected: [],
      untried: [],
    },
    ...{ clock: "gpu", candidates: "00", at: Date.now() },
    ...changed,
  });
  const device = "a device of this test";

  test("keeps entries by device, class and candidates, and forgets them when they are old", async () => {
    const store = await openTuningStore();
    expect(store.fault).toBeNull();
    await store.clear(device);
    await store.put(device, [entry(), entry({ key: "linear q4 8", variant: "gemm_reg" })]);
    expect(await store.get(device, "linear q4 1", "00")).toEqual(entry({ at: (await store.all(device))[0]?.at as number }));
    expect(await store.get(device, "linear q4 1", "01")).toBeNull();
    expect(await store.get(device, "linear q4 2", "00")).toBeNull();
    expect(await store.get("another", "linear q4 1", "00")).toBeNull();
    expect((await store.all(device)).map(({ key }) => key).sort()).toEqual(["linear q4 1", "linear q4 8"]);
    await store.put(device, [entry({ variant: "gemv_reg" })]);
    expect((await store.get(device, "linear q4 1", "00"))?.variant).toBe("gemv_reg");
    store.close();
    const later = await openTuningStore(undefined, () => Date.now() + 31 * 24 * 3600 * 1000);
    expect(await later.get(device, "linear q4 1", "00")).toBeNull();
    expect(await later.all(device)).toEqual([]);
    await later.clear(device);
    later.close();
    const empty = await openTuningStore();
    expect(await empty.all(device)).toEqual([]);
    empty.close();
  });

  test("the code of every candidate is in what is looked for", async () => {
    const subject = await subjectOf();
    const codes = subject.codes();
    expect(codes.map(({ id }) => id)).toEqual([subject.before, ...subject.others]);
    const trial = subject.trial();
    for (const way of trial.ways) {
      expect(codes.find(({ id }) => id === way.id)?.code).toBe(way.steps.map(({ kernel }) => codeOf(kernel)).join("\n"));
    }
  });
});
