/** The page the command line drives: each call of `window.ridgepoint` in, plain data out. It knows nothing of the terminal. */

import {
  benchKernels,
  calibrate,
  type GenerateOptions,
  type Gpu,
  loadModel,
  type Model,
  openGpu,
  type ReplayCase,
  tuneKernels,
  urlSource,
  useTuning,
} from "../../src/index";
import type {
  BatchAnswer,
  BatchRequest,
  Failure,
  ForwardAnswer,
  ForwardRequest,
  LoadedModel,
  Outcome,
  PageApi,
  PageEvent,
  PageModel,
  Role,
  Room,
} from "../protocol";

/** Logits go to the server in pieces of this many bytes. */
const UPLOAD_BYTES = 32 * 2 ** 20;

let gpu: Promise<Gpu> | null = null;
let model: Model | null = null;
let assistant: Model | null = null;

function openOnce(): Promise<Gpu> {
  gpu ??= openGpu();
  return gpu;
}

function tell(event: PageEvent): void {
  void window.ridgepointEvent?.(event);
}

function loaded(): Model {
  if (!model) throw new Error("no model is loaded on the page");
  return model;
}

async function unload(): Promise<void> {
  await assistant?.dispose();
  await model?.dispose();
  assistant = null;
  model = null;
}

/** The engine's options: what names the other model of a speculation here is the model itself there. */
function speculating(options: GenerateOptions): GenerateOptions {
  const { speculate } = options;
  if (!assistant || (speculate?.kind !== "draft" && speculate?.kind !== "guide")) return options;
  return { ...options, speculate: { ...speculate, model: assistant } };
}

async function load(source: PageModel, role: Role, room: Room): Promise<LoadedModel> {
  if (role === "answer") await unload();
  else await assistant?.dispose();
  const device = await openOnce();
  const start = performance.now();
  const sources =
    "address" in source
      ? source.address
      : await Promise.all(source.files.map(({ url, name, size }) => urlSource(new URL(url, location.href).href, { name, size })));
  const bytesOfFile = new Map<string, number>();
  const made = await loadModel(sources, {
    gpu: device,
    ...room,
    builtinBase: new URL("/models/", location.href).href,
    onProgress: ({ phase, loaded, total, file }) => {
      if (phase === "download") bytesOfFile.set(file ?? "", total);
      tell({ kind: "progress", phase, loaded, total, ...(file !== undefined && { file }) });
    },
  });
  const fileBytes =
    "files" in source
      ? source.files.reduce((sum, { size }) => sum + size, 0)
      : [...bytesOfFile.values()].reduce((a, b) => a + b, 0);
  if (role === "answer") model = made;
  else assistant = made;
  const { info, config, tokenizer } = made;
  return { info, config, hasTokenizer: tokenizer !== null, ms: performance.now() - start, fileBytes };
}

async function generateBatch({ prompts, options }: BatchRequest): Promise<BatchAnswer> {
  const start = performance.now();
  const results = await loaded().generateBatch(prompts, options).results;
  const wallNs = (performance.now() - start) * 1e6;
  return { results: results.map(({ canvas, trace, ...rest }) => rest), wallNs };
}

async function forward({ tokens, attention, upload }: ForwardRequest): Promise<ForwardAnswer> {
  const { logits, shape, argmax } = await loaded().forward({ tokens: [...tokens], attention });
  if (upload !== undefined) {
    for (let start = 0; start < logits.byteLength; start += UPLOAD_BYTES) {
      const piece = new Uint8Array(logits.buffer, logits.byteOffset + start, Math.min(UPLOAD_BYTES, logits.byteLength - start));
      const response = await fetch(upload, { method: "POST", body: new Blob([piece as Uint8Array<ArrayBuffer>]) });
      if (!response.ok) throw new Error(`the command line refused the logits (HTTP ${response.status})`);
    }
  }
  return { argmax, shape };
}

const api: PageApi = {
  device: async () => (await openOnce()).profile,
  calibrate: async ({ quick }) =>
    calibrate(await openOnce(), {
      quick,
      onProgress: ({ phase, loaded, total, what }) => tell({ kind: "progress", phase, loaded, total, file: what }),
    }),
  load: ({ model, role, ...room }) => load(model, role, room),
  unload,
  async generate({ prompt, options, stream }) {
    const run = loaded().generate(prompt, speculating(options));
    for await (const { delta, forwards } of run) if (stream) tell({ kind: "step", delta, forwards });
    return run.result;
  },
  generateBatch,
  allocatedBytes: async () => (await openOnce()).buffers.bytes,
  profile: ({ prompt, options, ...rest }) => loaded().profile(prompt, { ...options, ...rest }),
  pairKernels: ({ prompt, options, ...rest }) => loaded().pairKernels(prompt, { ...options, ...rest }),
  useTuning: async ({ tuning }) => useTuning(await openOnce(), tuning),
  tune: async ({ subject, options }) =>
    tuneKernels(await openOnce(), subject, {
      ...options,
      onProgress: ({ phase, loaded, total, what }) => tell({ kind: "progress", phase, loaded, total, file: what }),
    }),
  benchKernels: async ({ subject, calibration, options }) =>
    benchKernels(await openOnce(), subject, calibration, {
      ...options,
      onProgress: ({ phase, loaded, total, what }) => tell({ kind: "progress", phase, loaded, total, file: what }),
    }),
  forward,
  replay: ({ trajectory }) => loaded().replay(trajectory as ReplayCase),
};

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: "internal", message: String(error) };
  const code = "code" in error && typeof error.code === "string" ? error.code : "internal";
  return { code, message: code === "internal" ? `${error.name}: ${error.message}` : error.message };
}

/** Wraps a function of the API so that whatever it throws comes back as data. */
function answering<A, R>(call: (request: A) => Promise<R>): (request?: unknown) => Promise<Outcome<R>> {
  return async (request) => {
    try {
      return { value: await call(request as A) };
    } catch (error) {
      return { error: failureOf(error) };
    }
  };
}

window.ridgepoint = {
  device: answering(api.device),
  calibrate: answering(api.calibrate),
  load: answering(api.load),
  unload: answering(api.unload),
  generate: answering(api.generate),
  generateBatch: answering(api.generateBatch),
  allocatedBytes: answering(api.allocatedBytes),
  profile: answering(api.profile),
  pairKernels: answering(api.pairKernels),
  useTuning: answering(api.useTuning),
  tune: answering(api.tune),
  benchKernels: answering(api.benchKernels),
  forward: answering(api.forward),
  replay: answering(api.replay),
};
