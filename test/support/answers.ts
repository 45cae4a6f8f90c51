/** Logits to answers through the kernels, as an engine chains them: cutoff where a filter is on, statistics, answers. */
import { ANSWER_BYTES, PARTIAL_BYTES, rowAnswer, rowStats, type StatsGeometry, sampleCutoff } from "../../src/kernels/answer";
import type { Lanes } from "../../src/kernels/lanes";
import { type Answer, type Metric, readAnswers, type Sampling } from "../../src/model/pass";
import { type Job, MARGIN, runJobs, untouched } from "./kernel";

/** Rows of logits and how they are to be answered. */
export interface Question {
  /** [T, V] */
  readonly logits: Float32Array<ArrayBuffer>;
  readonly vocabSize: number;
  readonly geometry: StatsGeometry;
  readonly lanes: Lanes;
  readonly sampling?: Partial<Sampling>;
  readonly metric?: Metric;
  readonly draw?: number;
  /** Canvas index of each row; default its number. */
  readonly goals?: readonly number[];
  /** Token whose log-probability is asked of each row; undefined for none. */
  readonly probes?: readonly (number | undefined)[];
}

const isFiltered = ({ sampling: { topK = 0, topP = 1, minP = 0 } = {} }: Question): boolean => topK > 0 || topP < 1 || minP > 0;

/** What the dispatches of a question have in common. */
function common({ logits, vocabSize, sampling, metric, draw = 0, goals, probes }: Question): Omit<Job, "kernel" | "bound"> {
  const rows = Array.from({ length: logits.length / vocabSize }, (_, i) => ({ goal: goals?.[i] ?? i, probe: probes?.[i] }));
  const reveal = metric ? { reveal: { rule: "count", count: 1, metric } as const } : {};
  return { rows, header: { draw }, ...(sampling ? { sampling } : {}), ...reveal };
}

/** The least logit that is kept, of each row. */
export async function cutoffsOf(questions: readonly Question[]): Promise<Float32Array<ArrayBuffer>[]> {
  const jobs = questions.map((q) => {
    const base = common(q);
    return { ...base, kernel: sampleCutoff(q.lanes, q.vocabSize), bound: [q.logits, untouched(base.rows.length)] };
  });
  return (await runJobs(jobs)).map((arrays) => arrays[1] as Float32Array<ArrayBuffer>);
}

/** Answers of each question's rows. Throws where one was written outside of its place. */
export async function answersOf(questions: readonly Question[]): Promise<Answer[][]> {
  const filtered = questions.filter(isFiltered);
  const cutoffs = new Map((await cutoffsOf(filtered)).map((cutoff, i) => [filtered[i], cutoff]));
  const stats = await runJobs(
    questions.map((q) => {
      const base = common(q);
      const partials = new Float32Array((base.rows.length * q.geometry.partials * PARTIAL_BYTES) / 4);
      const kernel = rowStats(q.geometry, q.vocabSize, isFiltered(q));
      return { ...base, kernel, bound: [q.logits, cutoffs.get(q) ?? new Float32Array(4), partials] };
    }),
  );
  const words = ANSWER_BYTES / 4;
  const answers = await runJobs(
    questions.map((q, i) => {
      const base = common(q);
      const output = new Uint32Array((base.rows.length + 2) * words + MARGIN).fill(0xabcdef);
      const header = { ...base.header, first: 1 };
      return { ...base, header, kernel: rowAnswer(q.geometry, q.vocabSize), bound: [stats[i]![2]!, q.logits, output] };
    }),
  );
  return answers.map((arrays, i) => {
    const output = arrays[2]!;
    const rows = questions[i]!.logits.length / questions[i]!.vocabSize;
    const outside = [...output.subarray(0, words), ...output.subarray((rows + 1) * words)];
    if (outside.some((word) => word !== 0xabcdef)) throw new Error("row_answer: wrote outside of its rows' answers");
    return readAnswers(output.buffer as ArrayBuffer, ANSWER_BYTES, rows, (row) => questions[i]!.probes?.[row] !== undefined);
  });
}
