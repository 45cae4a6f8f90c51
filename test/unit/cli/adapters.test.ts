/** Which adapter a browser is started for: the tests' own list, and the switches and variables of each. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { chromiumEnvironment, chromiumFlags } from "../../../cli/chromium.mjs";
import { ADAPTERS, adapterOfRun, environmentOf, testsOf } from "../../adapters.mjs";

afterEach(() => vi.unstubAllEnvs());

describe("the adapter of a run", () => {
  test("is SwiftShader where nothing is said, and each of the list by its variables", () => {
    expect(adapterOfRun({})).toBe(ADAPTERS.browser);
    expect(adapterOfRun({ RIDGEPOINT_ADAPTER: "lavapipe" })).toBe(ADAPTERS.lavapipe);
    for (const adapter of Object.values(ADAPTERS)) expect(adapterOfRun(environmentOf(adapter))).toBe(adapter);
  });

  test("is refused where it is unknown or never so wide", () => {
    expect(() => adapterOfRun({ RIDGEPOINT_ADAPTER: "llvmpipe" })).toThrow(
      "adapter llvmpipe: expected swiftshader with 4, lavapipe",
    );
    expect(() => adapterOfRun({ RIDGEPOINT_SUBGROUPS: "8" })).toThrow("adapter swiftshader with subgroups of 8: expected");
    expect(() => adapterOfRun({ RIDGEPOINT_ADAPTER: "lavapipe", RIDGEPOINT_SUBGROUPS: "32" })).toThrow("subgroups of 32");
  });

  test("runs kernels everywhere, models and decoders on one width of each", () => {
    const whole = Object.values(ADAPTERS).filter((adapter) => testsOf(adapter).some((pattern) => pattern.includes("decode")));
    expect(whole.map(({ name }) => name)).toEqual(["swiftshader", "lavapipe"]);
    for (const adapter of Object.values(ADAPTERS)) expect(testsOf(adapter).join()).toContain("kernel");
  });
});

describe("lavapipe", () => {
  test("that is not set up says what to do", () => {
    vi.stubEnv("RIDGEPOINT_LAVAPIPE", "/no/such/folder");
    expect(() => chromiumEnvironment("lavapipe")).toThrow(
      expect.objectContaining({ code: "browser", message: expect.stringContaining("node test/lavapipe/lavapipe.mjs") }),
    );
    expect(chromiumEnvironment("swiftshader")).toBe(process.env);
  });

  test("is found by the browser before what the system has, as wide as it is told", () => {
    const folder = mkdtempSync(join(tmpdir(), "ridgepoint-lavapipe-"));
    writeFileSync(join(folder, "icd.json"), "{}");
    vi.stubEnv("RIDGEPOINT_LAVAPIPE", folder);
    vi.stubEnv("LD_LIBRARY_PATH", "/somewhere");
    expect(chromiumEnvironment("lavapipe", 16)).toMatchObject({
      LD_LIBRARY_PATH: `${folder}/lib:/somewhere`,
      VK_DRIVER_FILES: `${folder}/icd.json`,
      LP_NATIVE_VECTOR_WIDTH: "512",
    });
    expect(chromiumFlags("lavapipe")).toContain("--use-vulkan=native");
    expect(chromiumFlags("swiftshader")).not.toContain("--use-vulkan=native");
  });
});
