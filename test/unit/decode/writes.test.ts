/** What a decoder is sent, and what it writes by itself: reveals, remasks, drafts, writes without a forward. */
import { describe, expect, test } from "vitest";
import { Canvas, NO_TOKEN } from "../../../src/decode/canvas";
import { type Decoder, type DecoderContext, goalsOf, type PlannedPass, rowsOf } from "../../../src/decode/decoder";
import type { PassResult } from "../../../src/model/engine";
import { drive, EOS, fixed, MASK, prompt, range, saying } from "./drive";

/** All rows of a canvas, answering what is masked or what is asked. */
const whole = (canvas: Canvas, goals = canvas.masks(0, canvas.length)): Pick<PlannedPass, "kind" | "rows"> => ({
  kind: "full",
  rows: rowsOf(0, canvas.length, () => canvas.length, goalsOf(goals, false)),
});
const maskedCanvas = (masks: number): Canvas => {
  const canvas = new Canvas(prompt(3), 3, MASK);
  canvas.extend(3 + masks);
  return canvas;
};

describe("results", () => {
  test("every yield is sent the answers of its passes, in row order, known places too", async () => {
    const sent: (readonly PassResult[])[] = [];
    function* decoder({ canvas }: DecoderContext): Decoder {
      const all = whole(canvas, range(3, 7));
      sent.push(yield [{ ...all, reveal: { rule: "count", count: 1, metric: "confidence" } }]);
      sent.push(
        yield [
          { ...all, reveal: { rule: "none" } },
          { ...all, reveal: { rule: "all" } },
        ],
      );
    }
    const { forwards } = await drive(decoder, maskedCanvas(4), { model: fixed((goal) => goal / 10) });
    expect(sent.map((results) => results.map(({ answers }) => answers.map(({ goal }) => goal)))).toEqual([
      [range(3, 7)],
      [range(3, 7), range(3, 7)],
    ]);
    const revealed = sent.flat().map(({ answers }) => answers.filter((answer) => answer.revealed).map(({ goal }) => goal));
    expect(revealed).toEqual([[6], [], [3, 4, 5]]);
    expect(forwards.map((forward) => forward.revealed.map(({ position }) => position))).toEqual(revealed);
  });

  test("results of dropped passes are left out", async () => {
    let sent = 0;
    function* decoder({ canvas }: DecoderContext): Decoder {
      const one = (place: number): PlannedPass => ({ ...whole(canvas, [place]), reveal: { rule: "all" } });
      sent = (yield [one(3), one(4), one(5)]).length;
    }
    const run = await drive(decoder, maskedCanvas(3), { model: saying(new Map([[4, EOS]])), stopIds: [EOS] });
    expect([sent, run.forwards.length, run.dropped.length]).toEqual([2, 2, 1]);
  });
});

describe("writes", () => {
  test("are in both copies before the pass runs, and count to the forward whose answers they were decided on", async () => {
    function* decoder({ canvas }: DecoderContext): Decoder {
      const [first] = yield [{ ...whole(canvas), reveal: { rule: "none" } }];
      const best = first?.answers.find(({ goal }) => goal === 4);
      yield [{ ...whole(canvas), write: [{ place: 4, id: best?.id ?? -1 }], reveal: { rule: "all" } }];
    }
    const { engine, forwards, canvas, progress } = await drive(decoder, maskedCanvas(2), { model: fixed((goal) => goal / 10) });
    expect(engine.ran.map(({ before }) => before[4] === MASK)).toEqual([true, false]);
    expect(engine.canvas).toEqual(canvas.tokens);
    expect(forwards.map(({ revealed }) => revealed.map(({ position, confidence }) => [position, confidence]))).toEqual([
      [[4, 0.4]],
      [[3, 0.3]],
    ]);
    expect(progress.map(({ revealed }) => revealed.map(({ position }) => position))).toEqual([[], [4, 3]]);
  });

  test("with the mask's id they make a place unknown again, and are no reveal", async () => {
    function* decoder({ canvas }: DecoderContext): Decoder {
      yield [{ ...whole(canvas), reveal: { rule: "all" } }];
      yield [{ ...whole(canvas, [3, 4]), write: [{ place: 3, id: MASK }], reveal: { rule: "all" } }];
    }
    const { engine, forwards } = await drive(decoder, maskedCanvas(2));
    expect(engine.ran[1]?.before[3]).toBe(MASK);
    expect(forwards.map(({ revealed }) => revealed.map(({ position }) => position))).toEqual([[3, 4], [3]]);
  });

  test("a later pass of a list writes after the one before it ran", async () => {
    function* decoder({ canvas }: DecoderContext): Decoder {
      yield [
        { ...whole(canvas, [3]), reveal: { rule: "all" } },
        { ...whole(canvas, [4]), reveal: { rule: "all" } },
        { ...whole(canvas, [5]), write: [{ place: 3, id: 77 }], reveal: { rule: "all" } },
      ];
    }
    const { engine } = await drive(decoder, maskedCanvas(3));
    expect(engine.submits).toEqual([2, 1]);
    expect(engine.ran.map(({ before }) => before[3] === 77)).toEqual([false, false, true]);
  });

  test("without rows they are no forward", async () => {
    function* decoder({ canvas }: DecoderContext): Decoder {
      yield [{ ...whole(canvas), reveal: { rule: "none" } }];
      yield [
        { kind: "full", rows: [], write: range(3, 5).map((place) => ({ place, id: 50 + place })), reveal: { rule: "none" } },
      ];
    }
    const { engine, forwards, canvas } = await drive(decoder, maskedCanvas(2));
    expect([engine.submits, forwards.length, canvas.tokens.slice(3)]).toEqual([[1], 1, [53, 54]]);
    expect(engine.canvas).toEqual(canvas.tokens);
  });

  test("the prompt is refused", async () => {
    function* decoder(): Decoder {
      yield [{ kind: "full", rows: [], write: [{ place: 2, id: 1 }], reveal: { rule: "none" } }];
    }
    await expect(drive(decoder, maskedCanvas(2))).rejects.toMatchObject({ code: "bad-option", message: /places from 3 on/ });
  });
});

describe("drafts", () => {
  test("are read by their pass alone: the answer never holds them, the device forgets them", async () => {
    const last = (canvas: Canvas): Pick<PlannedPass, "kind" | "rows"> => ({
      kind: "commit",
      rows: rowsOf(
        canvas.length - 1,
        canvas.length,
        (place) => place + 1,
        (place) => place + 1,
      ),
    });
    function* decoder({ canvas }: DecoderContext): Decoder {
      const limitOf = (place: number): number => place + 1;
      yield [{ kind: "prefill", rows: rowsOf(0, 3, limitOf, () => null), reveal: { rule: "none" } }];
      const rows = rowsOf(3, 6, limitOf, (place) => place + 1);
      yield [{ kind: "commit", rows, draft: range(3, 6).map((place) => ({ place, id: 60 + place })), reveal: { rule: "none" } }];
      yield [{ kind: "commit", rows: [], write: [{ place: 3, id: 63 }], reveal: { rule: "none" } }];
      yield [{ ...last(canvas), reveal: { rule: "all" } }];
    }
    const { engine, canvas } = await drive(decoder, new Canvas(prompt(3), 3, NO_TOKEN));
    expect(engine.ran[1]?.before.slice(3, 6)).toEqual([63, 64, 65]);
    expect(engine.ran[2]?.before.slice(3, 6)).toEqual([63, NO_TOKEN, NO_TOKEN]);
    expect(canvas.length).toBe(5);
  });
});

describe("a decoder that stands still", () => {
  test("is an error, also where it reveals what it masks again", async () => {
    function* flicker({ canvas }: DecoderContext): Decoder {
      for (;;) {
        yield [{ ...whole(canvas, [3]), reveal: { rule: "all" } }];
        yield [{ kind: "full", rows: [], write: [{ place: 3, id: MASK }], reveal: { rule: "none" } }];
      }
    }
    await expect(drive(flicker, maskedCanvas(2), { slots: 16 })).rejects.toMatchObject({ code: "bad-option" });
  });

  test("but one that ends after masking again and again is none", async () => {
    function* patient({ canvas }: DecoderContext): Decoder {
      for (let i = 0; i < 10; i++) {
        yield [{ ...whole(canvas, [3]), reveal: { rule: "all" } }];
        if (i < 9) yield [{ kind: "full", rows: [], write: [{ place: 3, id: MASK }], reveal: { rule: "none" } }];
      }
    }
    expect((await drive(patient, maskedCanvas(2), { slots: 16 })).forwards).toHaveLength(10);
  });
});
