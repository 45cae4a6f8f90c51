/** Models from load to dispose: memory given back, turns kept, aborts, lost devices, streams. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bytesSource,
  type GenerateOptions,
  Gpu,
  type LoadProgress,
  loadModel,
  type Model,
  type RidgepointError,
  type Step,
} from "../../src/index";
import { fetchBytes, testGpu } from "../support/goldens";
import { GENERATION, type RandomModel, randomFiles } from "../support/random-model";

const base = (): string => new URL("/models/", location.href).href;
const QUESTION = "Ben has 12 apples and buys 30 more. How many apples does Ben have?";
const RANDOM: Record<string, RandomModel> = {
  ar: {},
  masked: { maskTokenId: 62, generation: GENERATION.masked },
  block: { maskTokenId: 62, generation: GENERATION.block },
  shifted: { maskTokenId: 62, generation: GENERATION.shifted },
};
const families = Object.keys(RANDOM);
const PROMPT = { ids: [3, 1, 4, 1, 5, 9, 2, 6, 5] };

let gpu: Gpu;
beforeAll(async () => {
  gpu = await testGpu();
});

const open = (name: string, options: Parameters<typeof loadModel>[1] = {}): Promise<Model> =>
  loadModel(randomFiles(RANDOM[name]), { gpu, ...options });

const failure = async (work: Promise<unknown>): Promise<RidgepointError> => {
  try {
    await work;
  } catch (error) {
    return error as RidgepointError;
  }
  throw new Error("expected a failure, came none");
};

async function collect(generation: ReturnType<Model["generate"]>): Promise<Step[]> {
  const steps: Step[] = [];
  for await (const step of generation) steps.push(step);
  return steps;
}

describe("memory", () => {
  test.each(families)("%s: dispose gives back every byte; twice is no matter", async (name) => {
    const [bytes, count] = [gpu.buffers.bytes, gpu.buffers.count];
    const model = await open(name);
    expect(gpu.buffers.bytes).toBeGreaterThan(bytes);
    await model.generate(PROMPT, { maxNewTokens: 8 }).result;
    await model.dispose();
    await model.dispose();
    expect([gpu.buffers.bytes, gpu.buffers.count]).toEqual([bytes, count]);
  });

  test.each(families)("%s: generations take nothing that they do not give back", async (name) => {
    const model = await open(name);
    const [bytes, count] = [gpu.buffers.bytes, gpu.buffers.count];
    for (let i = 0; i < 4; i++) await model.generate(PROMPT, { maxNewTokens: 4 * (i + 1), temperature: i, seed: i }).result;
    await model.forward({ tokens: PROMPT.ids, attention: "causal" });
    expect([gpu.buffers.bytes, gpu.buffers.count]).toEqual([bytes, count]);
    await model.dispose();
  });

  test("a model with a device of its own closes it; one that was lent stays open", async () => {
    const own = await loadModel(randomFiles(), {});
    expect(own.gpu).not.toBe(gpu);
    await own.dispose();
    expect(own.gpu.buffers.bytes).toBe(0);
    const lent = await open("ar");
    await lent.dispose();
    expect(gpu.check()).toBeUndefined();
    gpu.buffers.destroy(await gpu.buffers.create("probe", 16));
  });

  test("two models on one device do not touch each other", async () => {
    const [a, b] = [await open("ar"), await loadModel(randomFiles({ seed: 2 }), { gpu })];
    const solo = await a.generate(PROMPT, { maxNewTokens: 12 }).result;
    const [first, second] = await Promise.all([
      a.generate(PROMPT, { maxNewTokens: 12 }).result,
      b.generate(PROMPT, { maxNewTokens: 12 }).result,
    ]);
    expect(first.ids).toEqual(solo.ids);
    expect(second.ids).not.toEqual(solo.ids);
    await b.dispose();
    expect((await a.generate(PROMPT, { maxNewTokens: 12 }).result).ids).toEqual(solo.ids);
    await a.dispose();
  });
});

describe("after dispose", () => {
  test("every use is refused, on the device nothing happens", async () => {
    const model = await open("masked");
    const started = model.generate(PROMPT, { maxNewTokens: 8 });
    await model.dispose();
    expect(() => model.generate(PROMPT)).toThrow("disposed");
    for (const work of [
      started.result,
      model.forward({ tokens: [1], attention: "full" }),
      model.replay({ algorithm: "ar", params: {}, mask_id: null, prompt: [1] }),
      model.profile(PROMPT),
    ]) {
      expect((await failure(work)).code).toBe("bad-option");
    }
    expect(gpu.check()).toBeUndefined();
  });

  test("dispose waits for what runs", async () => {
    const model = await open("ar");
    const generation = model.generate(PROMPT, { maxNewTokens: 20 });
    const { result } = generation;
    for await (const _ of generation) break;
    await model.dispose();
    expect((await result).ids).toHaveLength(20);
  });
});

describe("load", () => {
  test("a model that fails to load leaves nothing on the device", async () => {
    const [bytes, count] = [gpu.buffers.bytes, gpu.buffers.count];
    const weights = await fetchBytes("trajectories/llada/model.safetensors");
    const config = bytesSource("config.json", await fetchBytes("trajectories/llada/config.json"));
    const other = bytesSource("config.json", await fetchBytes("trajectories/qwen3/config.json"));
    const gguf = await fetchBytes("gguf-q4_0/model.gguf");
    // Whole to look at, but the bytes of the last tensors cannot be read.
    const failing = { ...bytesSource("model.safetensors", weights), read: bytesSource("", weights).read };
    const broken = {
      ...failing,
      read: async (start: number, end: number) => {
        if (start > weights.length / 2) throw new TypeError("connection reset");
        return failing.read(start, end);
      },
    };
    const loads: [Parameters<typeof loadModel>[0], RegExp][] = [
      [[config, bytesSource("model.safetensors", weights.slice(0, weights.length - 100))], /bad-file/],
      [[config, bytesSource("model.safetensors", weights.slice(0, 40))], /bad-file/],
      [[config, bytesSource("model.safetensors", new Uint8Array(0))], /bad-file/],
      [[bytesSource("model.gguf", gguf.slice(0, gguf.length - 100))], /bad-file/],
      [[bytesSource("model.safetensors", weights)], /bad-config/],
      [[other, bytesSource("model.safetensors", weights)], /missing-tensor|bad-tensor/],
      [[config, broken], /TypeError|network/],
      [[], /bad-|not-found/],
    ];
    for (const [source, expected] of loads) {
      const error = await failure(loadModel(source, { gpu }));
      expect(`${error.code ?? error.name}`).toMatch(expected);
      expect([gpu.buffers.bytes, gpu.buffers.count]).toEqual([bytes, count]);
    }
  });

  test("an abort while weights are read ends the load, and leaves nothing", async () => {
    const [bytes, count] = [gpu.buffers.bytes, gpu.buffers.count];
    for (const phase of ["open", "download"] as const) {
      const controller = new AbortController();
      const onProgress = (progress: LoadProgress): void => {
        if (progress.phase === phase) controller.abort();
      };
      expect((await failure(open("ar", { onProgress, signal: controller.signal }))).code).toBe("abort");
      expect([gpu.buffers.bytes, gpu.buffers.count]).toEqual([bytes, count]);
    }
  });

  test("progress: phases in order, bytes that only grow, to the end", async () => {
    const seen: LoadProgress[] = [];
    await (await open("ar", { onProgress: (progress) => seen.push(progress) })).dispose();
    const phases = seen.map(({ phase }) => phase);
    expect([...new Set(phases)]).toEqual(["open", "download", "compile"]);
    expect(phases).toEqual(
      phases.toSorted((a, b) => ["open", "download", "compile"].indexOf(a) - ["open", "download", "compile"].indexOf(b)),
    );
    const downloads = seen.filter(({ phase }) => phase === "download");
    expect(downloads.map(({ loaded }) => loaded)).toEqual(downloads.map(({ loaded }) => loaded).toSorted((a, b) => a - b));
    expect(downloads.at(-1)?.loaded).toBe(downloads.at(-1)?.total);
    expect(seen.at(-1)).toMatchObject({ phase: "compile", loaded: 1, total: 1 });
    expect(new Set(seen.map(({ file }) => file))).toEqual(new Set(["model.safetensors"]));
  });

  test("contextLength: the default, a smaller one, and those that are refused", async () => {
    const whole = await open("ar");
    expect(whole.info.contextLength).toBe(128);
    await whole.dispose();
    const small = await open("ar", { contextLength: 16 });
    expect(small.info.contextLength).toBe(16);
    expect((await small.generate(PROMPT).result).ids).toHaveLength(7);
    expect(() => small.generate(PROMPT, { maxNewTokens: 8 })).toThrow(/16/);
    expect((await failure(small.forward({ tokens: new Array<number>(17).fill(1), attention: "full" }))).code).toBe(
      "context-overflow",
    );
    await small.dispose();
    const { bytes } = gpu.buffers;
    for (const contextLength of [0, -1, 1.5, 129, Number.NaN]) {
      expect((await failure(open("ar", { contextLength }))).code).toBe("bad-option");
    }
    expect(gpu.buffers.bytes).toBe(bytes);
  });
});

describe("a lost device", () => {
  test("every later use says so", async () => {
    const lost = await Gpu.open();
    const model = await open("ar", { gpu: lost });
    await model.generate(PROMPT, { maxNewTokens: 4 }).result;
    lost.device.destroy();
    expect((await failure(model.generate(PROMPT, { maxNewTokens: 4 }).result)).code).toBe("device-lost");
    expect((await failure(model.forward({ tokens: [1, 2], attention: "causal" }))).code).toBe("device-lost");
    expect((await failure(model.generate(PROMPT, { maxNewTokens: 4 }).result)).code).toBe("device-lost");
    expect((await failure(open("ar", { gpu: lost }))).code).toBe("device-lost");
    await model.dispose();
    expect(lost.buffers.bytes).toBe(0);
    lost.dispose();
  });

  test("in the middle of a generation", async () => {
    const lost = await Gpu.open();
    const model = await open("ar", { gpu: lost });
    const generation = model.generate(PROMPT, { maxNewTokens: 100 });
    const steps = async (): Promise<void> => {
      for await (const _ of generation) lost.device.destroy();
    };
    expect((await failure(steps())).code).toBe("device-lost");
    expect((await failure(generation.result)).code).toBe("device-lost");
    await model.dispose();
    lost.dispose();
  });

  test("the other devices go on", async () => {
    const model = await open("ar");
    expect((await model.generate(PROMPT, { maxNewTokens: 4 }).result).ids).toHaveLength(4);
    await model.dispose();
  });
});

describe("abort", () => {
  test.each(families)("%s: stops after the submit in flight; the model goes on as if nothing had been", async (name) => {
    const model = await open(name);
    const options: GenerateOptions = { maxNewTokens: 32 };
    const whole = await model.generate(PROMPT, options).result;
    for (const after of [1, 3]) {
      const controller = new AbortController();
      const generation = model.generate(PROMPT, { ...options, signal: controller.signal });
      let seen = 0;
      let submitted = 0;
      for await (const step of generation) {
        seen++;
        if (seen === after) {
          submitted = step.forwards;
          controller.abort();
        }
      }
      const result = await generation.result;
      expect(result.finishReason).toBe("abort");
      // At most the submit that was on its way: eight tokens of an autoregressive model, fewer forwards of the others.
      expect(result.forwards - submitted).toBeLessThanOrEqual(8);
      expect(result.submits).toBeLessThanOrEqual(after + 1);
      expect(result.ids).toEqual(whole.ids.slice(0, result.ids.length));
      expect(result.forwards).toBeLessThan(whole.forwards);
    }
    expect((await model.generate(PROMPT, options).result).ids).toEqual(whole.ids);
    await model.dispose();
  });

  test.each(families)("%s: before the start, nothing runs", async (name) => {
    const model = await open(name);
    const generation = model.generate(PROMPT, { maxNewTokens: 8, signal: AbortSignal.abort(), trace: true });
    const result = await generation.result;
    expect(result).toMatchObject({ finishReason: "abort", ids: [], text: "", forwards: 0, submits: 0, dispatches: 0, trace: [] });
    const { ttftNs, prefillNs, decodeNs, wallNs, prompt_ms, predicted_ms } = result.timings;
    for (const time of [ttftNs, prefillNs, decodeNs, wallNs, prompt_ms, predicted_ms]) expect(time).toBeGreaterThanOrEqual(0);
    for (const value of [result.tokensPerForward, result.tokensPerSecond, result.flopsPerToken, result.arithmeticIntensity])
      expect(value).toBe(0);
    await model.dispose();
  });

  test("after the end it changes nothing", async () => {
    const model = await open("ar");
    const controller = new AbortController();
    const generation = model.generate(PROMPT, { maxNewTokens: 4, signal: controller.signal });
    const { finishReason } = await generation.result;
    controller.abort();
    expect([finishReason, (await generation.result).finishReason]).toEqual(["length", "length"]);
    await model.dispose();
  });

  test("of one that waits, while another runs: only the one", async () => {
    const model = await open("ar");
    const controller = new AbortController();
    const running = model.generate(PROMPT, { maxNewTokens: 24 });
    const waiting = model.generate(PROMPT, { maxNewTokens: 24, signal: controller.signal });
    const results = Promise.all([running.result, waiting.result]);
    controller.abort();
    const [first, second] = await results;
    expect([first.finishReason, second.finishReason, second.forwards]).toEqual(["length", "abort", 0]);
    await model.dispose();
  });
});

describe("turns", () => {
  test.each(families)("%s: generations at once each equal their run alone", async (name) => {
    const model = await open(name);
    const calls: [{ ids: number[] }, GenerateOptions][] = [
      [PROMPT, { maxNewTokens: 16 }],
      [{ ids: [7, 7, 8] }, { maxNewTokens: 8, temperature: 1, seed: 3 }],
      [{ ids: [40, 2] }, { maxNewTokens: 24 }],
    ];
    const solo: (readonly number[])[] = [];
    for (const [ids, options] of calls) solo.push((await model.generate(ids, options).result).canvas);
    const together = await Promise.all(calls.map(([ids, options]) => model.generate(ids, options).result));
    expect(together.map(({ canvas }) => canvas)).toEqual(solo);
    const mixed = await Promise.all([
      model.generate(PROMPT, { maxNewTokens: 16 }).result,
      model.forward({ tokens: [5, 6, 7], attention: "causal" }),
      model.generate(PROMPT, { maxNewTokens: 16 }).result,
    ]);
    expect([mixed[0].canvas, mixed[2].canvas]).toEqual([solo[0], solo[0]]);
    await model.dispose();
  });

  test("one that fails does not block the next", async () => {
    const model = await open("ar");
    const bad = model.replay({ algorithm: "nonsense", params: {}, mask_id: null, prompt: [1] });
    const good = model.generate(PROMPT, { maxNewTokens: 4 }).result;
    expect((await failure(bad)).code).toBe("bad-option");
    expect((await good).ids).toHaveLength(4);
    await model.dispose();
  });
});

describe("generations", () => {
  let models: Record<"ar" | "mdlm" | "block", Model>;
  beforeAll(async () => {
    const load = (name: string) => loadModel(`builtin:${name}`, { gpu, builtinBase: base(), contextLength: 192 });
    models = { ar: await load("ar"), mdlm: await load("mdlm"), block: await load("block") };
  }, 120_000);
  afterAll(async () => {
    for (const model of Object.values(models)) await model.dispose();
  });

  /** Options of each family that take few forwards. */
  const all = (options: GenerateOptions = {}): [string, Model, GenerateOptions][] =>
    Object.entries(models).map(([name, model]) => [
      name,
      model,
      { maxNewTokens: 32, ...(name === "ar" ? {} : { threshold: 0.9 }), ...options },
    ]);

  test("deltas are together the text, steps only grow, counts agree with the trace", async () => {
    for (const [name, model, options] of all({ trace: true })) {
      const generation = model.generate(QUESTION, options);
      const steps = await collect(generation);
      const result = await generation.result;
      expect(steps.map(({ delta }) => delta).join(""), name).toBe(result.text);
      expect(result.text).toBe(model.tokenizer?.decode(result.ids, { skipSpecialTokens: true }));
      let text = "";
      let forwards = 0;
      for (const step of steps) {
        text += step.delta;
        expect(step.text).toBe(text);
        expect(step.forwards).toBeGreaterThanOrEqual(forwards);
        forwards = step.forwards;
        for (const { position, id } of step.revealed) expect(step.canvas[position]).toBe(id);
      }
      expect(steps.at(-1)?.forwards).toBe(result.forwards);
      expect(steps.at(-1)?.canvas).toEqual(result.canvas);
      const trace = result.trace ?? [];
      expect(trace).toHaveLength(result.forwards);
      expect(Object.values(result.forwardsByKind).reduce((a, b) => a + b, 0)).toBe(result.forwards);
      for (const [kind, count] of Object.entries(result.forwardsByKind))
        expect(trace.filter((pass) => pass.kind === kind)).toHaveLength(count);
      expect(result.rowsPerForward).toBeCloseTo(trace.reduce((sum, { rows }) => sum + rows.length, 0) / trace.length, 9);
      expect(steps.at(-1)?.rows).toBe(trace.reduce((sum, { rows }) => sum + rows.length, 0));
      const revealed = trace.flatMap((pass) => pass.revealed);
      expect(steps.flatMap((step) => step.revealed)).toEqual(revealed);
      for (const { position, id, confidence } of revealed) {
        expect(result.canvas[position]).toBe(id);
        expect(confidence).toBeGreaterThan(0);
        expect(confidence).toBeLessThanOrEqual(1);
      }
      expect(new Set(revealed.map(({ position }) => position)).size).toBe(revealed.length);
    }
  });

  test("usage, timings and rates agree with each other", async () => {
    for (const [, model, options] of all()) {
      const {
        ids,
        usage,
        timings,
        forwards,
        tokensPerForward,
        tokensPerSecond,
        submits,
        readbacks,
        dispatches,
        flopsPerToken,
        bytesPerToken,
        arithmeticIntensity,
        canvas,
        trace,
      } = await model.generate(QUESTION, options).result;
      expect(trace).toBeUndefined();
      expect(usage.completionTokens).toBe(ids.length);
      expect(usage.totalTokens).toBe(usage.promptTokens + ids.length);
      expect(canvas.slice(usage.promptTokens, usage.promptTokens + ids.length)).toEqual(ids);
      expect(timings.prefillNs + timings.decodeNs).toBeCloseTo(timings.wallNs, -3);
      expect(timings.ttftNs).toBeGreaterThan(0);
      expect(timings.ttftNs).toBeLessThanOrEqual(timings.wallNs);
      expect(timings.prompt_n).toBe(usage.promptTokens);
      expect(timings.predicted_n).toBe(ids.length);
      expect(timings.predicted_ms).toBeCloseTo(timings.decodeNs / 1e6, 6);
      expect(timings.predicted_per_second).toBeCloseTo((1e9 * ids.length) / timings.decodeNs, 6);
      expect(tokensPerForward).toBeCloseTo(ids.length / forwards, 9);
      expect(tokensPerSecond).toBeCloseTo((1e9 * ids.length) / timings.wallNs, 6);
      // One more where a pass revealed far more than there was room for in its report.
      expect(submits).toBeLessThanOrEqual(forwards + 1);
      expect(readbacks).toBeLessThanOrEqual(submits);
      expect(dispatches).toBeGreaterThan(forwards);
      expect(arithmeticIntensity).toBeCloseTo(flopsPerToken / bytesPerToken, 9);
    }
  });

  test("without iterating the result comes all the same; iterating after it gives the same steps, once", async () => {
    const [, model, options] = all()[0] as [string, Model, GenerateOptions];
    const result = await model.generate(QUESTION, options).result;
    const late = model.generate(QUESTION, options);
    expect((await late.result).ids).toEqual(result.ids);
    const steps = await collect(late);
    expect(steps.map(({ delta }) => delta).join("")).toBe(result.text);
    expect(await collect(late)).toEqual([]);
    expect(late.result).toBe(late.result);
  });

  test("leaving the loop does not stop the generation", async () => {
    const [, model, options] = all()[0] as [string, Model, GenerateOptions];
    const generation = model.generate(QUESTION, options);
    for await (const _ of generation) break;
    expect((await generation.result).ids).toEqual((await model.generate(QUESTION, options).result).ids);
  });

  test("a generation that is never asked for runs nothing and holds nobody up", async () => {
    const [, model, options] = all()[0] as [string, Model, GenerateOptions];
    model.generate(QUESTION, options);
    expect((await model.generate(QUESTION, options).result).ids.length).toBeGreaterThan(0);
  });

  test("a stop string cuts the text before it, wherever it falls in the tokens", async () => {
    for (const [name, model, options] of all()) {
      const { text } = await model.generate(QUESTION, options).result;
      expect(text.length).toBeGreaterThan(8);
      for (const stop of [text.slice(3, 5), text.slice(6, 7), text.slice(-2)]) {
        const generation = model.generate(QUESTION, { ...options, stop: ["\u0000never", stop] });
        const steps = await collect(generation);
        const result = await generation.result;
        expect(result.text, name).toBe(text.slice(0, text.indexOf(stop)));
        expect(result.finishReason).toBe("stop");
        expect(steps.map(({ delta }) => delta).join("")).toBe(result.text);
      }
      const result = await model.generate(QUESTION, { ...options, stop: ["\u0000never"] }).result;
      expect(result.text).toBe(text);
    }
  });

  test("finish reasons: stop at an end of text, length without one; stopIds beside the model's own", async () => {
    for (const [, model, options] of all({ maxNewTokens: 64 })) {
      const whole = await model.generate(QUESTION, options).result;
      const ended = model.config.eosTokenIds.includes(whole.ids.at(-1) as number);
      expect(whole.finishReason).toBe(ended ? "stop" : "length");
      const stopId = whole.ids[4] as number;
      const cut = await model.generate(QUESTION, { ...options, stopIds: [stopId] }).result;
      expect(cut.ids).toEqual(whole.ids.slice(0, whole.ids.indexOf(stopId) + 1));
      expect(cut.finishReason).toBe("stop");
      const long = await model.generate(QUESTION, { ...options, maxNewTokens: 16, ignoreEos: true }).result;
      expect([long.finishReason, long.ids.length]).toEqual(["length", 16]);
    }
  });

  test("seeds: the same again, another one otherwise; temperature 0 needs none", async () => {
    // Hot, because a masked model that reveals what it is sure of draws the same at 1.5.
    for (const [name, model, options] of all({ temperature: 3, maxNewTokens: 32, ignoreEos: true })) {
      const of = async (seed: number) => (await model.generate(QUESTION, { ...options, seed }).result).ids;
      const [one, again, other] = [await of(1), await of(1), await of(2)];
      expect(again, name).toEqual(one);
      expect(other, name).not.toEqual(one);
    }
    const [, model] = all()[0] as [string, Model, GenerateOptions];
    const greedy = async (seed: number) => (await model.generate(QUESTION, { maxNewTokens: 16, seed }).result).ids;
    expect(await greedy(1)).toEqual(await greedy(2));
  });

  test("bad options throw where they are given, before any work", async () => {
    const [, model] = all()[0] as [string, Model, GenerateOptions];
    for (const options of [{ temprature: 1 }, { maxNewTokens: 1e6 }, { stop: [""] }, { seed: -1 }] as GenerateOptions[]) {
      expect(() => model.generate(QUESTION, options)).toThrow();
    }
    await expect(model.profile(QUESTION, { maxNewTokens: -1 })).rejects.toMatchObject({ code: "bad-option" });
  });
});

test("a model without a tokenizer takes ids, and says so when given text", async () => {
  const model = await open("ar");
  expect(model.tokenizer).toBeNull();
  const { text, ids } = await model.generate(PROMPT, { maxNewTokens: 6 }).result;
  expect([text, ids.length]).toEqual(["", 6]);
  for (const give of [
    () => model.generate("text"),
    () => model.generate([{ role: "user", content: "text" }]),
    () => model.generate(PROMPT, { stop: ["x"] }),
  ]) {
    expect(give).toThrow(expect.objectContaining({ code: "no-tokenizer" }));
  }
  await model.dispose();
});

test("a canvas keeps what is known of it", async () => {
  const model = await open("masked");
  const canvas = [1, null, 3];
  const filled = (await model.generate({ canvas }).result).canvas;
  expect([filled[0], filled[2]]).toEqual([1, 3]);
  await model.dispose();
});
