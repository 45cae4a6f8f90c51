/** Models that are loaded with a tuning: what is found or given runs, and computes the same. */
import { expect, test } from "vitest";
import { type LoadOptions, loadModel } from "../../src/adapters/model";
import { bytesSource } from "../../src/formats/byte-source";
import { fetchBytes, openTestGpu } from "../support/goldens";

const GOLDEN = "llama-tied";
const TOKENS = [1, 5, 9, 2, 7, 3, 8, 4, 6];

const filesOf = () =>
  Promise.all(["config.json", "model.safetensors"].map(async (name) => bytesSource(name, await fetchBytes(`${GOLDEN}/${name}`))));

/** Logits of a model that is loaded with such options on a device of its own, and what it was loaded with. */
async function loaded(options: LoadOptions) {
  const gpu = await openTestGpu({});
  try {
    const model = await loadModel(await filesOf(), { ...options, gpu });
    const { logits } = await model.forward({ tokens: TOKENS, attention: "causal" });
    await model.dispose();
    expect(gpu.buffers.count).toBe(0);
    return { logits, tuned: model.tuned, tuning: gpu.tuning };
  } finally {
    gpu.dispose();
  }
}

const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);

test("tune: finds variants for the model's own layers before it is compiled; given back as tuning they run too", {
  timeout: 180_000,
}, async () => {
  const plain = await loaded({});
  expect([plain.tuned, plain.tuning]).toEqual([null, {}]);
  const phases: string[] = [];
  const tune = { budgetMs: 60_000, rows: [8], storage: "none" } as const;
  const tuned = await loaded({ tune, onProgress: ({ phase }) => phases.push(phase) });
  expect([...new Set(phases)]).toEqual(["open", "download", "tune", "compile"]);
  expect(tuned.tuned?.undecided).toEqual([]);
  expect(tuned.tuning).toEqual(tuned.tuned?.tuning);
  expect(Object.keys(tuned.tuning).filter((key) => key.startsWith("linear f32 8 ")).length).toBeGreaterThan(2);
  expect(Object.keys(tuned.tuning).some((key) => key.startsWith("attention f32 "))).toBe(true);
  expect(distance(tuned.logits, plain.logits)).toBeLessThan(1e-4);
  const given = await loaded({ tuning: JSON.parse(JSON.stringify(tuned.tuned?.document)) });
  expect([given.tuned, given.tuning]).toEqual([null, tuned.tuning]);
  expect(given.logits).toEqual(tuned.logits);
});

test("a table of choices decides what runs", async () => {
  const { tuning, logits } = await loaded({ tuning: { "linear f32 8": "gemv_reg" } });
  expect(tuning).toEqual({ "linear f32 8": "gemv_reg" });
  expect(logits.every(Number.isFinite)).toBe(true);
});

test.each<[LoadOptions, RegExp]>([
  [{ tuning: { "linear f32 8": "gemm_nothing" } }, /linear variant "gemm_nothing": expected one of/],
  [{ tuning: { "linear q5 8": "gemv_reg" } }, /expected classes such as/],
  [{ tune: { budgetMs: -1 } }, /budgetMs: expected ms above 0, came -1/],
  [{ tune: { rows: [5] } }, /rows: expected some of/],
  [{ tune: "yes" as unknown as true }, /tune: expected true or options, came yes/],
])("%j is refused", async (options, message) => {
  await expect(loaded(options)).rejects.toMatchObject({ code: "bad-option", message: expect.stringMatching(message) });
});
