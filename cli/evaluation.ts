/** Answers the problems of a dataset, one after another or some together, and adds up what came of it. It prints nothing but progress. */
import type { GenerateOptions, GenerationResult, Interval, Prompt } from "../src/index";
import { shareInterval95 } from "../src/index";
import { judge, type Problem } from "./evaluation-dataset";
import type { Conditions, EvaluationRecord } from "./evaluation-records";
import { describeError, ProgressLine } from "./output";
import type { Session } from "./session";

/** Sums and shares over the records of one evaluation. Rates are null where there was no token. */
export interface EvaluationSummary {
  readonly n: number;
  readonly correct: number;
  /** Share of right answers. */
  readonly accuracy: number;
  /** Wilson score interval. */
  readonly confidence95: Interval;
  readonly tokens: number;
  /** Forwards an answer. */
  readonly forwards: number;
  readonly tokensPerSecond: number | null;
  readonly tokensPerForward: number | null;
  readonly rowsPerForward: number | null;
  readonly flopsPerToken: number | null;
}

/** What an evaluation runs. The conditions go into every record. */
export interface Evaluation {
  readonly conditions: Conditions;
  readonly problems: readonly Problem[];
  /** Makes a question into a prompt: through the model's chat template where it has one. */
  readonly promptOf: (question: string) => Prompt;
  /** Records of the first problems, from before. */
  readonly done: readonly EvaluationRecord[];
  /** Takes each new record. */
  readonly onRecord?: (record: EvaluationRecord) => void;
  /** Name of the progress bar. */
  readonly title: string;
}

/** A question as its model wants it. */
export const promptFor =
  ({ chatTemplate }: { readonly chatTemplate: string | null }) =>
  (question: string): Prompt =>
    chatTemplate === null ? question : [{ role: "user", content: question }];

const UNANSWERED = { text: "", ids: [], tokens: 0, forwards: 0, rows: 0, flops: 0, wallNs: 0, finishReason: "none" } as const;

/** An answer and its costs: what a record holds of a generation. */
type Answer = Omit<EvaluationRecord, keyof Conditions | keyof Problem | "index" | "got" | "correct">;

function measured(result: Omit<GenerationResult, "canvas" | "trace">, wallNs: number): Answer {
  const { text, ids, usage, forwards, rowsPerForward, flopsPerToken, finishReason } = result;
  const tokens = usage.completionTokens;
  const rows = Math.round(rowsPerForward * forwards);
  return { text, ids, tokens, forwards, rows, flops: flopsPerToken * Math.max(1, tokens), wallNs, finishReason };
}

/** An answer, or why there is none: a problem too long for the model is a wrong answer, every other error ends the evaluation. */
async function answerOne(session: Session, prompt: Prompt, options: GenerateOptions): Promise<Answer> {
  try {
    const result = await session.call("generate", { prompt, options, stream: false });
    return measured(result, result.timings.wallNs);
  } catch (cause) {
    const { code, message } = describeError(cause);
    if (code !== "context-overflow") throw cause;
    return { ...UNANSWERED, error: `${code}: ${message}` };
  }
}

/** The answers of prompts that are decoded together; where they do not fit together, of one after another. */
async function answerAll(session: Session, prompts: readonly Prompt[], options: GenerateOptions): Promise<Answer[]> {
  if (prompts.length > 1) {
    try {
      const { results, wallNs } = await session.call("generateBatch", { prompts, options });
      return results.map((result) => measured(result, wallNs / results.length));
    } catch (cause) {
      if (describeError(cause).code !== "context-overflow") throw cause;
    }
  }
  const answers: Answer[] = [];
  for (const prompt of prompts) answers.push(await answerOne(session, prompt, options));
  return answers;
}

/** Answers every problem that has no record yet with the model that the session has loaded, with room for the batch; returns all records. */
export async function evaluate(session: Session, evaluation: Evaluation): Promise<EvaluationRecord[]> {
  const { conditions, problems, promptOf, done, onRecord, title } = evaluation;
  const records = [...done];
  const progress = new ProgressLine();
  try {
    while (records.length < problems.length) {
      const asked = problems.slice(records.length, records.length + conditions.batch);
      const prompts = asked.map(({ question }) => promptOf(question));
      // The first are answered twice: the first time their pipelines are compiled.
      if (records.length === done.length) await answerAll(session, prompts, conditions.options);
      const answers = await answerAll(session, prompts, conditions.options);
      for (const [i, problem] of asked.entries()) {
        const { question, expected } = problem;
        const answer = answers[i]!;
        const record = { index: records.length, question, expected, ...judge(problem, answer.text), ...answer, ...conditions };
        records.push(record);
        onRecord?.(record);
      }
      const right = records.filter(({ correct }) => correct).length;
      progress.update({
        kind: "progress",
        phase: title,
        loaded: records.length,
        total: problems.length,
        file: `${right} of ${records.length} right`,
      });
    }
  } finally {
    progress.done();
  }
  return records;
}

/** Adds up records. @throws RidgepointError `bad-option` without any */
export function summarizeEvaluation(records: readonly EvaluationRecord[]): EvaluationSummary {
  const sum = (pick: (record: EvaluationRecord) => number) => records.reduce((total, record) => total + pick(record), 0);
  const n = records.length;
  const correct = records.filter((record) => record.correct).length;
  const confidence95 = shareInterval95(correct, n);
  const [tokens, forwards, wallNs] = [sum((r) => r.tokens), sum((r) => r.forwards), sum((r) => r.wallNs)];
  const per = (amount: number, of: number): number | null => (of > 0 ? amount / of : null);
  return {
    n,
    correct,
    accuracy: correct / n,
    confidence95,
    tokens,
    forwards: forwards / n,
    tokensPerSecond: per(tokens * 1e9, wallNs),
    tokensPerForward: per(tokens, forwards),
    rowsPerForward: per(
      sum((r) => r.rows),
      forwards,
    ),
    flopsPerToken: per(
      sum((r) => r.flops),
      tokens,
    ),
  };
}
