/** wllama, which is llama.cpp in WebAssembly, end to end: with its layers on WebGPU, or on the CPU. It lives in a worker, with a WebGPU of its own. */
import type { Generator } from "./generator";

const FOLDER = "/peers/@wllama/wllama/esm/";

/** What is used of the library: its own declarations lead into its sources, which other compiler options refuse. */
interface Wllama {
  loadModel(files: readonly Blob[], options: Readonly<Record<string, number>>): Promise<void>;
  getNumThreads(): number;
  createCompletion(options: Readonly<Record<string, unknown>>): Promise<{
    readonly choices: readonly { readonly text: string }[];
    readonly timings?: {
      readonly prompt_n: number;
      readonly prompt_ms: number;
      readonly predicted_n: number;
      readonly predicted_ms: number;
    };
  }>;
  exit(): Promise<void>;
}

interface Library {
  readonly Wllama: new (paths: { default: string }, options: { logger: Readonly<Record<string, unknown>> }) => Wllama;
}

export interface WllamaModel {
  /** The GGUF file. */
  readonly url: string;
  readonly threads: number;
  /** Rows of the context. */
  readonly context: number;
}

/** More layers than any model has: all of them. */
const ALL_LAYERS = 999;
/** It waits 30 s for a queue and gives up: prompts go in steps that a slow adapter does in less. */
const PROMPT_STEP = 64;

export async function wllamaGenerator({ url, threads, context }: WllamaModel, gpu: boolean): Promise<Generator> {
  const { Wllama } = (await import(/* @vite-ignore */ `${FOLDER}index.js`)) as Library;
  const log: string[] = [];
  const keep = (...words: unknown[]): void => void log.push(words.join(" "));
  const wllama = new Wllama(
    { default: `${FOLDER}wasm/wllama.wasm` },
    { logger: { debug: keep, log: keep, warn: keep, error: keep } },
  );
  const blob = await (await fetch(url)).blob();
  await wllama.loadModel([blob], {
    n_ctx: context,
    n_threads: threads,
    n_gpu_layers: gpu ? ALL_LAYERS : 0,
    n_parallel: 1,
    ...(gpu ? { n_batch: PROMPT_STEP, n_ubatch: PROMPT_STEP } : {}),
  });
  // Nothing but its log tells that it went without a GPU it was asked to use.
  const onGpu = log.some((line) => /using device WebGPU/i.test(line));
  const path = `CPU path, ${wllama.getNumThreads()} ${wllama.getNumThreads() === 1 ? "thread" : "threads"}`;
  return {
    engine: "wllama",
    name: gpu ? (onGpu ? "WebGPU" : "asked for WebGPU") : "CPU (WASM SIMD)",
    cpu: gpu ? (onGpu ? null : `fell back silently: ${path}`) : path,
    continue: async ({ text }, tokens) => {
      const response = await wllama.createCompletion({
        prompt: text,
        max_tokens: tokens,
        temperature: 0,
        top_k: 1,
        ignore_eos: true,
        cache_prompt: false,
      });
      const { timings, choices } = response;
      if (!timings) throw new Error("it told no timings");
      if (timings.predicted_n !== tokens) throw new Error(`expected ${tokens} tokens, came ${timings.predicted_n}`);
      return {
        promptTokens: timings.prompt_n,
        firstNs: timings.prompt_ms * 1e6,
        restNs: timings.predicted_ms * 1e6,
        ids: null,
        text: choices[0]?.text ?? "",
      };
    },
    close: () => wllama.exit(),
  };
}
