/** Commands on models: against golden logits, recorded decodings, known token ids and the embedded family. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSafetensors } from "../../src/formats/safetensors";
import { document, GOLDENS, run, temporaryFolder } from "./cli";

/** What `goldens/README.md` asks of an f32 engine. */
const TOLERANCE = 2e-3;

function tensorsOf(path: string) {
  return readSafetensors(new Uint8Array(readFileSync(path)), path);
}

function expectDevice(device: Record<string, unknown>): void {
  const { vendor, software, features, limits, timestampQuantumNs, browser, userAgent } = device;
  expect(typeof vendor).toBe("string");
  expect(typeof software).toBe("boolean");
  expect(Array.isArray(features)).toBe(true);
  expect(limits).toHaveProperty("maxBufferSize");
  expect(timestampQuantumNs === null || typeof timestampQuantumNs === "number").toBe(true);
  expect(browser).toMatch(/^Chrom(e|ium) \d+/);
  expect(userAgent).toContain("Mozilla");
}

describe("logits", () => {
  test.each([
    ["llama-tied", "causal"],
    ["gguf-q4_1", "causal"],
    ["qwen2", "causal"],
    ["llada", "full"],
    ["fast-dllm-v2", "block:8"],
  ])("%s, attention %s, equal the golden ones", async (name, attention) => {
    const golden = tensorsOf(join(GOLDENS, name, "golden.safetensors"));
    const [key, tokens] = [...golden].find(([key, { shape }]) => key.endsWith(".tokens") && shape[0] === 24)!;
    const expected = golden.get(key.replace("tokens", "logits"))!;
    const out = join(temporaryFolder(), "logits.safetensors");
    const args = ["--model", join(GOLDENS, name), "--tokens", [...tokens.data].join(","), "--attention", attention, "--out", out];
    const { schema, command, device, shape, argmax, load } = await document(["logits", ...args]);
    expect({ schema, command }).toEqual({ schema: "ridgepoint/1", command: "logits" });
    expectDevice(device);
    expect(load.fileBytes).toBeGreaterThan(0);
    expect(shape).toEqual(expected.shape);
    const { data } = tensorsOf(out).get("logits")!;
    expect(data.length).toBe(expected.data.length);
    let worst = 0;
    for (const [index, value] of expected.data.entries()) worst = Math.max(worst, Math.abs(value - data[index]!));
    expect(worst).toBeLessThanOrEqual(TOLERANCE);
    const width = shape[1];
    expect(argmax).toEqual(
      Array.from({ length: shape[0] }, (_, row) => {
        const logits = [...data.subarray(row * width, (row + 1) * width)];
        return logits.indexOf(Math.max(...logits));
      }),
    );
  });
});

describe("replay", () => {
  test("cases of one model equal their recordings", async () => {
    const folder = join(GOLDENS, "trajectories/llada");
    const cases = ["dual-threshold-p0", "none-steps16-p1", "prefix-steps8-p0"].map((name) => join(folder, `${name}.json`));
    const { command, results } = await document(["replay", ...cases]);
    expect(command).toBe("replay");
    expect(results.map((result: { equal: boolean }) => result.equal)).toEqual([true, true, true]);
    const recorded = JSON.parse(readFileSync(cases[0]!, "utf8"));
    const { case: name, final, output, nfe, nfe_by_kind, passes } = results[0];
    expect({ name, final, output, nfe, nfe_by_kind }).toEqual({
      name: "dual-threshold-p0",
      final: recorded.final,
      output: recorded.output,
      nfe: recorded.nfe,
      nfe_by_kind: recorded.nfe_by_kind,
    });
    expect(passes.length).toBe(recorded.passes.length);
  });

  test("a directory stands for the cases in it", async () => {
    const folder = join(GOLDENS, "trajectories/llama");
    const cases = readdirSync(folder).filter((name) => name.endsWith(".json") && name !== "config.json");
    const { results } = await document(["replay", folder]);
    expect(results.length).toBe(cases.length);
    for (const { equal, firstDifference } of results) expect({ equal, firstDifference }).toEqual({ equal: true });
  });
});

describe("tokenize", () => {
  test("a file of texts, and back", async () => {
    const { results, device } = await document(["tokenize", "--model", "builtin:ar", "--text", "Hugo has 3 apples."]);
    expect(device).toBeNull();
    const [{ text, ids, pieces }] = results;
    expect(text).toBe("Hugo has 3 apples.");
    expect(pieces.join("")).toBe(text);
    const back = await document(["tokenize", "--model", "builtin:ar", "--decode", ids.join(",")]);
    expect(back.results).toEqual([{ text, ids, pieces }]);
  });
});

describe("inspect", () => {
  test.each(["builtin:block", join(GOLDENS, "qwen3"), join(GOLDENS, "gguf-q8_0/model.gguf")])("%s", async (model) => {
    const { command, device, architecture, config, tensors, plan } = await document(["inspect", model]);
    expect({ command, device }).toEqual({ command: "inspect", device: null });
    expect(typeof architecture).toBe("string");
    expect(config).toBeTypeOf("object");
    expect(tensors.length).toBeGreaterThan(5);
    for (const size of [plan.weightBytes, plan.cacheBytes, plan.scratchBytes]) expect(size).toBeGreaterThan(0);
    expect(plan).toHaveProperty("fits");
  });
});

describe("generate", () => {
  const question = "Leo has a book of 92 pages. He reads 34 pages on Sunday and 11 pages on Friday. How many pages are left?";

  test.each([
    ["builtin:ar", ["--max-new-tokens", "48"]],
    ["builtin:mdlm", ["--gen-length", "64", "--block-length", "16", "--steps", "64", "--cache", "dual"]],
    ["builtin:mdlm", ["--gen-length", "64", "--block-length", "16", "--cache", "dual", "--threshold", "0.9"]],
    ["builtin:block", ["--gen-length", "64", "--threshold", "0.9"]],
  ])("%s %j answers", async (model, options) => {
    const answer = await document(["generate", "--model", model, "--chat", question, ...options, "--trace"]);
    expect(answer).toMatchObject({ schema: "ridgepoint/1", command: "generate" });
    expectDevice(answer.device);
    expect(answer.text).toMatch(/#### \d\d/);
    expect(answer.finishReason).toBe("stop");
    expect(answer.usage.totalTokens).toBe(answer.usage.promptTokens + answer.usage.completionTokens);
    expect(answer.timings.wallNs).toBeGreaterThan(0);
    expect(answer.forwards.length).toBe(answer.nfe);
    for (const { kind, rows, revealed } of answer.forwards) {
      expect(["prefill", "full", "block", "suffix", "commit"]).toContain(kind);
      expect(rows.length).toBeGreaterThan(0);
      for (const entry of revealed) expect(entry).toHaveLength(3);
    }
    const { load } = answer;
    expect(load.ms).toBeGreaterThan(0);
    expect(load.fileBytes).toBeGreaterThan(1e6);
    if (process.platform === "linux") expect(load.peakRendererBytes).toBeGreaterThan(10e6);
    if (model !== "builtin:ar") expect(answer.ids).toEqual(answer.canvas.slice(answer.usage.promptTokens));
  });

  test.each([
    ["builtin:ar", ["--speculate", "prompt-lookup:tokens=4"]],
    ["builtin:ar", ["--speculate", "draft:tokens=6", "--draft-model", "builtin:mdlm"]],
    ["builtin:mdlm", ["--gen-length", "32", "--block-length", "16", "--speculate", "self:states=2"]],
  ])("%s %j answers as without", async (model, options) => {
    const args = ["generate", "--model", model, "--chat", question];
    const plain = await document([...args, ...options.slice(0, options.indexOf("--speculate"))]);
    const { ids, text, nfe, speculation } = await document([...args, ...options]);
    expect({ ids, text }).toEqual({ ids: plain.ids, text: plain.text });
    expect(speculation.drafted).toBeGreaterThan(0);
    expect(speculation.accepted).toBeLessThanOrEqual(speculation.drafted);
    if (options.includes("--draft-model")) expect(speculation.verifyForwards).toBeLessThan(plain.nfe);
    else expect(nfe).toBeLessThanOrEqual(plain.nfe);
  });

  test("an answer of no given length ends by itself", async () => {
    const args = ["generate", "--model", "builtin:block", "--chat", question, "--gen-length", "auto", "--max-new-tokens", "96"];
    const { text, finishReason } = await document([...args, "--threshold", "0.9"]);
    expect(text).toMatch(/#### \d\d/);
    expect(finishReason).toBe("stop");
  });

  test("the streamed text is the document's text", async () => {
    const args = ["generate", "--model", "builtin:ar", "--chat", question];
    const { stdout, status } = await run(args);
    expect(status).toBe(0);
    expect(stdout.trimEnd()).toBe((await document(args)).text.trimEnd());
  });

  test("an answer that must fit a schema or an expression does", async () => {
    const schema = join(temporaryFolder(), "schema.json");
    writeFileSync(
      schema,
      JSON.stringify({
        type: "object",
        properties: { pages: { type: "integer", minimum: 0, maximum: 99 } },
        required: ["pages"],
      }),
    );
    const args = ["generate", "--model", "builtin:ar", "--chat", question];
    const fitting = await document([...args, "--json-schema", schema]);
    expect(JSON.parse(fitting.text)).toEqual({ pages: expect.any(Number) });
    expect(fitting.finishReason).toBe("stop");
    expect((await document([...args, "--regex", "#### [0-9]{2}"])).text).toMatch(/^#### \d\d$/);
  });

  test("several prompts and several answers to each, made together; the first is that of one alone", async () => {
    const drawn = [
      "--temperature",
      "3",
      "--seed",
      "3",
      "--max-new-tokens",
      "12",
      "--logprobs",
      "2",
      "--repetition-penalty",
      "1.1",
    ];
    const args = ["generate", "--model", "builtin:ar"];
    const alone = await document([...args, "--chat", question, ...drawn]);
    expect(alone.logprobs).toHaveLength(alone.ids.length);
    for (const { top } of alone.logprobs) expect(top).toHaveLength(2);
    const { results } = await document([...args, "--chat", question, "--chat", "Tell a story.", "--sequences", "2", ...drawn]);
    const told = results.map(({ prompt, sequence }: { prompt: number; sequence: number }) => [prompt, sequence]);
    expect(told).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    expect(results[0].ids).toEqual(alone.ids);
    expect(results[1].ids).not.toEqual(alone.ids);
  });

  test("a canvas is filled round what is given", async () => {
    const args = ["generate", "--model", "builtin:mdlm", "--canvas", "2,739,286,3,_,_,_,100,_,_,_,_"];
    const { canvas, ids } = await document([...args, "--gen-length", "8", "--block-length", "8", "--steps", "8"]);
    expect(canvas).toHaveLength(12);
    expect([canvas[0], canvas[1], canvas[2], canvas[3], canvas[7]]).toEqual([2, 739, 286, 3, 100]);
    expect(ids).toEqual(canvas.slice(4));
  });
});
