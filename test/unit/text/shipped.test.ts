/** The folders under models/ as a loader sees them: what is listed is there, and both tokenizers of a model agree. */

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { blobSource } from "../../../src/formats/byte-source";
import { openCheckpoint } from "../../../src/formats/checkpoint";
import { encodeChat } from "../../../src/text/chat";
import { createTokenizer } from "../../../src/text/tokenizer";

const models = new URL("../../../models/", import.meta.url);
const prompts = readFileSync(new URL("prompts.jsonl", models), "utf8").trim().split("\n");

describe.each(["ar", "mdlm", "block"])("models/%s", (name) => {
  const folder = new URL(`${name}/`, models);
  const files: string[] = JSON.parse(readFileSync(new URL("files.json", folder), "utf8"));
  const source = (file: string) => blobSource(new File([readFileSync(new URL(file, folder))], file));

  test("files.json lists what is there", () => {
    expect(files).toEqual(["config.json", "tokenizer.json", "tokenizer_config.json", "model.gguf"]);
    for (const file of files) expect(existsSync(new URL(file, folder)), file).toBe(true);
  });

  test("the GGUF alone makes the same prompts as with its sidecar files", async () => {
    const whole = createTokenizer(await openCheckpoint(files.map(source)));
    const alone = createTokenizer(await openCheckpoint([source("model.gguf")]));
    expect(alone.chatTemplate).toBe(whole.chatTemplate);
    expect([alone.vocabSize, alone.eosTokenId, alone.maskTokenId]).toEqual([768, 0, 1]);
    for (const line of prompts) {
      const messages = [{ role: "user", content: JSON.parse(line).prompt }];
      const ids = encodeChat(whole, messages);
      expect(encodeChat(alone, messages)).toEqual(ids);
      expect(ids.length).toBeLessThanOrEqual(42);
    }
  });

  test("tensors: Q8_0 matrices, f32 norms, a tied head, 2 115 648 parameters", async () => {
    const { tensors } = await openCheckpoint(files.map(source));
    let parameters = 0;
    for (const tensor of tensors.values()) {
      expect(tensor.dtype, tensor.name).toBe(tensor.shape.length === 2 ? "q8_0" : "f32");
      parameters += tensor.shape.reduce((product, size) => product * size, 1);
    }
    expect(parameters).toBe(2_115_648);
    expect(tensors.has("output.weight")).toBe(false);
  });
});
