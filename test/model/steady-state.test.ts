/** Nothing is made while tokens are: buffers, bind groups, pipelines and shader modules are those of the load. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GenerateOptions, loadModel, type Model } from "../../src/index";
import { testGpu } from "../support/goldens";

const MADE = [
  "createBuffer",
  "createBindGroup",
  "createBindGroupLayout",
  "createPipelineLayout",
  "createComputePipeline",
  "createComputePipelineAsync",
  "createShaderModule",
  "createQuerySet",
  "createTexture",
] as const;
const PROMPT = "Ben has 12 apples and buys 30 more. How many apples does Ben have?";

/** Names of what a device was asked to make while `run` ran. */
async function madeDuring(device: GPUDevice, run: () => Promise<unknown>): Promise<string[]> {
  const made: string[] = [];
  const watched = device as unknown as Record<string, unknown>;
  for (const name of MADE) {
    const original = (device[name] as (...given: unknown[]) => unknown).bind(device);
    watched[name] = (...given: unknown[]) => {
      made.push(name);
      return original(...given);
    };
  }
  try {
    await run();
  } finally {
    for (const name of MADE) delete watched[name];
  }
  return made;
}

let models: Record<"ar" | "mdlm" | "block", Model>;
beforeAll(async () => {
  const builtinBase = new URL("/models/", location.href).href;
  const gpu = await testGpu();
  const load = (name: string) => loadModel(`builtin:${name}`, { gpu, builtinBase });
  models = { ar: await load("ar"), mdlm: await load("mdlm"), block: await load("block") };
}, 60_000);
afterAll(async () => {
  for (const model of Object.values(models)) await model.dispose();
});

describe("steady state", () => {
  test.each<[keyof typeof models, GenerateOptions]>([
    ["ar", { maxNewTokens: 24 }],
    ["ar", { maxNewTokens: 12, temperature: 0.8, topK: 20, seed: 3 }],
    ["mdlm", { genLength: 32, blockLength: 16, steps: 16, cache: "dual" }],
    ["mdlm", { genLength: 32, blockLength: 16, cache: "none", threshold: 0.9 }],
    ["block", { genLength: 32 }],
  ])("%s, %o", async (name, options) => {
    const { device } = await testGpu();
    const generate = () => models[name].generate(PROMPT, { ignoreEos: true, ...options }).result;
    const made = await madeDuring(device, generate);
    expect(made).toEqual([]);
  });

  test("the watch sees what is made", async () => {
    const { device } = await testGpu();
    const made = await madeDuring(device, async () => device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy());
    expect(made).toEqual(["createBuffer"]);
  });
});
