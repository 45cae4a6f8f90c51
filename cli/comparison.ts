/** Which decodings `compare` runs for a family, and how its runs are added up. */
import type { Family, GenerateOptions, GenerationResult, KernelRow, ModelInfo, PhaseRow, Timings } from "../src/index";

/** A named way of decoding. */
export interface Decoding {
  readonly name: string;
  readonly options: GenerateOptions;
}

/** `runs[]` of the document: one prompt, decoded one way. Kernels and phases are there where the run was profiled. */
export interface Run extends Omit<GenerationResult, "canvas" | "usage" | "forwardsByKind" | "trace"> {
  readonly model: string;
  readonly family: Family;
  readonly decoding: GenerateOptions & { readonly name: string };
  readonly prompt: string;
  readonly timings: Timings;
  readonly exactMatch?: boolean;
  readonly phases: readonly PhaseRow[];
  readonly kernels: readonly KernelRow[];
  readonly bubbleNs: number | null;
}

/** `summary[]` of the document: all prompts of one model and decoding. */
export interface Summary {
  readonly model: string;
  readonly family: Family;
  readonly decoding: string;
  readonly prompts: number;
  readonly tokens: number;
  readonly wallNs: number;
  readonly tokensPerSecond: number;
  readonly tokensPerForward: number;
  readonly rowsPerForward: number;
  readonly flopsPerToken: number;
  readonly bytesPerToken: number;
  readonly arithmeticIntensity: number;
  /** Right answers, of those prompts that have one. */
  readonly exactMatches: number;
  readonly answers: number;
  /** Of the profiled run: share of its wall time in which no forward was on the GPU, percent. */
  readonly bubblePercent: number | null;
}

/** Block of the fixed comparison where the model names none. */
const BLOCK_LENGTH = 16;
const THRESHOLD = 0.9;

/** Name of the slowest and of the fastest masked-diffusion decoding, whose ratio is printed. */
export const NAIVE = "no cache, 1 token/forward";
/** See {@link NAIVE}. */
export const FASTEST = `dual cache, threshold ${THRESHOLD}`;

/** The decodings of a family: greedy; naive, dual cache, dual cache and threshold; threshold. */
export function decodingsOf({ family, blockLength }: ModelInfo, genLength: number): Decoding[] {
  if (family === "ar") return [{ name: "greedy", options: { maxNewTokens: genLength } }];
  const canvas = { genLength, blockLength: blockLength ?? BLOCK_LENGTH };
  if (family === "block") return [{ name: `threshold ${THRESHOLD}`, options: { ...canvas, threshold: THRESHOLD } }];
  return [
    { name: NAIVE, options: { ...canvas, steps: genLength, cache: "none" } },
    { name: "dual cache, 1 token/forward", options: { ...canvas, steps: genLength, cache: "dual" } },
    { name: FASTEST, options: { ...canvas, cache: "dual", threshold: THRESHOLD } },
  ];
}

/** Whether `text` ends in the expected answer: what follows `####`, else its last number, else all of it. */
export function isExactMatch(text: string, answer: string): boolean {
  return finalAnswer(text) === finalAnswer(answer);
}

function finalAnswer(text: string): string {
  const marked = text.split("####");
  if (marked.length > 1) return marked[marked.length - 1]!.trim();
  return text.match(/-?\d+(?:\.\d+)?/g)?.at(-1) ?? text.trim();
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Wall time of the run that was profiled: that of the timed run beside it is another run's. */
export const profiledWallNs = ({ timings, bubbleNs }: Run): number => (timings.stepNs ?? 0) + (bubbleNs ?? 0);

/** One line for each model and decoding, in the order of the runs. */
export function summarize(runs: readonly Run[]): Summary[] {
  const keyOf = ({ model, decoding }: Run) => `${model}\n${decoding.name}`;
  return [...new Set(runs.map(keyOf))].map((key) => {
    const group = runs.filter((run) => keyOf(run) === key);
    const [{ model, family, decoding }] = group as [Run, ...Run[]];
    const tokensOf = ({ tokensPerForward, forwards }: Run) => tokensPerForward * forwards;
    const tokens = Math.round(sum(group.map(tokensOf)));
    const forwards = sum(group.map((run) => run.forwards));
    const wallNs = sum(group.map(({ timings }) => timings.wallNs));
    const flops = sum(group.map((run) => run.flopsPerToken * tokensOf(run)));
    const bytes = sum(group.map((run) => run.bytesPerToken * tokensOf(run)));
    const answered = group.filter(({ exactMatch }) => exactMatch !== undefined);
    const profiled = group.find(({ bubbleNs }) => bubbleNs !== null);
    return {
      model,
      family,
      decoding: decoding.name,
      prompts: group.length,
      tokens,
      wallNs,
      tokensPerSecond: tokens / (wallNs / 1e9),
      tokensPerForward: tokens / forwards,
      rowsPerForward: sum(group.map((run) => run.rowsPerForward * run.forwards)) / forwards,
      flopsPerToken: flops / tokens,
      bytesPerToken: bytes / tokens,
      arithmeticIntensity: flops / bytes,
      exactMatches: answered.filter(({ exactMatch }) => exactMatch).length,
      answers: answered.length,
      bubblePercent: profiled ? (100 * profiled.bubbleNs!) / profiledWallNs(profiled) : null,
    };
  });
}

/** How many times faster the fastest masked-diffusion decoding is than the naive one, by model. */
export function speedups(summaries: readonly Summary[]): { model: string; ratio: number }[] {
  return summaries.flatMap(({ model, decoding, tokensPerSecond }) => {
    const fast = summaries.find((other) => other.model === model && other.decoding === FASTEST);
    return decoding === NAIVE && fast ? [{ model, ratio: fast.tokensPerSecond / tokensPerSecond }] : [];
  });
}
