/** Every row of the kernel table × every set of constants that is shipped, for each kind of device, gets through the compiler. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Gpu } from "../../src/gpu/device";
import type { DeviceProfile } from "../../src/gpu/profile";
import { codeOf, type Kernel } from "../../src/kernels/dispatch";
import type { Pass } from "../../src/model/pass";
import { loadGolden, testGpu } from "../support/goldens";
import { gpuProfile } from "../support/kernel";
import { FORMATS } from "../support/planes";
import { MODELS, plainKernels, type Sizes, weightKernels } from "../support/shipped";

let gpu: Gpu;
let profiles: Record<string, DeviceProfile>;
const models: Record<string, Sizes> = { ...MODELS };
beforeAll(async () => {
  gpu = await testGpu();
  const subgroups = { features: ["subgroups"], subgroupMinSize: 32, subgroupMaxSize: 32 };
  profiles = {
    "this device": gpu.profile,
    "a CPU without subgroups": { ...gpuProfile(gpu.profile), software: true },
    "a GPU without subgroups": gpuProfile(gpu.profile),
    "a GPU with subgroups of 32": { ...gpuProfile(gpu.profile), ...subgroups },
  };
  for (const name of ["ar", "mdlm", "block"]) {
    const config = (await (await fetch(`/models/${name}/config.json`)).json()) as Record<string, number> & { model_type: string };
    models[`the embedded ${name}`] = {
      hiddenSize: config.hidden_size!,
      intermediateSize: config.intermediate_size!,
      numAttentionHeads: config.num_attention_heads!,
      numKeyValueHeads: config.num_key_value_heads!,
      headDim: config.head_dim ?? config.hidden_size! / config.num_attention_heads!,
      vocabSize: config.vocab_size!,
      qkvBias: false,
      qkNorm: /qwen3|a2d/i.test(config.model_type),
    };
  }
});

/** Errors and warnings of the front end, for each distinct code. */
async function faultsOf(kernels: readonly Kernel[]): Promise<string[]> {
  const codes = new Map(kernels.map((kernel) => [codeOf(kernel), kernel]));
  gpu.device.pushErrorScope("validation");
  const found = await Promise.all(
    [...codes].map(async ([code, { name, variant }]) => {
      const { messages } = await gpu.device.createShaderModule({ label: name, code }).getCompilationInfo();
      return messages.map(({ message, lineNum }) => `${name} ${variant}:${lineNum} ${message}`);
    }),
  );
  expect(await gpu.device.popErrorScope()).toBeNull();
  return found.flat();
}

describe("every module", () => {
  test.each(["this device", "a CPU without subgroups", "a GPU without subgroups", "a GPU with subgroups of 32"])(
    "for %s",
    async (device) => {
      const profile = profiles[device]!;
      const kernels = Object.values(models).flatMap((m) => [
        ...plainKernels(profile, m),
        ...FORMATS.flatMap((format) => weightKernels(profile, m, format)),
      ]);
      expect(kernels.length).toBeGreaterThan(6 * 40);
      expect(await faultsOf(kernels)).toEqual([]);
    },
  );
});

test("the list has what an engine runs", async () => {
  const { engine } = await loadGolden("llama-tied");
  const passOf = (count: number): Pass => ({
    rows: Array.from({ length: count }, (_, i) => ({ place: i, position: i, slot: i, start: 0, limit: count, goal: i })),
    reveal: { rule: "all" },
  });
  const ran = new Set([1, 2, 8, 32].flatMap((count) => engine.record(passOf(count))).map(({ kernel }) => kernel));
  engine.dispose();
  const m = MODELS["SmolLM2-135M"]!;
  const listed = [...plainKernels(gpu.profile, m), ...weightKernels(gpu.profile, m, "f32")].map(({ name }) => name);
  const rare = ["attention_reduce", "bias", "guide", "penalize", "suppress", "sample_cutoff", "top_tokens"];
  expect([...ran, ...rare, "allow", "divergence"].sort()).toEqual([...new Set(listed)].sort());
});

describe("pipelines", () => {
  test.each(["a CPU without subgroups", "a GPU without subgroups"])("of a whole model for %s", async (device) => {
    // One of each algorithm: the linear layers' own tests build the others.
    const weights = new Map(weightKernels(profiles[device]!, MODELS["Qwen3-0.6B"]!, "q8").map((kernel) => [kernel.name, kernel]));
    const kernels = [...plainKernels(profiles[device]!, MODELS["Qwen3-0.6B"]!), ...weights.values()];
    const pipelines = await Promise.all(kernels.map((k) => gpu.pipelines.get(k.name, codeOf(k), k.bindings, true)));
    expect(pipelines.every((pipeline) => pipeline instanceof GPUComputePipeline)).toBe(true);
  });

  test("workgroups stay within every device's default limits", () => {
    for (const profile of Object.values(profiles)) {
      for (const m of Object.values(models)) {
        for (const kernel of [...plainKernels(profile, m), ...weightKernels(profile, m, "q4")]) {
          const [x, y, z] = kernel.grid({ rows: 512, visible: 512, span: 512 });
          expect(Math.max(x, y, z), kernel.name).toBeLessThanOrEqual(65_535);
          expect(Math.min(x, y, z), kernel.name).toBeGreaterThanOrEqual(1);
          expect(kernel.bindings.length + 1, kernel.name).toBeLessThanOrEqual(8);
        }
      }
    }
  });

  test("a fault names the kernel, the line and the source line", async () => {
    const broken = "@compute @workgroup_size(1)\nfn main() {\n  let x: u32 = 1.5;\n}";
    await expect(gpu.pipelines.get("broken", broken, [])).rejects.toMatchObject({
      code: "shader",
      message: expect.stringMatching(/^broken:3:\d+ .*in "let x: u32 = 1\.5;"$/s),
    });
    // It was thrown, so it is not there a second time for whoever reads results next.
    expect(() => gpu.check()).not.toThrow();
  });
});
