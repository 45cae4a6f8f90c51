/** The device itself: memory accounted for, pipelines compiled once, faults that surface once, fallbacks of a device with fewer features. */
import { describe, expect, test } from "vitest";
import { lanesOf } from "../../src/kernels/lanes";
import { goldenCases, loadGolden, openTestGpu, testGpu } from "../support/goldens";

const CODE = `@group(0) @binding(0) var<storage, read_write> output: array<u32>;
@compute @workgroup_size(1) fn main() { output[0] = 41u + 1u; }`;

describe("buffers", () => {
  test("are counted while they live, zeroed, and rounded up to 16 bytes", async () => {
    const gpu = await testGpu();
    const { buffers } = gpu;
    const before = [buffers.bytes, buffers.count];
    const buffer = await buffers.create("test", 20);
    expect([buffers.bytes - before[0]!, buffers.count - before[1]!, buffer.size]).toEqual([32, 1, 32]);
    const bytes = await gpu.read(buffer, 0, 32);
    expect([...new Uint8Array(bytes)]).toEqual(new Array(32).fill(0));
    buffers.destroy(buffer);
    buffers.destroy(buffer);
    expect([buffers.bytes, buffers.count]).toEqual(before);
  });

  test("that no device binds are refused by name, and leave nothing", async () => {
    const gpu = await testGpu();
    const before = gpu.buffers.bytes;
    const size = gpu.device.limits.maxStorageBufferBindingSize + 16;
    await expect(gpu.buffers.create("embed_tokens", size)).rejects.toMatchObject({
      code: "out-of-memory",
      message: expect.stringContaining(`buffer "embed_tokens": ${size} bytes`),
    });
    expect(gpu.buffers.bytes).toBe(before);
    gpu.check();
  });
});

describe("pipelines", () => {
  test("of the same code and bindings are compiled once", async () => {
    const { pipelines } = await testGpu();
    const first = pipelines.get("a", CODE, ["write"]);
    expect(pipelines.get("b", CODE, ["write"])).toBe(first);
    expect(pipelines.get("a", `${CODE} `, ["write"])).not.toBe(first);
    expect(pipelines.get("a", CODE, ["write"], true)).not.toBe(first);
    await first;
  });
});

describe("a device of its own", () => {
  test("reports a validation fault once, at the next check", async () => {
    const gpu = await openTestGpu({});
    gpu.device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await gpu.device.queue.onSubmittedWorkDone();
    expect(() => gpu.check()).toThrowError(expect.objectContaining({ code: "gpu-validation" }));
    gpu.check();
    gpu.dispose();
    gpu.dispose();
    expect(gpu.buffers.bytes).toBe(0);
  });

  test("says that it was lost, for good", async () => {
    const gpu = await openTestGpu({});
    gpu.device.destroy();
    await gpu.device.lost;
    for (let i = 0; i < 2; i++) expect(() => gpu.check()).toThrowError(expect.objectContaining({ code: "device-lost" }));
  });

  test.each(["qwen3", "gguf-q4_1", "llada"])(
    "without subgroups, f16 and timestamps gives the same logits, after another was disposed: %s",
    async (model) => {
      (await openTestGpu({})).dispose();
      const all = ["subgroups", "timestamp-query", "shader-f16", "packed_4x8_integer_dot_product"];
      const gpu = await openTestGpu({ without: all });
      expect(gpu.profile).toMatchObject({ features: [], subgroupMinSize: 0, subgroupMaxSize: 0, timestampQuantumNs: null });
      expect(lanesOf(gpu.profile).variant).toBe("workgroup");
      const golden = (await goldenCases(model)).at(-1)!;
      const n = golden.tokens.length;
      const rows = golden.tokens.map((_, i) => {
        const mask = golden.mask.subarray(i * n, (i + 1) * n);
        return { place: i, position: i, slot: i, start: mask.indexOf(1), limit: mask.lastIndexOf(1) + 1, goal: i };
      });
      const { engine } = await loadGolden(model, {}, gpu);
      engine.writeCanvas(0, golden.tokens);
      const logits = await engine.logits(rows);
      const worst = logits.reduce((most, value, i) => Math.max(most, Math.abs(value - golden.logits[i]!)), 0);
      expect(worst).toBeLessThanOrEqual(2e-3);
      engine.dispose();
      expect(gpu.buffers.count).toBe(0);
      gpu.dispose();
    },
  );
});
