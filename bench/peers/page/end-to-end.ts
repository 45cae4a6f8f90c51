/** Whole engines against each other: the same prompts, greedy, in interleaved rounds; prefill and decode apart. */
import { loadModel } from "../../../src/index";
import type { CaseResult, EndToEndRequest, Engine, Outcome } from "../protocol";
import { beginCounting, endCounting, takeFaults } from "./clock";
import type { Continuation, Generator, Prompt } from "./generator";
import { onnxGenerator } from "./onnx-generator";
import { TEXT } from "./prompt";
import { ridgepointGenerator, tokenizerOf } from "./ridgepoint-generator";
import { wllamaGenerator } from "./wllama-generator";

interface Entrant {
  readonly engine: Engine;
  readonly name: string;
  readonly generator: Generator | null;
  failure: string | null;
}

interface Run {
  readonly continuation: Continuation;
  readonly dispatches: number;
  readonly submits: number;
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause)).slice(0, 300);

async function enter(engine: Engine, name: string, open: () => Promise<Generator>): Promise<Entrant> {
  try {
    const generator = await open();
    return { engine, name: generator.name, generator, failure: null };
  } catch (cause) {
    return { engine, name, generator: null, failure: reasonOf(cause) };
  }
}

async function runOf(generator: Generator, prompt: Prompt, tokens: number): Promise<Run> {
  beginCounting(null);
  const continuation = await generator.continue(prompt, tokens);
  const { dispatches, submits } = await endCounting();
  const [fault] = takeFaults();
  if (fault) throw new Error(fault);
  return { continuation, dispatches, submits };
}

/** One phase of an entrant's runs as an outcome. Dispatches and submits are those of a whole run. */
function outcomeOf(
  { engine, name, generator, failure }: Entrant,
  runs: readonly Run[],
  phase: "firstNs" | "restNs",
  note: string,
): Outcome {
  const last = runs.at(-1);
  return {
    engine,
    name,
    gpuNs: [],
    wallNs: runs.map(({ continuation }) => continuation[phase]),
    calls: 1,
    dispatches: last?.dispatches ?? 0,
    passes: 0,
    submits: last?.submits ?? 0,
    firstNs: 0,
    error: null,
    standing: failure === null ? (generator?.cpu ? "cpu" : "counts") : "failed",
    note: [failure ?? generator?.cpu, note].filter(Boolean).join("; "),
  };
}

/** The answer as text, and anything odd about how the prompt was read. */
function noteOf(prompt: Prompt, run: Run | undefined, decode: (ids: readonly number[]) => string): string {
  if (!run) return "";
  const { ids, text, promptTokens } = run.continuation;
  const read = promptTokens === prompt.ids.length ? "" : `read ${promptTokens} prompt tokens; `;
  return `${read}${JSON.stringify(text ?? decode(ids ?? []))}`;
}

/** Prefill and decode of every engine, for every prompt length. */
export async function endToEnd(request: EndToEndRequest): Promise<CaseResult[]> {
  const { gguf, onnx, cpu, threads, prefill, decode, rounds } = request;
  const address = new URL(gguf, location.href).href;
  const context = 1024;
  const model = await loadModel(address, { contextLength: context });
  const tokenizer = tokenizerOf(model);
  const wllama = { url: gguf, threads, context };
  const entrants = [
    await enter("ridgepoint", "WebGPU", async () => ridgepointGenerator(model)),
    ...(onnx ? [await enter("onnxruntime-web", "WebGPU", () => onnxGenerator(onnx, "webgpu"))] : []),
    await enter("wllama", "WebGPU", () => wllamaGenerator(wllama, true)),
    ...(cpu ? [await enter("wllama", "CPU", () => wllamaGenerator(wllama, false))] : []),
    ...(cpu && onnx ? [await enter("onnxruntime-web", "CPU", () => onnxGenerator(onnx, "wasm"))] : []),
  ];
  const results: CaseResult[] = [];
  const all = tokenizer.encode(TEXT);
  for (const length of prefill) {
    if (length > all.length) throw new Error(`--prefill: expected at most ${all.length} tokens, came ${length}`);
    const ids = all.slice(0, length);
    const prompt = { ids, text: tokenizer.decode(ids) };
    const runs = new Map<Entrant, Run[]>(entrants.map((entrant) => [entrant, []]));
    // Round −1 warms up and does not count.
    for (let round = -1; round < rounds; round++) {
      for (const entrant of entrants) {
        if (!entrant.generator || entrant.failure !== null) continue;
        try {
          const run = await runOf(entrant.generator, prompt, round < 0 ? 2 : decode + 1);
          if (round >= 0) runs.get(entrant)!.push(run);
        } catch (cause) {
          entrant.failure = `failed: ${reasonOf(cause)}`;
        }
      }
    }
    const outcomes = (phase: "firstNs" | "restNs"): Outcome[] =>
      entrants.map((entrant) => {
        const own = runs.get(entrant)!;
        return outcomeOf(
          entrant,
          own,
          phase,
          noteOf(prompt, own.at(-1), (answer) => tokenizer.decode(answer)),
        );
      });
    const named = (group: string, name: string, work: number, phase: "firstNs" | "restNs"): CaseResult => ({
      group,
      name,
      work,
      unit: "tok/s",
      outcomes: outcomes(phase),
    });
    results.push(named("prefill", `prefill ${length}`, length, "firstNs"));
    results.push(named("decode", `decode ${decode} after ${length}`, decode, "restNs"));
  }
  for (const { generator } of entrants) await generator?.close();
  return results;
}
