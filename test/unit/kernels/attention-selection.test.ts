/** Which variant of attention runs where: pure tables over device profiles. */
import { describe, expect, test } from "vitest";
import {
  ATTENTION_VARIANTS,
  type AttentionQuery,
  attentionKey,
  attentionVariant,
  attentionVariants,
  chooseAttention,
  defaultAttention,
  KEY_CLASSES,
  keyClass,
  SPLIT_ROWS,
} from "../../../src/kernels/attention-variants";
import { ROW_CLASSES, rowClass } from "../../../src/kernels/tuning";
import { PROFILES } from "../../support/profiles";

const SHAPES = {
  smol: { numAttentionHeads: 9, numKeyValueHeads: 3, headDim: 64, slots: 2048, packs: 512 },
  qwen: { numAttentionHeads: 16, numKeyValueHeads: 8, headDim: 128, slots: 2048, packs: 512 },
  large: { numAttentionHeads: 8, numKeyValueHeads: 1, headDim: 256, slots: 2048, packs: 512 },
} as const;

const QUERIES: AttentionQuery[] = Object.values(SHAPES).flatMap((shape) =>
  [1, 2, 3, 7, 15, 16, 31, 32, 100, 600].flatMap((rows) =>
    [0, 1, 127, 128, 511, 512, 5000].flatMap((keys) => [false, true].map((sparse) => ({ rows, keys, shape, sparse }))),
  ),
);

describe.each(Object.entries(PROFILES))("%s", (_, profile) => {
  test("a default is among what runs, and the same throughout a class", () => {
    for (const query of QUERIES) {
      const chosen = defaultAttention(profile, query);
      expect(attentionVariants(profile, query)).toContain(chosen);
      const least = { ...query, rows: rowClass(query.rows), keys: keyClass(query.keys) };
      expect(defaultAttention(profile, least)).toBe(chosen);
    }
  });

  test("spreading takes subgroups, splitting few rows that lie together", () => {
    for (const query of QUERIES) {
      for (const { spread, parts, algorithm } of attentionVariants(profile, query)) {
        if (spread) expect(profile.subgroupMinSize).toBeGreaterThan(0);
        if (parts > 1) expect([query.rows <= SPLIT_ROWS, query.sparse]).toEqual([true, false]);
        if (algorithm === "tile") expect(query.shape.headDim).toBeLessThanOrEqual(128);
      }
    }
  });
});

describe("defaults", () => {
  const { smol } = SHAPES;
  const idOf = (name: keyof typeof PROFILES, rows: number, keys: number): string =>
    defaultAttention(PROFILES[name], { rows, keys, shape: smol }).id;

  test("a CPU adapter keeps to registers, with as many pairs as there are", () => {
    expect(["swiftshader", "lavapipe"].map((name) => idOf(name as "lavapipe", 1, 64))).toEqual([
      "pairs4_spread",
      "pairs4_spread",
    ]);
    expect(idOf("swiftshader", 128, 256)).toBe("pairs8_spread");
    expect(idOf("bareCpu", 128, 256)).toBe("pairs8");
    // Three workgroups leave a core idle: long spans are split.
    expect(idOf("swiftshader", 1, 1024)).toBe("pairs4_spread_split4");
  });

  test("a GPU splits few queries over long spans and tiles many", () => {
    expect([1, 128, 512, 2048].map((keys) => idOf("nvidia", 1, keys))).toEqual([
      "pairs4",
      "pairs4",
      "pairs4_split4",
      "pairs4_split16",
    ]);
    expect([16, 32, 512].map((rows) => idOf("bareGpu", rows, 512))).toEqual(["pairs4", "tile", "tile"]);
    expect(defaultAttention(PROFILES.nvidia, { rows: 64, keys: 64, shape: { ...smol, cache: "f16" } }).id).toBe("tile_f16");
  });
});

describe("tuning", () => {
  const query: AttentionQuery = { rows: 1, keys: 700, shape: SHAPES.smol };
  const profile = PROFILES.swiftshader;

  test("a tuned class is followed, another is not", () => {
    const key = attentionKey(query);
    expect(key).toBe("attention f32 9/3x64 1 512");
    expect(chooseAttention(profile, { [key]: "pairs4" }, query).id).toBe("pairs4");
    expect(chooseAttention(profile, { [key]: "pairs4" }, { ...query, rows: 2 })).toBe(
      defaultAttention(profile, { ...query, rows: 2 }),
    );
    expect(attentionKey({ ...query, sparse: true })).toBe(`${key} sparse`);
  });

  test("what is unknown or cannot run is refused", () => {
    const key = attentionKey(query);
    expect(() => chooseAttention(profile, { [key]: "pairs5" }, query)).toThrow(/"pairs5": expected one of pairs4,/);
    expect(() => chooseAttention(PROFILES.bareCpu, { [key]: "pairs4_spread" }, query)).toThrow(/cannot run it there; tune again/);
  });

  test("ids are distinct and found again; classes begin at one", () => {
    expect(new Set(ATTENTION_VARIANTS.map(({ id }) => id)).size).toBe(ATTENTION_VARIANTS.length);
    for (const variant of ATTENTION_VARIANTS) expect(attentionVariant(variant.id)).toBe(variant);
    expect([KEY_CLASSES[0], ROW_CLASSES[0]]).toEqual([1, 1]);
  });
});
