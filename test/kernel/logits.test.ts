/** What changes logits before they are drawn from, and what tells them: penalties, bias, the most probable tokens; against float64 loops. */
import { describe, expect, test } from "vitest";
import { ANSWER_BYTES, allow, bias, divergence, MOST_TOPS, penalize, topTokens } from "../../src/kernels/answer";
import { readTop } from "../../src/model/pass";
import { testGpu } from "../support/goldens";
import {
  EPSILON,
  firstFault,
  firstTouched,
  gpuProfile,
  normals,
  plainRows,
  runJobs,
  runKernel,
  untouched,
} from "../support/kernel";
import * as reference from "../support/reference";

const MASK = 0xffffffff;
const profiles = async () => {
  const { profile } = await testGpu();
  return [{ ...profile, software: true }, gpuProfile(profile)];
};

describe("penalize", () => {
  test.each([
    [5, 3, 2],
    [64, 40, 7],
    [65, 130, 0],
    [1000, 1, 1],
    [1000, 259, 258],
  ])("V = %i, %i tokens, the answer's from %i on: several rows, each with a past of its own", async (V, length, answer) => {
    const before = 6;
    const canvas = Uint32Array.from({ length: before + length + 9 }, (_, i) =>
      i % 7 === 3 ? MASK : (i * i * 31 + 5) % Math.min(V, 23),
    );
    const pasts = [length, Math.ceil(length / 2), 0].map((count) => ({
      start: before,
      answer: before + answer,
      limit: before + count,
    }));
    const logits = untouched(pasts.length * V);
    logits.set(normals(pasts.length * V, V, 3));
    const penalties = { repetition: 1.3, presence: 0.7, frequency: -0.4 };
    const jobs = (await profiles()).map((profile) => ({
      kernel: penalize(profile, V),
      bound: [canvas, logits],
      rows: pasts.map((past, i) => ({ goal: i, past })),
      sampling: { penalties },
    }));
    for (const [, output] of await runJobs(jobs)) {
      pasts.forEach(({ start, limit }, i) => {
        const past = [...canvas.subarray(start, limit)];
        const want = reference.penalize(logits.subarray(i * V, (i + 1) * V), past, { answer, mask: MASK, ...penalties });
        expect(firstFault(output!.subarray(i * V, (i + 1) * V), want, EPSILON * 200)).toBeNull();
      });
      expect(firstTouched(output!, pasts.length * V)).toBeNull();
    }
  });

  test("no penalty changes no bit", async () => {
    const logits = normals(40, 1);
    const [, output] = await runKernel({
      kernel: penalize((await profiles())[0]!, 40),
      bound: [Uint32Array.from([1, 2, 3, 2]), logits],
      rows: [{ goal: 0, past: { start: 0, answer: 0, limit: 4 } }],
    });
    expect(output).toEqual(logits);
  });
});

test.each([1, 15, 16, 17, 40])("bias: %i ids", async (count) => {
  const [V, rows] = [50, 3];
  const list = Array.from({ length: count }, (_, i) => [(i * 7 + 49) % V, i - 3.5] as const);
  const logits = untouched(rows * V);
  logits.set(normals(rows * V, count));
  const words = new Uint32Array(2 * count + 4);
  const floats = new Float32Array(words.buffer);
  list.forEach(([id, value], i) => {
    words[2 * i] = id;
    floats[2 * i + 1] = value;
  });
  const [, output] = await runKernel({
    kernel: bias(V, count),
    bound: [words, logits],
    rows: plainRows(rows),
    sampling: { bias: list },
  });
  const added = new Map(list);
  const want = Float64Array.from(logits.subarray(0, rows * V), (l, i) => l + (added.get(i % V) ?? 0));
  expect(firstFault(output!, want, EPSILON * 50)).toBeNull();
  expect(firstTouched(output!, rows * V)).toBeNull();
});

describe("top_tokens", () => {
  test.each([
    [1, 1],
    [3, 5],
    [63, 20],
    [1025, 4],
    [5000, 20],
  ])("V = %i, the best %i, ties and suppressed ids among them", async (V, count) => {
    const random = normals(V, V, 3);
    const rows = [
      random,
      random.map((l) => Math.round(l)),
      random.map((l, i) => (i % 3 ? -1e30 : l)),
      new Float32Array(V).fill(2),
    ];
    const logits = Float32Array.from(rows.flatMap((row) => [...row]));
    // Answers as row_answer leaves them: what counts is the logit and log-probability of the proposed token.
    const words = ANSWER_BYTES / 4;
    const answers = new Float32Array((rows.length + 1) * words);
    rows.forEach((row, i) => {
      const peak = Math.max(...row);
      answers[(i + 1) * words + 2] = peak;
      answers[(i + 1) * words + 8] = reference.log_probability([...row], row.indexOf(peak));
    });
    for (const profile of await profiles()) {
      const tops = new Uint32Array((rows.length + 2) * MOST_TOPS * 2).fill(0xabcdef);
      const job = {
        kernel: topTokens(profile, V),
        bound: [logits, answers, tops],
        rows: plainRows(rows.length),
        sampling: { tops: count },
      };
      const [, , output] = await runKernel({ ...job, header: { first: 1 } });
      rows.forEach((row, i) => {
        const got = readTop(output!.buffer as ArrayBuffer, 1 + i, count);
        const want = reference.top_tokens([...row], count);
        expect(got.map(({ id }) => id)).toEqual(want.map(({ id }) => id));
        got.forEach(({ logProbability }, j) => {
          expect(Math.abs(logProbability - want[j]!.logProbability)).toBeLessThan(EPSILON * 200);
        });
        // Nothing beyond what was asked for.
        const behind = output!.subarray(((1 + i) * MOST_TOPS + count) * 2, (2 + i) * MOST_TOPS * 2);
        expect(behind.every((word) => word === 0xabcdef)).toBe(true);
      });
      expect(output!.subarray(0, MOST_TOPS * 2).every((word) => word === 0xabcdef)).toBe(true);
    }
  });
});

describe("allow", () => {
  test.each([1, 31, 32, 33, 64, 65, 1000])(
    "V = %i: what the bitmap leaves out has no probability, the rest is as it was",
    async (V) => {
      const rows = 3;
      const logits = untouched(rows * V);
      logits.set(normals(rows * V, V, 3));
      const bits = Uint32Array.from({ length: Math.ceil(V / 32) }, (_, i) => Math.imul(0x9e3779b1, i + V) >>> 0);
      const [, output] = await runKernel({ kernel: allow(V), bound: [bits, logits], rows: plainRows(rows) });
      const want = [...logits.subarray(0, rows * V)].map((logit, i) => {
        const id = i % V;
        return ((bits[id >> 5]! >>> (id & 31)) & 1) === 1 ? logit : Math.fround(-1e30);
      });
      expect([...output!.subarray(0, rows * V)]).toEqual(want);
      expect(firstTouched(output!, rows * V)).toBeNull();
    },
  );
});

describe("divergence", () => {
  const logSumOf = (row: ArrayLike<number>): number => {
    const peak = Math.max(...Array.from(row));
    return peak + Math.log(Array.from(row).reduce((sum, logit) => sum + Math.exp(logit - peak), 0));
  };

  test.each([1, 3, 64, 65, 1000])(
    "V = %i: KL from what was kept, which is then replaced; a row without a slot is left out",
    async (V) => {
      const slots = 5;
      const before = 2;
      const logits = normals(3 * V, V, 2);
      // One id that is suppressed on both sides.
      const kept = untouched(slots * (V + 1));
      for (let slot = 0; slot < slots; slot++) {
        const row = normals(V, 100 + slot, 2);
        if (V > 2) row[1] = -1e30;
        kept.set(row, slot * (V + 1));
        kept[slot * (V + 1) + V] = logSumOf(row);
      }
      const keeps = [[4, slots], undefined, [1, slots]] as const;
      if (V > 2) for (let i = 0; i < 3; i++) logits[i * V + 1] = -1e30;
      const words = ANSWER_BYTES / 4;
      const answers = new Float32Array((before + 3) * words).fill(7.5);
      for (let i = 0; i < 3; i++) {
        const row = logits.subarray(i * V, (i + 1) * V);
        answers[(before + i) * words + 2] = row[0]!;
        answers[(before + i) * words + 8] = row[0]! - logSumOf(row);
      }
      for (const profile of await profiles()) {
        const rows = keeps.map((slot, i) => ({ goal: i, kept: slot }));
        const [, keptAfter, told] = await runKernel({
          kernel: divergence(profile, V),
          bound: [logits, kept, answers],
          rows,
          header: { first: before },
        });
        keeps.forEach((keep, i) => {
          const at = (before + i) * words + 10;
          if (!keep) {
            expect(told![at]).toBe(7.5);
            return;
          }
          const row = logits.subarray(i * V, (i + 1) * V);
          const old = kept.subarray(keep[0] * (V + 1), keep[0] * (V + 1) + V);
          const want = reference.divergence(row, old);
          // Terms of either sign are added: the error is that of their absolute sum.
          expect(Math.abs(told![at]! - want)).toBeLessThanOrEqual(EPSILON * 64 * (1 + Math.log2(V + 1)) * 10);
          expect([...keptAfter!.subarray(keep[0] * (V + 1), keep[0] * (V + 1) + V)]).toEqual([...row]);
          expect(Math.abs(keptAfter![keep[0] * (V + 1) + V]! - logSumOf(row))).toBeLessThanOrEqual(EPSILON * 64);
        });
        for (const slot of [0, 2, 3]) {
          const [from, to] = [slot * (V + 1), (slot + 1) * (V + 1)];
          expect([...keptAfter!.subarray(from, to)]).toEqual([...kept.subarray(from, to)]);
        }
        expect(firstTouched(keptAfter!, slots * (V + 1))).toBeNull();
      }
    },
  );
});
