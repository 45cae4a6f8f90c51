import { describe, expect, test } from "vitest";
import { bytesSource } from "../../../src/formats/byte-source";
import { openCheckpoint } from "../../../src/formats/checkpoint";
import { writeSafetensors } from "../../../src/formats/safetensors";
import { goldenBytes, goldenFiles, refusal, safetensorsBytes } from "./files";

const text = (name: string, value: unknown) =>
  bytesSource(name, new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)));
const shard = (name: string, ...tensors: string[]) =>
  bytesSource(name, writeSafetensors(tensors.map((t) => ({ name: t, dtype: "F32", shape: [1], data: new Float32Array(1) }))));
const INDEX = "model.safetensors.index.json";

describe("one file", () => {
  test("safetensors with its configuration and sidecars", async () => {
    const files = [
      ...goldenFiles("qwen2"),
      text("tokenizer.json", "{}"),
      text("chat_template.jinja", "hi"),
      text("README.md", "x"),
    ];
    const checkpoint = await openCheckpoint(files);
    expect(checkpoint.format).toBe("safetensors");
    expect(checkpoint.config!.model_type).toBe("qwen2");
    expect([...checkpoint.sidecars.keys()]).toEqual(["tokenizer.json", "chat_template.jinja"]);
    expect(checkpoint.tensors.get("model.layers.0.self_attn.q_proj.bias")!.dtype).toBe("f32");
    expect(checkpoint.metadata.size).toBe(0);
  });

  test("bf16 weights keep their type", async () => {
    const checkpoint = await openCheckpoint(goldenFiles("llama-bf16"));
    expect(new Set([...checkpoint.tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(["bf16"]));
  });

  test("a GGUF may stand beside config.json", async () => {
    const gguf = bytesSource("m.gguf", goldenBytes("gguf-q8_0/model.gguf"));
    expect((await openCheckpoint([gguf])).config).toBeNull();
    const both = await openCheckpoint([gguf, text("config.json", { model_type: "llama" })]);
    expect(both.format).toBe("gguf");
    expect(both.config).toEqual({ model_type: "llama" });
    expect(both.metadata.get("general.architecture")).toBe("llama");
  });

  test("tensors of other types are kept apart", async () => {
    const bytes = safetensorsBytes({ a: { dtype: "F8_E4M3", shape: [4], data_offsets: [0, 4] } }, 4);
    const { tensors, unsupported } = await openCheckpoint([bytesSource("m.safetensors", bytes)]);
    expect(tensors.size).toBe(0);
    expect(unsupported.get("a")).toBe("F8_E4M3");
  });
});

describe("shards", () => {
  const index = text(INDEX, { weight_map: { a: "1.safetensors", b: "2.safetensors" } });

  test("are joined by their index", async () => {
    const { tensors } = await openCheckpoint([index, shard("1.safetensors", "a"), shard("2.safetensors", "b")]);
    expect([...tensors].map(([name, { source }]) => [name, source.name])).toEqual([
      ["a", "1.safetensors"],
      ["b", "2.safetensors"],
    ]);
  });

  test("a missing shard, a missing or misplaced tensor and a tensor twice are refused", async () => {
    const open = (...shards: ReturnType<typeof shard>[]) => openCheckpoint([index, ...shards]);
    expect(await refusal(() => open(shard("1.safetensors", "a")), "bad-file")).toContain("shard 2.safetensors");
    const without = open(shard("1.safetensors", "a"), shard("2.safetensors", "c"));
    expect(await refusal(() => without, "bad-file")).toContain("tensor b: the index says 2.safetensors, found in nowhere");
    await refusal(() => open(shard("1.safetensors", "b"), shard("2.safetensors", "a")), "bad-file");
    const twice = open(shard("1.safetensors", "a"), shard("2.safetensors", "b", "a"));
    expect(await refusal(() => twice, "bad-file")).toContain("tensor a is in 1.safetensors and in 2.safetensors");
  });

  test("need their index", async () => {
    await refusal(() => openCheckpoint([shard("1.safetensors", "a"), shard("2.safetensors", "b")]), "bad-file");
  });
});

describe("the choice among files", () => {
  const gguf = bytesSource("a.gguf", goldenBytes("gguf-f16/model.gguf"));
  test("is refused when there is none or more than one", async () => {
    expect(await refusal(() => openCheckpoint([]), "not-found")).toContain("none");
    expect(await refusal(() => openCheckpoint([text("config.json", "{}")]), "not-found")).toContain("config.json");
    expect(await refusal(() => openCheckpoint([gguf, { ...gguf, name: "b.gguf" }]), "bad-option")).toContain("a.gguf, b.gguf");
    await refusal(() => openCheckpoint([gguf, shard("b.safetensors", "a")]), "bad-option");
    await refusal(() => openCheckpoint([gguf, gguf]), "bad-option");
    await refusal(() => openCheckpoint([{ ...gguf, name: "a-00001-of-00003.gguf" }]), "bad-file");
  });

  test("is refused when config.json is broken", async () => {
    for (const config of ["", "[]", "{", "null"])
      await refusal(() => openCheckpoint([gguf, text("config.json", config)]), "bad-file");
  });

  test("ends on the signal", async () => {
    await refusal(() => openCheckpoint([gguf], AbortSignal.abort()), "abort");
  });
});
