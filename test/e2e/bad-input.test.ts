/** Whatever is wrong with a file, an option or the browser: one line that names it, exit status 1 (2 for wrong usage), no stack. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { copyOfGolden, type Ended, GOLDENS, removeTensor, run, truncate } from "./cli";

const PROMPT = ["--prompt-ids", "1,2,3"];

function expectError({ status, stdout, stderr }: Ended, code: string, expectedStatus = 1): void {
  expect(stderr).toMatch(new RegExp(`^error \\[${code}\\]: \\S[^\n]*\n$`));
  expect(stdout).toBe("");
  expect(status).toBe(expectedStatus);
}

describe("files", () => {
  test("truncated safetensors", async () => {
    const folder = copyOfGolden("llama-tied");
    truncate(join(folder, "model.safetensors"), 0.6);
    expectError(await run(["generate", "--model", folder, ...PROMPT]), "bad-file");
    expectError(await run(["inspect", folder]), "bad-file");
  });

  test("GGUF with a tensor past the end", async () => {
    const folder = copyOfGolden("gguf-q4_1");
    truncate(join(folder, "model.gguf"), 0.8);
    expectError(await run(["generate", "--model", join(folder, "model.gguf"), ...PROMPT]), "bad-file");
    expectError(await run(["inspect", folder]), "bad-file");
  });

  test("missing tensor", async () => {
    const folder = copyOfGolden("llama-tied");
    removeTensor(join(folder, "model.safetensors"), /layers\.1\..*up_proj/);
    const ended = await run(["generate", "--model", folder, ...PROMPT]);
    expectError(ended, "missing-tensor");
    expect(ended.stderr).toContain("up_proj");
  });

  test("unknown architecture", async () => {
    const folder = copyOfGolden("llama-tied");
    const path = join(folder, "config.json");
    const config = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify({ ...config, architectures: ["OuijaForCausalLM"], model_type: "ouija" }));
    const ended = await run(["generate", "--model", folder, ...PROMPT]);
    expectError(ended, "unsupported-architecture");
    expect(ended.stderr).toMatch(/ouija/i);
    expectError(await run(["inspect", folder]), "unsupported-architecture");
  });

  test("no such file, a folder without a model", async () => {
    expectError(await run(["generate", "--model", "no-such-file.gguf", ...PROMPT]), "not-found");
    expectError(await run(["inspect", GOLDENS]), "not-found");
    expectError(await run(["generate", "--model", "builtin:nothing", ...PROMPT]), "not-found");
  });

  test("no tokenizer for a text", async () => {
    expectError(await run(["generate", "--model", join(GOLDENS, "llama-tied"), "--prompt", "Hello"]), "no-tokenizer");
    expectError(await run(["tokenize", "--model", join(GOLDENS, "llama-tied"), "--text", "Hello"]), "no-tokenizer");
  });
});

describe("options", () => {
  test("genLength that is no multiple of blockLength", async () => {
    const args = ["generate", "--model", "builtin:mdlm", "--prompt", "Hi", "--gen-length", "60", "--block-length", "16"];
    expectError(await run(args), "bad-option");
  });

  test("unknown decoding option, unknown and impossible values", async () => {
    expectError(await run(["generate", "--prompt", "Hi", "--frobnicate", "3"]), "bad-option");
    expectError(await run(["generate", "--prompt", "Hi", "--temperature", "warm"]), "bad-option");
    expectError(await run(["generate", "--model", "builtin:mdlm", "--prompt", "Hi", "--cache", "triple"]), "bad-option");
    expectError(await run(["generate", "--model", "builtin:mdlm", "--prompt", "Hi", "--threshold", "1.5"]), "bad-option");
    expectError(await run(["generate", "--prompt", "Hi", "--prompt-ids", "1"]), "bad-option");
  });

  test("prompt longer than the context", async () => {
    const ids = Array.from({ length: 400 }, () => 5).join(",");
    expectError(await run(["generate", "--model", "builtin:ar", "--prompt-ids", ids]), "context-overflow");
  });

  test("token id outside the vocabulary", async () => {
    expectError(await run(["logits", "--model", join(GOLDENS, "llama-tied"), "--tokens", "1,999999"]), "bad-option");
  });

  test("wrong usage exits with 2", async () => {
    expectError(await run(["calibrate", "--frobnicate"]), "usage", 2);
    expectError(await run(["conjure"]), "usage", 2);
    expectError(await run(["logits", "--model", "builtin:ar"]), "usage", 2);
    expectError(await run(["generate", "--adapter", "vulkan", "--prompt", "Hi"]), "usage", 2);
  });
});

describe("browser", () => {
  test("without a WebGPU adapter", async () => {
    const flags = { RIDGEPOINT_CHROMIUM_FLAGS: "--disable-software-rasterizer --disable-gpu" };
    const ended = await run(["generate", "--prompt", "Hi"], flags);
    expectError(ended, "no-adapter");
    expect(ended.stderr).toContain("--use-webgpu-adapter=swiftshader");
  });

  test("without a browser", async () => {
    expectError(await run(["calibrate", "--browser", "/no/such/browser"]), "browser");
    expectError(await run(["calibrate", "--cdp", "http://127.0.0.1:9"]), "browser");
  });

  test("an adapter that is not there, or not ours to choose", async () => {
    const ended = await run(["calibrate", "--adapter", "lavapipe"], { RIDGEPOINT_LAVAPIPE: "/no/such/folder" });
    expectError(ended, "browser");
    expect(ended.stderr).toContain("adapter lavapipe: no /no/such/folder/icd.json");
    expectError(await run(["calibrate", "--cdp", "http://127.0.0.1:9", "--adapter", "swiftshader"]), "bad-option");
  });

  test("a call that takes too long", async () => {
    expectError(await run(["calibrate", "--timeout", "0.001"]), "timeout");
  });
});

test("with --json the error is a document too", async () => {
  const { status, stdout, stderr } = await run(["inspect", "no-such-file.gguf", "--json"]);
  expect(status).toBe(1);
  const { schema, command, error } = JSON.parse(stdout);
  expect({ schema, command }).toEqual({ schema: "ridgepoint/1", command: "inspect" });
  expect(error.code).toBe("not-found");
  expect(stderr).toBe(`error [not-found]: ${error.message}\n`);
});
