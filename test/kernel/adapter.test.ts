/** The floor under the whole suite: without a WebGPU adapter nothing below is tested, so this fails and never skips. */
import { expect, test } from "vitest";

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
