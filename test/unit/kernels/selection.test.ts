/** Which variant runs where: pure tables over device profiles. */
import { describe, expect, test } from "vitest";
import { statsGeometry } from "../../../src/kernels/answer";
import { lanesOf } from "../../../src/kernels/lanes";
import { linearAlgorithm } from "../../../src/kernels/linear";
import { PROFILES } from "../../support/profiles";

type Name = keyof typeof PROFILES;

describe("linearAlgorithm", () => {
  const cpu: readonly Name[] = ["swiftshader", "lavapipe", "bareCpu"];
  const gpu: readonly Name[] = ["nvidia", "intel", "bareGpu"];

  /** The rows from which on another algorithm is taken. */
  const changes = (name: Name): [number, string][] => {
    const list: [number, string][] = [];
    for (let rows = 1; rows <= 2048; rows++) {
      const algorithm = linearAlgorithm(PROFILES[name], rows);
      if (algorithm !== list.at(-1)?.[1]) list.push([rows, algorithm]);
    }
    return list;
  };

  test.each(cpu)("%s multiplies in registers: vectors, then matrices", (name) => {
    const list = changes(name);
    // With subgroups, lanes share what they load.
    const suffix = PROFILES[name].subgroupMinSize >= 4 ? "lane" : "reg";
    expect(list.map(([, algorithm]) => algorithm)).toEqual([`gemv_${suffix}`, `gemm_${suffix}`]);
    expect(list[1]![0]).toBeLessThanOrEqual(8);
  });

  test.each(gpu)("%s shares sums and tiles in a workgroup", (name) => {
    const list = changes(name);
    expect(list.map(([, algorithm]) => algorithm)).toEqual(["gemv_split", "gemm_tile"]);
    expect(list[1]![0]).toBeLessThanOrEqual(16);
  });
});

describe("lanesOf", () => {
  test.each<[Name, string, number]>([
    ["swiftshader", "subgroup", 4],
    ["lavapipe", "subgroup", 8],
    ["bareCpu", "workgroup", 4],
    ["nvidia", "subgroup", 32],
    // A size that is not fixed is not known when the shader is written.
    ["intel", "workgroup", 32],
    ["bareGpu", "workgroup", 32],
  ])("%s: %s of %i", (name, variant, count) => {
    const lanes = lanesOf(PROFILES[name]);
    expect([lanes.variant, lanes.count, lanes.consts]).toEqual([variant, count, { LANES: count }]);
    expect(lanes.features).toEqual(variant === "subgroup" ? ["subgroups"] : []);
    expect(lanes.part.includes("subgroupAdd")).toBe(variant === "subgroup");
  });

  test("subgroups that are there but not enabled are not used", () => {
    expect(lanesOf({ ...PROFILES.nvidia, features: [] }).variant).toBe("workgroup");
  });
});

describe("statsGeometry", () => {
  test.each<[Name, number, number, number, number]>([
    ["swiftshader", 1, 1024, 4, 4],
    ["swiftshader", 1024, 1024, 4, 4],
    ["swiftshader", 1025, 1024, 4, 8],
    ["swiftshader", 49152, 1024, 4, 192],
    ["nvidia", 4096, 4096, 64, 64],
    ["nvidia", 4097, 4096, 64, 128],
    ["nvidia", 151936, 4096, 64, 2432],
  ])("%s, V = %i", (name, vocabSize, chunk, width, partials) => {
    expect(statsGeometry(PROFILES[name], vocabSize)).toEqual({ chunk, width, partials });
  });
});
