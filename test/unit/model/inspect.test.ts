import { expect, test } from "vitest";
import { bytesSource } from "../../../src/formats/byte-source";
import { describeCheckpoint, planMemory } from "../../../src/model/inspect";
import { goldenBytes, goldenFiles } from "../formats/files";
import { openGolden } from "./fixtures";

test("a golden GGUF is described from its header", async () => {
  const described = await describeCheckpoint(goldenFiles("gguf-q4_0"), { contextLength: 100, batch: 2 });
  expect(described).toMatchObject({ format: "gguf", architecture: "llama", family: "ar" });
  expect(described.tensors).toHaveLength(29);
  expect(described.tensors[0]).toEqual({ name: "token_embd.weight", dtype: "q4_0", shape: [320, 128], bytes: 320 * 4 * 18 });
  // 3 layers, 2 key heads of 32, K and V, f32
  expect(described.plan.cacheBytes).toBe(2 * 3 * 2 * 100 * 64 * 4);
});

test("weights are counted as padded planes and f32 vectors", async () => {
  const { checkpoint, config } = await openGolden("llama-tied");
  const plane = (inFeatures: number, outFeatures: number) => 4 * inFeatures * outFeatures;
  const layer = 2 * plane(128, 128) + 2 * plane(128, 64) + 3 * plane(128, 320) + 2 * 4 * 128;
  expect(planMemory(config, checkpoint.tensors).weightBytes).toBe(plane(128, 320) + 3 * layer + 4 * 128);
  const q4 = planMemory(config, checkpoint.tensors, { quantize: "q4" });
  expect(q4.weightBytes).toBeLessThan(planMemory(config, checkpoint.tensors).weightBytes / 5);
  expect(q4.scratchBytes).toBeGreaterThan(0);
});

test("tensors of unsupported types are listed", async () => {
  const bytes = goldenBytes("gguf-q4_0/model.gguf").slice();
  const at = Buffer.from(bytes).indexOf("blk.0.ffn_up.weight") + "blk.0.ffn_up.weight".length + 4 + 16;
  expect(bytes[at]).toBe(2);
  bytes[at] = 20; // iq4_nl has blocks of the same size
  const { tensors } = await describeCheckpoint([bytesSource("m.gguf", bytes)]);
  expect(tensors.at(-1)).toEqual({ name: "blk.0.ffn_up.weight", dtype: "iq4_nl", shape: null, bytes: null });
});
