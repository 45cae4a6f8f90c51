/** Which variant runs where: pure tables over device profiles. */
import { describe, expect, test } from "vitest";
import type { DeviceProfile } from "../../../src/gpu/profile";
import { statsGeometry } from "../../../src/kernels/answer";
import { lanesOf } from "../../../src/kernels/lanes";
import { chooseLinear, defaultLinear, linearVariants } from "../../../src/kernels/linear";
import { LINEAR_VARIANTS } from "../../../src/kernels/linear-variants";
import { linearKey, ROW_CLASSES, rowClass, seededTuning, type Tuning } from "../../../src/kernels/tuning";
import type { WeightFormat } from "../../../src/kernels/weight";
import { PROFILES } from "../../support/profiles";

type Name = keyof typeof PROFILES;
const FORMATS: readonly WeightFormat[] = ["q4", "q8", "f16", "f32"];

describe("defaultLinear", () => {
  const cpu: readonly Name[] = ["swiftshader", "lavapipe", "bareCpu"];
  const gpu: readonly Name[] = ["nvidia", "intel", "bareGpu"];

  /** The rows from which on another algorithm is taken. */
  const changes = (name: Name): [number, string][] => {
    const list: [number, string][] = [];
    for (let rows = 1; rows <= 2048; rows++) {
      const { algorithm } = defaultLinear(PROFILES[name], "q4", rows);
      if (algorithm !== list.at(-1)?.[1]) list.push([rows, algorithm]);
    }
    return list;
  };

  test.each(cpu)("%s multiplies in registers: vectors, then matrices", (name) => {
    const list = changes(name);
    // With subgroups, lanes share what they load.
    const suffix = PROFILES[name].subgroupMinSize >= 4 ? "lane" : "reg";
    for (const [, algorithm] of list) expect(algorithm).toMatch(new RegExp(`^gem[vm]_${suffix}`));
    expect(list[0]![1]).toMatch(/^gemv/);
    expect(list.at(-1)![1]).toMatch(/^gemm/);
    expect(list.find(([, algorithm]) => algorithm.startsWith("gemm"))![0]).toBeLessThanOrEqual(8);
  });

  test.each(gpu)("%s shares sums and tiles in a workgroup", (name) => {
    const list = changes(name);
    expect(list[0]![1]).toMatch(/^gemv/);
    expect(list.at(-1)![1]).toMatch(/^gemm_tile/);
    expect(list.find(([, algorithm]) => algorithm.startsWith("gemm"))![0]).toBeLessThanOrEqual(16);
  });

  test.each(Object.keys(PROFILES) as Name[])("%s can run its default, for every format and class of rows", (name) => {
    for (const format of FORMATS) {
      for (const rows of ROW_CLASSES)
        expect(linearVariants(PROFILES[name], format)).toContain(defaultLinear(PROFILES[name], format, rows));
    }
  });
});

describe("linearVariants", () => {
  const idsOf = (profile: DeviceProfile) => linearVariants(profile, "q4").map(({ id }) => id);

  test("ids are unique", () => {
    expect(new Set(LINEAR_VARIANTS.map(({ id }) => id)).size).toBe(LINEAR_VARIANTS.length);
  });

  test("what needs subgroups is not for devices without them, or with them off", () => {
    expect(idsOf(PROFILES.swiftshader)).toContain("gemm_lane");
    expect(idsOf(PROFILES.bareCpu).filter((id) => id.includes("lane"))).toEqual([]);
    expect(idsOf({ ...PROFILES.swiftshader, features: [] })).toEqual(idsOf(PROFILES.bareCpu));
  });

  test("nothing goes beyond a device's limits", () => {
    const small = {
      ...PROFILES.nvidia,
      limits: { maxComputeInvocationsPerWorkgroup: 128, maxComputeWorkgroupStorageSize: 4096 },
    };
    for (const { invocations, storage = 0 } of linearVariants(small, "q4")) {
      expect(invocations).toBeLessThanOrEqual(128);
      expect(storage).toBeLessThanOrEqual(4096);
    }
    expect(idsOf(small)).not.toContain("gemm_tile");
  });
});

describe("chooseLinear", () => {
  const query = { format: "q4", rows: 40, inFeatures: 576, outFeatures: 1536 } as const;
  const choose = (tuning: Tuning, rows: number = query.rows) => chooseLinear(PROFILES.bareGpu, tuning, { ...query, rows }).id;

  test("rows belong to the largest class that is not above them", () => {
    expect([0, 1, 2, 3, 4, 7, 8, 31, 32, 127, 128, 511, 512, 9999].map(rowClass)).toEqual([
      1, 1, 2, 2, 4, 4, 8, 16, 32, 64, 128, 128, 512, 512,
    ]);
  });

  test("an entry of the shape goes before one of the format, that before the default", () => {
    const byFormat = { "linear q4 32": "gemm_reg" };
    expect(linearKey(query)).toBe("linear q4 32 576x1536");
    expect(choose({})).toBe(defaultLinear(PROFILES.bareGpu, "q4", 40).id);
    expect(choose(byFormat)).toBe("gemm_reg");
    expect(choose({ ...byFormat, "linear q4 32 576x1536": "gemv_reg" })).toBe("gemv_reg");
    expect(choose({ ...byFormat, "linear q4 32 576x1537": "gemv_reg" })).toBe("gemm_reg");
    expect(choose({ "linear q8 32": "gemm_reg" })).toBe(choose({}));
  });

  test("every row count of a class is answered alike", () => {
    const tuning = { "linear q4 32": "gemm_reg" };
    expect([32, 33, 63].map((rows) => choose(tuning, rows))).toEqual(["gemm_reg", "gemm_reg", "gemm_reg"]);
    expect([31, 64].map((rows) => choose(tuning, rows))).not.toContain("gemm_reg");
  });

  test("a tuned variant that is unknown, or that cannot run, is an error", () => {
    expect(() => choose({ "linear q4 32": "gemm_best" })).toThrow(/linear variant "gemm_best": expected one of .*gemm_reg/);
    expect(() => choose({ "linear q4 32": "gemm_lane" })).toThrow(
      /"gemm_lane": tuned for linear q4 32 576x1536, but this device cannot/,
    );
  });

  test("what is shipped for known devices can run there", () => {
    for (const profile of Object.values(PROFILES)) {
      for (const [key, id] of Object.entries(seededTuning(profile))) {
        const format = key.split(" ")[1] as WeightFormat;
        expect(linearVariants(profile, format).map((variant) => variant.id)).toContain(id);
      }
    }
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
