import { describe, expect, test } from "vitest";
import type { OpenedCheckpoint, StoredTensor } from "../../../src/formats/tensor";
import { locateWeights } from "../../../src/model/names";
import { unpermuteRow } from "../../../src/model/planes";
import { refusal } from "../formats/files";
import { GGUF_GOLDENS, openGolden, SAFETENSORS_GOLDENS, TRAJECTORY_GOLDENS, values } from "./fixtures";

describe("every golden is located whole", () => {
  test.each([...SAFETENSORS_GOLDENS, ...GGUF_GOLDENS, ...TRAJECTORY_GOLDENS])("%s", async (name) => {
    const { checkpoint, config, weights } = await openGolden(name);
    expect(weights.layers).toHaveLength(config.numHiddenLayers);
    expect(weights.global.has("lm_head")).toBe(!config.tieWordEmbeddings);
    const all = [...weights.global.values(), ...[...weights.layers, ...weights.biases].flatMap((layer) => [...layer.values()])];
    expect(new Set(all).size).toBe(all.length);
    expect(all).toHaveLength(checkpoint.tensors.size);
    for (const layer of weights.biases) expect(layer.size).toBe(config.qkvBias ? 3 : 0);
  });

  test("LLaDA's ff_proj is the gate, its ff_out the way down, and the outer ff_out the head", async () => {
    const { weights } = await openGolden("llada");
    const layer = weights.layers[1]!;
    expect(layer.get("gate_proj")!.name).toBe("model.transformer.blocks.1.ff_proj.weight");
    expect(layer.get("down_proj")!.name).toBe("model.transformer.blocks.1.ff_out.weight");
    expect(weights.global.get("lm_head")!.name).toBe("model.transformer.ff_out.weight");
  });
});

describe("the same weights in two formats", () => {
  test("gguf-f16 holds llama-tied, q and k rows permuted", async () => {
    const gguf = await openGolden("gguf-f16");
    const plain = await openGolden("llama-tied");
    const { numAttentionHeads, numKeyValueHeads, headDim, hiddenSize: D } = plain.config;
    expect.hasAssertions();
    for (const [i, layer] of plain.weights.layers.entries()) {
      for (const [role, tensor] of layer) {
        const expected = await values(tensor);
        const stored = await values(gguf.weights.layers[i]!.get(role)!);
        const heads = role === "q_proj" ? numAttentionHeads : role === "k_proj" ? numKeyValueHeads : null;
        let moved = 0;
        let wrong = 0;
        for (let row = 0; row < expected.length / D; row++) {
          const to = heads === null ? row : unpermuteRow(row, heads, headDim);
          if (to !== row) moved++;
          for (let k = 0; k < D; k++) {
            const want = expected[to * D + k]!;
            if (!(Math.abs(stored[row * D + k]! - want) <= Math.abs(want) * 2 ** -11 + 2 ** -25)) wrong++;
          }
        }
        expect(wrong, `${role} of layer ${i}`).toBe(0);
        expect(moved > 0).toBe(heads !== null);
      }
    }
  });

  test("unpermuteRow is a permutation that keeps heads apart", () => {
    const order = Array.from({ length: 3 * 8 }, (_, i) => unpermuteRow(i, 3, 8));
    expect(order.slice(0, 8)).toEqual([0, 4, 1, 5, 2, 6, 3, 7]);
    expect(order.slice(8, 16)).toEqual([8, 12, 9, 13, 10, 14, 11, 15]);
    expect(new Set(order).size).toBe(24);
  });
});

describe("what does not fit is refused", () => {
  const change = (checkpoint: OpenedCheckpoint, edit: (tensors: Map<string, StoredTensor>) => void): OpenedCheckpoint => {
    const tensors = new Map(checkpoint.tensors);
    edit(tensors);
    return { ...checkpoint, tensors };
  };

  test.each([...SAFETENSORS_GOLDENS, "gguf-q4_0"])("%s: any tensor missing or misshaped", async (name) => {
    const { checkpoint, config } = await openGolden(name);
    for (const [tensorName, tensor] of checkpoint.tensors) {
      const without = change(checkpoint, (tensors) => tensors.delete(tensorName));
      expect(await refusal(() => locateWeights(without, config), "missing-tensor")).toContain(tensorName);
      for (const shape of [tensor.shape.toReversed().map((n) => n + 1), [...tensor.shape, 1], []]) {
        const misshaped = change(checkpoint, (tensors) => tensors.set(tensorName, { ...tensor, shape }));
        const message = await refusal(() => locateWeights(misshaped, config), "bad-tensor");
        expect(message).toBe(`tensor ${tensorName}: expected [${tensor.shape.join(", ")}], came [${shape.join(", ")}]`);
      }
    }
  });

  test("leftovers are named; rotary tables are not", async () => {
    const { checkpoint, config } = await openGolden("qwen3");
    const [any] = checkpoint.tensors.values();
    const add = (name: string) =>
      locateWeights(
        change(checkpoint, (tensors) => tensors.set(name, any!)),
        config,
      );
    expect(await refusal(() => add("model.layers.3.mlp.up_proj.weight"), "bad-file")).toContain(
      "model.layers.3.mlp.up_proj.weight",
    );
    expect(await refusal(() => add("model.layers.0.self_attn.q_proj.bias"), "bad-file")).toContain("qwen3 of 3 layers");
    add("model.layers.0.self_attn.rotary_emb.inv_freq");
    add("model.rotary_emb.inv_freq");
  });

  test("a saved head of a tied model is tolerated, of any other shape not", async () => {
    const { checkpoint, config, weights } = await openGolden("qwen3");
    const head = { ...weights.global.get("embed_tokens")!, name: "lm_head.weight" };
    const located = locateWeights(
      change(checkpoint, (tensors) => tensors.set(head.name, head)),
      config,
    );
    expect(located.global.has("lm_head")).toBe(false);
    const wrong = change(checkpoint, (tensors) => tensors.set(head.name, { ...head, shape: [1, 1] }));
    await refusal(() => locateWeights(wrong, config), "bad-tensor");
  });

  test("a weight of an unsupported type is refused by type", async () => {
    const { checkpoint, config } = await openGolden("gguf-q8_0");
    const name = "blk.1.ffn_up.weight";
    const kQuant = { ...change(checkpoint, (tensors) => tensors.delete(name)), unsupported: new Map([[name, "q4_K"]]) };
    const message = await refusal(() => locateWeights(kQuant, config), "unsupported-dtype");
    expect(message).toMatch(/blk\.1\.ffn_up\.weight.*q4_K.*supported: f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0/);
  });

  test("rotary factors of a GGUF have a role", async () => {
    const { checkpoint, config, weights } = await openGolden("gguf-f16");
    const vector = weights.global.get("norm")!;
    const factors = { ...vector, name: "rope_freqs.weight", shape: [config.headDim / 2] };
    const located = locateWeights(
      change(checkpoint, (tensors) => tensors.set(factors.name, factors)),
      config,
    );
    expect(located.global.get("rope_freqs")).toBe(factors);
  });

  test("a file of no known layout", async () => {
    const { checkpoint, config } = await openGolden("qwen3");
    const empty = { ...checkpoint, tensors: new Map() };
    expect(await refusal(() => locateWeights(empty, config), "missing-tensor")).toMatch(
      /model\.embed_tokens\.weight.*wte.*token_embd/,
    );
  });
});
