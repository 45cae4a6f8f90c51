import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../../../src/formats/byte-source";
import { readSafetensors, readSafetensorsHeader, writeSafetensors } from "../../../src/formats/safetensors";
import { goldenBytes, refusal, safetensorsBytes } from "./files";

const open = (bytes: Uint8Array) => readSafetensorsHeader(bytesSource("x.safetensors", bytes));
const entry = (dtype: string, shape: number[], start: number, end: number) => ({ dtype, shape, data_offsets: [start, end] });

describe("reading", () => {
  test("golden results come as typed arrays", () => {
    const golden = readSafetensors(goldenBytes("llama-tied/golden.safetensors"));
    expect([...golden.keys()].toSorted()).toEqual(
      [0, 1, 2].flatMap((i) => [`case${i}.logits`, `case${i}.mask`, `case${i}.tokens`]).toSorted(),
    );
    const { shape, data } = golden.get("case1.logits")!;
    expect(shape).toEqual([24, 320]);
    expect(data).toBeInstanceOf(Float32Array);
    expect(golden.get("case1.tokens")!.data).toBeInstanceOf(Int32Array);
    const mask = golden.get("case1.mask")!;
    expect(mask.data).toBeInstanceOf(Uint8Array);
    for (let q = 0; q < 24; q++) for (let k = 0; k < 24; k++) expect(mask.data[q * 24 + k]).toBe(k <= q ? 1 : 0);
  });

  test("k-quant goldens hold bytes and values of four rows", () => {
    const golden = readSafetensors(goldenBytes("k-quants/golden.safetensors"));
    expect(golden.get("Q4_K.bytes")!.shape).toEqual([4, 288]);
    expect(golden.get("Q4_K.values")!.shape).toEqual([4, 512]);
  });

  test("what is written is read back", () => {
    const tensors = fc.dictionary(
      fc.string({ minLength: 1, maxLength: 8 }).filter((name) => name !== "__metadata__" && name !== "__proto__"),
      fc.float32Array({ maxLength: 20 }),
      { maxKeys: 5 },
    );
    fc.assert(
      fc.property(tensors, (values) => {
        const list = Object.entries(values).map(([name, data]) => ({ name, dtype: "F32" as const, shape: [data.length], data }));
        const read = readSafetensors(writeSafetensors(list));
        expect(read.size).toBe(list.length);
        for (const { name, data } of list) expect(read.get(name)!.data).toEqual(data);
      }),
    );
  });

  test("names that JavaScript's own objects have are names like others", () => {
    const names = ["toString", "valueOf", "constructor", "hasOwnProperty"];
    const list = names.map((name, i) => ({ name, dtype: "F32" as const, shape: [1], data: new Float32Array([i]) }));
    const read = readSafetensors(writeSafetensors(list));
    expect(names.map((name) => read.get(name)!.data[0])).toEqual([0, 1, 2, 3]);
  });

  test("writing refuses a shape that does not hold its data, and a name twice", async () => {
    const one = { name: "a", dtype: "F32" as const, shape: [2], data: new Float32Array(2) };
    await refusal(() => writeSafetensors([{ ...one, shape: [3] }]), "bad-option");
    await refusal(() => writeSafetensors([one, one]), "bad-option");
  });
});

describe("malformed files", () => {
  const cases: [what: string, bytes: Uint8Array, message: RegExp][] = [
    ["empty", new Uint8Array(0), /too short/],
    ["shorter than the length", new Uint8Array(7), /too short/],
    ["a header longer than the file", safetensorsBytes("{}", 0).subarray(0, 9), /past the end/],
    ["a huge header", new Uint8Array(8).fill(255), /limit 100000000/],
    ["no JSON", safetensorsBytes("{hello", 0), /not JSON/],
    ["not UTF-8", new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]), /not UTF-8/],
    ["an array", safetensorsBytes("[]", 0), /expected a JSON object, got an array/],
    ["null", safetensorsBytes("null", 0), /expected a JSON object/],
    ["hostile nesting", safetensorsBytes("[".repeat(200_000), 0), /nested deeper than 64/],
    ["hostile nesting of objects", safetensorsBytes('{"a":'.repeat(50_000), 0), /nested deeper than 64/],
    ["an entry that is no object", safetensorsBytes({ a: 3 }, 0), /tensor a: expected an object/],
    ["no dtype", safetensorsBytes({ a: { shape: [1], data_offsets: [0, 4] } }, 4), /dtype/],
    ["shape of strings", safetensorsBytes({ a: { ...entry("F32", [], 0, 4), shape: ["1"] } }, 4), /no list of sizes/],
    ["a negative size", safetensorsBytes({ a: entry("F32", [-1], 0, 4) }, 4), /no list of sizes/],
    ["a fractional size", safetensorsBytes({ a: entry("F32", [0.5], 0, 2) }, 2), /no list of sizes/],
    ["too many dimensions", safetensorsBytes({ a: entry("F32", Array(9).fill(1), 0, 4) }, 4), /at most 8 sizes/],
    ["a product past 2^53", safetensorsBytes({ a: entry("F32", [2 ** 40, 2 ** 40], 0, 4) }, 4), /too large/],
    ["too few bytes for the shape", safetensorsBytes({ a: entry("F32", [2], 0, 4) }, 4), /takes 8 bytes, the file gives 4/],
    ["offsets reversed", safetensorsBytes({ a: entry("F32", [1], 4, 0) }, 4), /no range/],
    ["one offset", safetensorsBytes({ a: { ...entry("F32", [1], 0, 4), data_offsets: [0] } }, 4), /no range/],
    ["past the end", safetensorsBytes({ a: entry("F32", [2], 0, 8) }, 4), /tensor a: bytes .* lie past the end .* truncated/],
    ["overlap", safetensorsBytes({ a: entry("F32", [2], 0, 8), b: entry("F32", [2], 4, 12) }, 12), /overlap/],
    ["a hole", safetensorsBytes({ a: entry("F32", [1], 0, 4), b: entry("F32", [1], 8, 12) }, 12), /4 unused bytes/],
    ["bytes after the last tensor", safetensorsBytes({ a: entry("F32", [1], 0, 4) }, 8), /4 bytes after/],
    [
      "a name twice",
      safetensorsBytes(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        8,
      ),
      /unused bytes/,
    ],
  ];
  test.each(cases)("%s", async (_, bytes, message) => {
    expect(await refusal(() => open(bytes), "bad-file")).toMatch(message);
    await refusal(() => readSafetensors(bytes), "bad-file");
  });

  test("a type without a typed array is refused by name", async () => {
    const bytes = safetensorsBytes({ a: entry("I64", [1], 0, 8) }, 8);
    expect(await open(bytes)).toHaveLength(1);
    expect(await refusal(() => readSafetensors(bytes), "unsupported-dtype")).toContain("I64");
  });
});
