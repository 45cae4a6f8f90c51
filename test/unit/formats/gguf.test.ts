import { describe, expect, test } from "vitest";
import { type ByteSource, bytesSource } from "../../../src/formats/byte-source";
import { openGguf } from "../../../src/formats/gguf";
import { fileSource, GgufWriter, GOLDENS, goldenBytes, refusal } from "./files";

const open = (bytes: Uint8Array) => openGguf(bytesSource("x.gguf", bytes));
const writer = () => new GgufWriter();
const F32 = 0;

describe("reading", () => {
  test.each(["f16", "q4_0", "q4_1", "q5_0", "q8_0"])("golden gguf-%s", async (dtype) => {
    const { metadata, tensors, unsupported } = await openGguf(fileSource(`${GOLDENS}gguf-${dtype}/model.gguf`));
    expect(metadata.get("general.architecture")).toBe("llama");
    expect(metadata.get("llama.embedding_length")).toBe(128);
    expect(metadata.get("tokenizer.ggml.tokens")).toHaveLength(320);
    expect(unsupported.size).toBe(0);
    expect(tensors.size).toBe(29);
    const gate = tensors.get("blk.1.ffn_gate.weight")!;
    expect(gate.shape).toEqual([320, 128]);
    expect(gate.dtype).toBe(dtype);
    const vector = tensors.get("output_norm.weight")!;
    expect(vector.shape).toEqual([128]);
    expect(vector.end - vector.start).toBe(512);
  });

  test("reads the header by growing ranges and never the data", async () => {
    const head = writer().head(1, 2).text("general.architecture").u32(8).text("llama");
    head.text("tokens").u32(9).u32(8).u64(30_000);
    for (let i = 0; i < 30_000; i++) head.text(`token ${i} of a long vocabulary`);
    const header = head.tensor("a", [1024, 4096], F32, 0);
    const bytes = header.end(1024 * 4096 * 4);
    let read = 0;
    const counting: ByteSource = {
      name: "big.gguf",
      size: bytes.length,
      async read(start, end) {
        expect(start).toBe(read); // every byte once
        read = end;
        return bytes.subarray(start, end);
      },
    };
    const { metadata, tensors } = await openGguf(counting);
    expect((metadata.get("tokens") as string[])[29_999]).toBe("token 29999 of a long vocabulary");
    expect(tensors.get("a")!.shape).toEqual([4096, 1024]);
    expect(read).toBeLessThan(2 * header.length);
  });

  test("every value type, version 2 and 3", async () => {
    for (const version of [2, 3]) {
      const file = writer().head(0, 8, version);
      file.text("u8").u32(0).raw(200).text("i8").u32(1).raw(200).text("bool").u32(7).raw(1);
      file.text("u32").u32(4).u32(4e9).text("i32").u32(5).u32(4294967295);
      file
        .text("u64")
        .u32(10)
        .u64(5)
        .text("i64")
        .u32(11)
        .u64(2n ** 64n - 3n);
      file.text("nested").u32(9).u32(9).u64(2).u32(0).u64(2).raw(1, 2).u32(8).u64(1).text("é");
      const { metadata } = await open(file.end(0));
      expect(Object.fromEntries(metadata)).toEqual({
        u8: 200,
        i8: -56,
        bool: true,
        u32: 4e9,
        i32: -1,
        u64: 5,
        i64: -3,
        nested: [[1, 2], ["é"]],
      });
    }
  });

  test("integers past 2^53 stay exact", async () => {
    const { metadata } = await open(
      writer()
        .head(0, 1)
        .text("big")
        .u32(10)
        .u64(2n ** 60n)
        .end(0),
    );
    expect(metadata.get("big")).toBe(2n ** 60n);
  });

  test("general.alignment moves the data", async () => {
    const file = writer().head(2, 1).text("general.alignment").u32(4).u32(64).tensor("a", [3], F32, 0).tensor("b", [1], F32, 64);
    const { tensors } = await open(file.end(68, 64));
    expect(tensors.get("a")!.start % 64).toBe(0);
    expect(tensors.get("b")!.start - tensors.get("a")!.start).toBe(64);
  });

  test("tensors of other types are listed by type, k-quants and unknown ids alike", async () => {
    const file = writer().head(3, 0).tensor("k", [256, 2], 12, 0).tensor("future", [8], 77, 288).tensor("a", [1], F32, 288);
    const { tensors, unsupported } = await open(file.end(292));
    expect([...tensors.keys()]).toEqual(["a"]);
    expect(Object.fromEntries(unsupported)).toEqual({ k: "q4_K", future: "type 77" });
  });
});

describe("malformed files", () => {
  const cases: [what: string, bytes: Uint8Array, message: RegExp][] = [
    ["empty", new Uint8Array(0), /ends inside magic/],
    ["another magic", new Uint8Array(64).fill(65), /not a GGUF file/],
    ["version 1", writer().head(0, 0, 1).end(0), /version 1; expected 2 or 3/],
    ["big-endian", writer().head(0, 0, 0x03000000).end(0), /big-endian/],
    [
      "a huge tensor count",
      writer()
        .head(2n ** 63n, 0)
        .end(0),
      /tensor count is 9223372036854775808/,
    ],
    [
      "a huge metadata count",
      writer()
        .head(0, 2 ** 40)
        .end(0),
      /metadata count/,
    ],
    ["more tensors than bytes", writer().head(100_000, 0).tensor("a", [1], F32, 0).end(0, 1), /ends inside tensor name/],
    [
      "a long key",
      writer()
        .head(0, 1)
        .u64(2n ** 40n)
        .end(64),
      /metadata key length/,
    ],
    [
      "a long string",
      writer()
        .head(0, 1)
        .text("k")
        .u32(8)
        .u64(2n ** 40n)
        .end(64),
      /k length/,
    ],
    ["a string past the end", writer().head(0, 1).text("k").u32(8).u64(4096).end(64), /ends inside k/],
    ["a key that is not UTF-8", writer().head(0, 1).u64(2).raw(0xff, 0xfe).u32(0).raw(1).end(0), /not UTF-8/],
    ["an unknown value type", writer().head(0, 1).text("k").u32(13).end(64), /unknown value type 13/],
    ["an unknown array type", writer().head(0, 1).text("k").u32(9).u32(99).u64(1).end(64), /unknown value type 99/],
    ["an array longer than the file", writer().head(0, 1).text("k").u32(9).u32(0).u64(1_000_000).end(64), /ends inside k/],
    [
      "a huge array",
      writer()
        .head(0, 1)
        .text("k")
        .u32(9)
        .u32(8)
        .u64(2n ** 50n)
        .end(64),
      /limit 16777216/,
    ],
    ["a key twice", writer().head(0, 2).text("k").u32(0).raw(1).text("k").u32(0).raw(1).end(0), /key k occurs twice/],
    ["alignment 0", writer().head(0, 1).text("general.alignment").u32(4).u32(0).end(0), /power of two/],
    ["alignment 3", writer().head(0, 1).text("general.alignment").u32(4).u32(3).end(0), /power of two/],
    ["alignment as text", writer().head(0, 1).text("general.alignment").u32(8).text("32").end(0), /power of two/],
    ["no dimensions", writer().head(1, 0).tensor("a", [], F32, 0).end(64), /0 dimensions/],
    ["five dimensions", writer().head(1, 0).tensor("a", [1, 1, 1, 1, 1], F32, 0).end(64), /5 dimensions/],
    ["a dimension of 0", writer().head(1, 0).tensor("a", [0], F32, 0).end(64), /empty or too large/],
    [
      "a product past 2^64",
      writer()
        .head(1, 0)
        .tensor("a", [2n ** 40n, 2n ** 40n], F32, 0)
        .end(64),
      /too large/,
    ],
    ["a row of half a block", writer().head(1, 0).tensor("a", [48, 1], 2, 0).end(64), /no whole q4_0 blocks/],
    ["an odd offset", writer().head(1, 0).tensor("a", [1], F32, 4).end(64), /no multiple of 32/],
    [
      "a tensor past the end",
      writer().head(1, 0).tensor("a", [1024], F32, 0).end(64),
      /tensor a: bytes .* past the end of x.gguf/,
    ],
    [
      "an offset past 2^63",
      writer()
        .head(1, 0)
        .tensor("a", [1], F32, 2n ** 63n)
        .end(64),
      /past the end/,
    ],
    ["a name twice", writer().head(2, 0).tensor("a", [1], F32, 0).tensor("a", [1], F32, 32).end(64), /tensor a occurs twice/],
    [
      "overlap",
      writer().head(2, 0).tensor("a", [16], F32, 0).tensor("b", [1], F32, 32).end(64),
      /b at byte .* overlaps tensor a/,
    ],
    ["the same place", writer().head(2, 0).tensor("a", [1], F32, 0).tensor("b", [1], F32, 0).end(64), /overlaps/],
  ];
  test.each(cases)("%s", async (_, bytes, message) => {
    expect(await refusal(() => open(bytes), "bad-file")).toMatch(message);
  });

  test("hostile nesting of arrays", async () => {
    const file = writer().head(0, 1).text("k").u32(9);
    for (let i = 0; i < 1000; i++) file.u32(9).u64(1);
    expect(await refusal(() => open(file.end(64)), "bad-file")).toContain("nested deeper");
  });

  test("a truncated download is named before anything else is looked at", async () => {
    const whole = goldenBytes("gguf-q4_0/model.gguf");
    const message = await refusal(() => open(whole.subarray(0, whole.length - 1)), "bad-file");
    expect(message).toMatch(
      /^tensor output_norm.weight: bytes \d+\.\.\d+ lie past the end of x\.gguf \(size \d+\): the file is truncated, download it again$/,
    );
  });
});
