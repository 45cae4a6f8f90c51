/** The demo page: chooses a model and options, shows the answer as it is decoded, and measures it. Uses the public API only. */
import {
  type Calibration,
  calibrate,
  type GenerationResult,
  type Gpu,
  loadModel,
  type Model,
  openGpu,
  RidgepointError,
} from "../src/index";
import { type AnswerView, canvasView, type Decode, fadeAfter, streamView } from "./answer-view";
import { list, number, quantity, time } from "./numbers";
import { type Family, readOptions, showOptions } from "./options-form";
import { showProfile } from "./profile-view";

const EXAMPLES = [
  "Hugo is 47 years old. Ella is 11 years older than Hugo. How old will Ella be in 12 years?",
  "Emma buys 9 eggs. Each one costs 3 dollars. She had 60 dollars. How much money is left?",
  "Leo has a book of 92 pages. He reads 34 pages on Sunday and 11 pages on Friday. How many pages are left?",
];
const BUILTIN_BASE = new URL("../models/", location.href).href;

const byId = <T extends HTMLElement = HTMLElement>(id: string): T => document.getElementById(id) as T;
const form = byId<HTMLFormElement>("form");
const prompt = byId<HTMLTextAreaElement>("prompt");
const files = byId<HTMLInputElement>("files");
const answer = byId("answer");

let gpu: Gpu | null = null;
let calibration: Calibration | null = null;
let loaded: { readonly source: string | FileList; readonly model: Model } | null = null;
let running: AbortController | null = null;

const say = (text: string): void => {
  byId("status").textContent = text;
};

function progress(share: number | null): void {
  const bar = byId<HTMLProgressElement>("progress");
  bar.hidden = share === null;
  if (share !== null) bar.value = share;
}

function showError(cause: unknown): void {
  const element = byId("error");
  const message = cause instanceof Error ? cause.message : String(cause);
  element.textContent = cause instanceof RidgepointError ? `${message} [${cause.code}]` : message;
  element.hidden = false;
}

const chosenSource = (): string => String(new FormData(form).get("model"));

/** The family whose options are shown: known for builtins, learnt by loading for files. */
function familyOf(source: string): Family {
  if (source === "files") return loaded && typeof loaded.source !== "string" ? loaded.model.info.family : "ar";
  return source.slice("builtin:".length) as Family;
}

/** The chosen model, loaded; the one before is freed. */
async function currentModel(signal: AbortSignal): Promise<Model> {
  const name = chosenSource();
  const source = name === "files" ? files.files : name;
  if (source === null || (typeof source !== "string" && source.length === 0)) {
    throw new RidgepointError("bad-option", "choose a .gguf or .safetensors file first");
  }
  if (loaded?.source === source) return loaded.model;
  await loaded?.model.dispose();
  loaded = null;
  gpu ??= await openGpu();
  const model = await loadModel(typeof source === "string" ? source : [...source], {
    gpu,
    builtinBase: BUILTIN_BASE,
    signal,
    onProgress: ({ phase, loaded: done, total, file }) => {
      say(`${phase} ${file ?? ""}`);
      progress(total > 0 ? done / total : null);
    },
  });
  loaded = { source, model };
  progress(null);
  showOptions(byId("options"), model.info.family);
  return model;
}

/** Runs work that can be stopped, with the buttons and messages that go with it. */
async function whileRunning(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  if (running) return;
  running = new AbortController();
  byId("error").hidden = true;
  for (const id of ["run", "profile"]) byId<HTMLButtonElement>(id).disabled = true;
  byId<HTMLButtonElement>("stop").disabled = false;
  answer.ariaBusy = "true";
  try {
    await work(running.signal);
  } catch (cause) {
    if (running.signal.aborted) say("Stopped.");
    else {
      say("");
      showError(cause);
    }
  } finally {
    running = null;
    progress(null);
    answer.ariaBusy = "false";
    for (const id of ["run", "profile"]) byId<HTMLButtonElement>(id).disabled = false;
    byId<HTMLButtonElement>("stop").disabled = true;
  }
}

function viewOf({ info, tokenizer }: Model, genLength: number): AnswerView {
  const decode: Decode | null = tokenizer && ((ids) => tokenizer.decode(ids, { skipSpecialTokens: true }));
  byId("legend").hidden = false;
  return info.family === "ar" ? streamView(answer, decode) : canvasView(answer, genLength, info.maskTokenId, decode);
}

async function generate(signal: AbortSignal): Promise<void> {
  const model = await currentModel(signal);
  const options = readOptions(form, model.info.family);
  const view = viewOf(model, typeof options.genLength === "number" ? options.genLength : 64);
  byId("spoken").textContent = "";
  say("Decoding…");
  const run = model.generate(prompt.value, { ...options, signal });
  for await (const step of run) view.show(step);
  const result = await run.result;
  if (model.info.family !== "ar" && result.finishReason === "stop") fadeAfter(answer, result.ids.length);
  byId("spoken").textContent = result.text;
  say(
    result.finishReason === "abort"
      ? "Stopped."
      : `Done: ${result.finishReason === "stop" ? "the model ended" : "length reached"}.`,
  );
  showNumbers(result);
}

function showNumbers(result: GenerationResult): void {
  list(byId("numbers"), [
    ["Tokens per second", number(result.tokensPerSecond)],
    ["Tokens per forward", number(result.tokensPerForward)],
    ["Forwards", String(result.forwards)],
    ["Rows per forward", number(result.rowsPerForward)],
    ["Work per token", quantity(result.flopsPerToken, "FLOP")],
    ["Traffic per token", quantity(result.bytesPerToken, "B")],
    ["FLOP per byte", number(result.arithmeticIntensity)],
    ["First token after", time(result.timings.ttftNs)],
  ]);
}

async function measure(signal: AbortSignal): Promise<void> {
  const model = await currentModel(signal);
  const options = readOptions(form, model.info.family);
  if (!calibration) {
    calibration = await calibrate(model.gpu, {
      quick: true,
      signal,
      onProgress: ({ what, loaded: done, total }) => {
        say(`Measuring the roofs of this device: ${what}`);
        progress(done / total);
      },
    });
    progress(null);
  }
  say("Profiling: the same generation, kernel by kernel…");
  const profile = await model.profile(prompt.value, { ...options, signal, calibration });
  byId("measured").hidden = false;
  const elements = { account: byId("account"), roofline: byId("roofline"), kernels: byId("kernels") };
  showProfile(elements, profile, calibration, chosenSource() === "files" ? model.info.architecture : chosenSource());
  showNumbers(profile.result);
  answer.replaceChildren(profile.result.text);
  byId("legend").hidden = true;
  say(`Measured: ${profile.mode === "trace" ? "each kernel in a pass of its own" : "each kernel repeated"}.`);
}

function chooseFiles(): void {
  const names = [...(files.files ?? [])].map((file) => file.name);
  byId("chosen").textContent = names.length ? names.join(", ") : "Drop the files here, or choose them";
}

function wireDrop(drop: HTMLElement): void {
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer) files.files = event.dataTransfer.files;
    chooseFiles();
  });
}

function wire(): void {
  prompt.value = EXAMPLES[0]!;
  byId("examples").append(
    ...EXAMPLES.map((example) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${example.split(" ").slice(0, 4).join(" ")}…`;
      button.title = example;
      button.addEventListener("click", () => {
        prompt.value = example;
      });
      return button;
    }),
  );
  showOptions(byId("options"), familyOf(chosenSource()));
  form.addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLInputElement) || target.name !== "model") return;
    byId("drop").hidden = chosenSource() !== "files";
    showOptions(byId("options"), familyOf(chosenSource()));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void whileRunning(generate);
  });
  byId("profile").addEventListener("click", () => {
    if (form.reportValidity()) void whileRunning(measure);
  });
  byId("stop").addEventListener("click", () => running?.abort());
  files.addEventListener("change", chooseFiles);
  wireDrop(byId("drop"));
}

async function showDevice(): Promise<void> {
  try {
    gpu = await openGpu();
    const { vendor, architecture, software, features } = gpu.profile;
    const kind = software ? "CPU adapter" : "GPU";
    const extras = features.filter((name) => name !== "timestamp-query").join(", ");
    byId("device").textContent = [`${vendor} ${architecture}`.trim() || "Unnamed device", kind, extras]
      .filter(Boolean)
      .join(" · ");
  } catch (cause) {
    byId("device").textContent = "No WebGPU device";
    showError(cause);
  }
}

wire();
await showDevice();
