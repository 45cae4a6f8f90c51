/** Which rows every decoder plans, in every cache mode: places, views and goals, number by number. */
import { describe, expect, test } from "vitest";
import { autoregressive } from "../../../src/decode/autoregressive";
import { type BlockDiffusionOptions, blockDiffusion } from "../../../src/decode/block-diffusion";
import { Canvas, NO_TOKEN } from "../../../src/decode/canvas";
import { type MaskedDiffusionOptions, maskedDiffusion } from "../../../src/decode/masked-diffusion";
import { type ShiftedBlockDiffusionOptions, shiftedBlockDiffusion } from "../../../src/decode/shifted-block-diffusion";
import { drive, fixed, MASK, prompt, type Ran, range } from "./drive";

const ONE_A_PASS = { rule: "schedule", metric: "confidence" } as const;
const ALL_AT_ONCE = { rule: "threshold", threshold: 1e-9, strict: false, metric: "confidence" } as const;
/** The later the place, the less certain: reveals go left to right. */
const leftToRight = fixed((goal) => 1 / (goal + 2));
/** And the other way round. */
const rightToLeft = fixed((goal) => 1 - 1 / (goal + 2));

/** A pass in short: kind, rows [from, to), what they see, and `row→goal` of those that answer. */
function brief({ kind, rows }: Ran): string {
  const places = rows.map(({ place }) => place);
  const [from = 0] = places;
  expect(places).toEqual(range(from, from + places.length));
  for (const { place, position, slot, start } of rows) expect([position, slot, start]).toEqual([place, place, 0]);
  const limits = [...new Set(rows.map(({ limit }) => limit))];
  const causal = rows.length > 1 && rows.every(({ place, limit }) => limit === place + 1);
  const goals = rows.flatMap(({ place, goal }) => (goal === null ? [] : [`${place}→${goal}`]));
  return `${kind} [${from},${from + rows.length}) sees ${causal ? "causal" : limits.join("|")} ${goals.join(" ")}`.trim();
}

const answering = (from: number, to: number, shift = 0): string =>
  range(from, to)
    .map((goal) => `${goal - shift}→${goal}`)
    .join(" ");

const masked = (promptLength: number, genLength: number): Canvas => {
  const canvas = new Canvas(prompt(promptLength), promptLength, MASK);
  canvas.extend(promptLength + genLength);
  return canvas;
};

describe("autoregressive", () => {
  const run = async (promptLength: number, maxNewTokens: number, { maxRows = 512, tokensPerSubmit = 4 } = {}) => {
    const canvas = new Canvas(prompt(promptLength), promptLength, NO_TOKEN);
    return drive((context) => autoregressive(context, { maxNewTokens, tokensPerSubmit }), canvas, { maxRows });
  };

  test("a prefill, then one row a token; the last token is never forwarded", async () => {
    const { ran, canvas } = await run(5, 4);
    expect(ran.map(brief)).toEqual([
      "prefill [0,5) sees causal 4→5",
      "commit [5,6) sees 6 5→6",
      "commit [6,7) sees 7 6→7",
      "commit [7,8) sees 8 7→8",
    ]);
    expect(canvas.length).toBe(9);
  });

  test("one new token is the prefill alone", async () => {
    expect((await run(5, 1)).ran.map(brief)).toEqual(["prefill [0,5) sees causal 4→5"]);
  });

  test("a long prompt is cut into passes of maxRows; only the last one answers", async () => {
    const { ran, engine } = await run(11, 2, { maxRows: 4 });
    expect(ran.map(brief)).toEqual([
      "prefill [0,4) sees causal",
      "prefill [4,8) sees causal",
      "prefill [8,11) sees causal 10→11",
      "commit [11,12) sees 12 11→12",
    ]);
    expect(engine.submits).toEqual([1, 1, 1, 1]);
    expect((await run(8, 1, { maxRows: 4 })).ran.map(brief).at(-1)).toBe("prefill [4,8) sees causal 7→8");
  });

  test("the first token comes alone, then twice tokensPerSubmit, then so many at a time, at the end what is left", async () => {
    expect((await run(3, 12)).engine.submits).toEqual([1, 8, 3]);
    expect((await run(3, 33)).engine.submits).toEqual([1, 8, 4, 4, 4, 4, 4, 4]);
    expect((await run(3, 36)).engine.submits).toEqual([1, 8, 4, 4, 4, 4, 4, 7]);
    expect((await run(3, 8)).engine.submits).toEqual([1, 7]);
    expect((await run(3, 2)).engine.submits).toEqual([1, 1]);
    expect((await run(3, 12, { tokensPerSubmit: 1 })).engine.submits).toEqual(new Array<number>(12).fill(1));
    expect((await run(3, 12, { tokensPerSubmit: 100 })).engine.submits).toEqual([1, 11]);
  });
});

describe("masked diffusion", () => {
  const options: MaskedDiffusionOptions = {
    blockLength: 4,
    cache: "none",
    refresh: 0,
    guidance: 0,
    shift: false,
    selection: ONE_A_PASS,
    schedule: (masks) => new Array<number>(2).fill(masks / 2),
    earlyStop: false,
  };
  const plans = async (over: Partial<MaskedDiffusionOptions>, canvas = masked(5, 8), model = leftToRight) =>
    (await drive((context) => maskedDiffusion(context, { ...options, ...over }), canvas, { model })).ran.map(brief);

  test("cache none: every pass is the whole canvas; masks of the active block are answered, by their own rows", async () => {
    expect(await plans({})).toEqual([
      `full [0,13) sees 13 ${answering(5, 9)}`,
      `full [0,13) sees 13 ${answering(7, 9)}`,
      `full [0,13) sees 13 ${answering(9, 13)}`,
      `full [0,13) sees 13 ${answering(11, 13)}`,
    ]);
  });

  test("cache prefix: first the whole canvas, then block and suffix", async () => {
    expect(await plans({ cache: "prefix" })).toEqual([
      `full [0,13) sees 13 ${answering(5, 9)}`,
      `suffix [5,13) sees 13 ${answering(7, 9)}`,
      `full [0,13) sees 13 ${answering(9, 13)}`,
      `suffix [9,13) sees 13 ${answering(11, 13)}`,
    ]);
  });

  test("cache dual: first the whole canvas, then the block alone, which still sees all", async () => {
    expect(await plans({ cache: "dual" })).toEqual([
      `full [0,13) sees 13 ${answering(5, 9)}`,
      `block [5,9) sees 13 ${answering(7, 9)}`,
      `full [0,13) sees 13 ${answering(9, 13)}`,
      `block [9,13) sees 13 ${answering(11, 13)}`,
    ]);
  });

  test("refresh: every so many passes of a block are full again", async () => {
    const schedule = () => [1, 1, 1, 1];
    const kinds = (await plans({ cache: "dual", refresh: 3, schedule })).map((plan) => plan.split(" ")[0]);
    expect(kinds).toEqual(["full", "block", "block", "full", "full", "block", "block", "full"]);
    const every = (await plans({ cache: "prefix", refresh: 1, schedule })).map((plan) => plan.split(" ")[0]);
    expect(every).toEqual(new Array<string>(8).fill("full"));
  });

  test("shift: the row before a place answers it, and the row before the block is computed with it", async () => {
    expect(await plans({ shift: true })).toEqual([
      `full [0,13) sees 13 ${answering(5, 9, 1)}`,
      `full [0,13) sees 13 ${answering(7, 9, 1)}`,
      `full [0,13) sees 13 ${answering(9, 13, 1)}`,
      `full [0,13) sees 13 ${answering(11, 13, 1)}`,
    ]);
    expect((await plans({ shift: true, cache: "prefix" }))[1]).toBe(`suffix [4,13) sees 13 ${answering(7, 9, 1)}`);
    expect((await plans({ shift: true, cache: "dual" }))[3]).toBe(`block [8,13) sees 13 ${answering(11, 13, 1)}`);
  });

  test("infill: known places have no goal; a block without masks takes no pass", async () => {
    const tokens = [1, 2, 3, MASK, 5, MASK, 6, 7, 8, 9, MASK, 10, 11, 12];
    expect(await plans({ schedule: null, selection: ALL_AT_ONCE }, new Canvas(tokens, 2, MASK))).toEqual([
      "full [0,14) sees 14 3→3 5→5",
      "full [0,14) sees 14 10→10",
    ]);
    expect(await plans({}, new Canvas([1, 2, 3, 4], 2, MASK))).toEqual([]);
  });

  test("a last block that is shorter ends with the canvas", async () => {
    expect((await plans({ cache: "dual", schedule: () => [1, 1] }, masked(5, 6))).at(-1)).toBe("block [9,11) sees 11 10→10");
  });

  test("goals follow what is still masked, whatever the order", async () => {
    expect((await plans({}, masked(5, 4), rightToLeft)).at(-1)).toBe(`full [0,9) sees 9 ${answering(5, 7)}`);
  });
});

describe("block diffusion", () => {
  const options: BlockDiffusionOptions = {
    blockLength: 4,
    gridOffset: 0,
    selection: ONE_A_PASS,
    schedule: (masks) => [masks - 1, 1],
    commitLast: true,
    earlyStop: false,
  };
  const plans = async (over: Partial<BlockDiffusionOptions>, canvas: Canvas, maxRows = 4096) =>
    (await drive((context) => blockDiffusion(context, { ...options, ...over }), canvas, { model: leftToRight, maxRows })).ran.map(
      brief,
    );

  test("P mod Bl = 0: prefill, then transient passes over the block and its commit", async () => {
    expect(await plans({}, masked(8, 8))).toEqual([
      "prefill [0,8) sees 4|8",
      `block [8,12) sees 12 ${answering(8, 12)}`,
      "block [8,12) sees 12 11→11",
      "commit [8,12) sees 12",
      `block [12,16) sees 16 ${answering(12, 16)}`,
      "block [12,16) sees 16 15→15",
      "commit [12,16) sees 16",
    ]);
  });

  test("P mod Bl ≠ 0: the prompt's rest is known in the first block; the canvas ends on the grid", async () => {
    expect(await plans({ commitLast: false }, masked(6, 4))).toEqual([
      "prefill [0,4) sees 4",
      "block [4,8) sees 8 6→6 7→7",
      "block [4,8) sees 8 7→7",
      "commit [4,8) sees 8",
      `block [8,12) sees 12 ${answering(8, 12)}`,
      "block [8,12) sees 12 11→11",
    ]);
  });

  test("P < Bl: no prefill at all", async () => {
    expect((await plans({ schedule: null, selection: ALL_AT_ONCE }, masked(1, 3)))[0]).toBe(
      `block [0,4) sees 4 ${answering(1, 4)}`,
    );
  });

  test("a grid that starts at the prompt's end: the first block of the prompt is the short one", async () => {
    expect(await plans({ gridOffset: 2, schedule: null, selection: ALL_AT_ONCE }, masked(6, 4))).toEqual([
      "prefill [0,6) sees 2|6",
      `block [6,10) sees 10 ${answering(6, 10)}`,
      "commit [6,10) sees 10",
    ]);
  });

  test("a prefill of more than maxRows is cut at block ends", async () => {
    expect((await plans({}, masked(21, 3), 10)).slice(0, 4)).toEqual([
      "prefill [0,8) sees 4|8",
      "prefill [8,16) sees 12|16",
      "prefill [16,20) sees 20",
      "block [20,24) sees 24 21→21 22→22 23→23",
    ]);
  });
});

describe("block diffusion with shift", () => {
  const options: ShiftedBlockDiffusionOptions = {
    blockLength: 8,
    subBlockLength: 4,
    subBlockCache: false,
    blocks: 1,
    selection: { rule: "threshold", threshold: 2, strict: true, metric: "confidence" },
    schedule: null,
  };
  const plans = async (promptLength: number, over: Partial<ShiftedBlockDiffusionOptions> = {}, model = leftToRight) => {
    const canvas = new Canvas(prompt(promptLength), promptLength, MASK);
    return (await drive((context) => shiftedBlockDiffusion(context, { ...options, ...over }), canvas, { model })).ran.map(brief);
  };

  test("P mod Bl = 0: the prefill answers the first place of the next block, as the commit does for the block after", async () => {
    expect(await plans(8)).toEqual([
      "prefill [0,8) sees 8 7→8",
      `block [8,16) sees 16 ${answering(9, 12, 1)}`,
      `block [8,16) sees 16 ${answering(10, 12, 1)}`,
      `block [8,16) sees 16 ${answering(11, 12, 1)}`,
      `block [8,16) sees 16 ${answering(12, 16, 1)}`,
      `block [8,16) sees 16 ${answering(13, 16, 1)}`,
      `block [8,16) sees 16 ${answering(14, 16, 1)}`,
      `block [8,16) sees 16 ${answering(15, 16, 1)}`,
      "commit [8,16) sees 16 15→16",
    ]);
  });

  test("J17 sub-block cache: only the sub-block's rows, once a pass of the whole block is cached and its first place is known", async () => {
    expect(await plans(8, { subBlockCache: true })).toEqual([
      "prefill [0,8) sees 8 7→8",
      `block [8,16) sees 16 ${answering(9, 12, 1)}`,
      `block [8,12) sees 16 ${answering(10, 12, 1)}`,
      `block [8,12) sees 16 ${answering(11, 12, 1)}`,
      `block [8,16) sees 16 ${answering(12, 16, 1)}`,
      `block [12,16) sees 16 ${answering(13, 16, 1)}`,
      `block [12,16) sees 16 ${answering(14, 16, 1)}`,
      `block [12,16) sees 16 ${answering(15, 16, 1)}`,
      "commit [8,16) sees 16 15→16",
    ]);
  });

  test("J17 a sub-block whose first place stays masked keeps taking the whole block", async () => {
    expect((await plans(8, { subBlockCache: true }, rightToLeft)).slice(4, 8)).toEqual([
      `block [8,16) sees 16 ${answering(12, 16, 1)}`,
      `block [8,16) sees 16 ${answering(12, 15, 1)}`,
      `block [8,16) sees 16 ${answering(12, 14, 1)}`,
      `block [8,16) sees 16 ${answering(12, 13, 1)}`,
    ]);
  });

  test("J17 a sub-block as long as the block is no sub-block", async () => {
    expect(await plans(5, { subBlockLength: 8, subBlockCache: false, blocks: 2 })).toEqual(
      await plans(5, { subBlockLength: 8, subBlockCache: true, blocks: 2 }),
    );
  });

  test("P < Bl: no prefill; the prompt is the beginning of the first block", async () => {
    const [first] = await plans(3);
    expect(first).toBe("block [0,8) sees 8 2→3");
  });

  test("J18 P = Bl: the prompt is prefilled, not lost", async () => {
    expect((await plans(8))[0]).toBe("prefill [0,8) sees 8 7→8");
    expect((await plans(16))[0]).toBe("prefill [0,16) sees 8|16 15→16");
    expect((await plans(9))[0]).toBe("prefill [0,8) sees 8");
  });
});
