/** The floor under the whole suite: without a WebGPU adapter nothing below is tested, so this fails and never skips. */
import { expect, inject, test } from "vitest";
import { probe } from "../../src/gpu/device";

const NAMES = { swiftshader: "google swiftshader", lavapipe: "mesa software" };

test("this browser has a WebGPU adapter and device", async () => {
  expect(navigator.gpu, "navigator.gpu is missing: WebGPU is off in this browser").toBeDefined();
  const adapter = await navigator.gpu.requestAdapter();
  expect(adapter, "requestAdapter() gave null: no WebGPU adapter, not even SwiftShader").not.toBeNull();
  const device = await adapter!.requestDevice();
  device.pushErrorScope("validation");
  device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy();
  expect(await device.popErrorScope()).toBeNull();
  device.destroy();
});

test("the adapter is the one that this run is for", async () => {
  const { name, subgroupSize } = inject("adapter");
  const profile = await probe();
  expect(`${profile.vendor} ${profile.architecture}`).toBe(NAMES[name]);
  expect(profile).toMatchObject({ software: true, subgroupMinSize: subgroupSize, subgroupMaxSize: subgroupSize });
  expect(profile.features).toContain("subgroups");
  expect(profile.features.includes("shader-f16")).toBe(name === "lavapipe");
});
