/** The report's section of what was not measured: the papers' rooflines, predicted speeds, the asymptotic table. Returns HTML. */
import { ASYMPTOTICS } from "./asymptotics";
import { generationCost, predict, type Roofs } from "./cost-model";
import { escapeText } from "./figure";
import { formatFlops, formatNumber } from "./format";
import { plainLayout } from "./layout";
import { measuredRoofs } from "./measured-roofs";
import type { Seen } from "./merged-sections";
import { DEVICE_PRESETS, MODEL_PRESETS, type ModelPreset } from "./presets";
import { publishedRooflineSvg } from "./published-figures";
import { card, cell, heading, table } from "./report-sections";
import { nameOfDevice } from "./run-documents";
import type { WorkDecoding } from "./workload";

const PROMPT = 128;
const GENERATED = 256;
const BLOCK = 32;

const PREDICTED: readonly { readonly name: string; readonly model: ModelPreset; readonly decoding: WorkDecoding }[] = [
  { name: "LLaMA-3-8B, autoregressive", model: "llama-3-8b", decoding: { family: "ar" } },
  {
    name: "LLaDA-8B, no cache",
    model: "llada-8b",
    decoding: { family: "mdlm", cache: "none", blockLength: GENERATED, steps: GENERATED },
  },
  {
    name: "LLaDA-8B, dual cache",
    model: "llada-8b",
    decoding: { family: "mdlm", cache: "dual", blockLength: BLOCK, steps: GENERATED },
  },
  {
    name: "Fast-dLLM v2 7B, block diffusion",
    model: "fast-dllm-v2-7b",
    decoding: { family: "block", commit: "separate", blockLength: BLOCK, steps: GENERATED },
  },
  { name: "Qwen3-0.6B, autoregressive", model: "qwen3-0.6b", decoding: { family: "ar" } },
];

function predictions(devices: readonly Seen[]): string {
  const published = Object.values(DEVICE_PRESETS).map((roofs) => ({ name: roofs.name, roofs: roofs as Roofs }));
  const measured = devices.flatMap(({ device, calibration }) =>
    calibration ? [{ name: nameOfDevice(device), roofs: measuredRoofs(calibration) as Roofs }] : [],
  );
  const columns = [...published, ...measured];
  const rows = PREDICTED.map(({ name, model, decoding }) => {
    const config = MODEL_PRESETS[model];
    const cost = generationCost(config, plainLayout(config), { batch: 1, promptLength: PROMPT, genLength: GENERATED, decoding });
    const speeds = columns.map(({ roofs }) => {
      const { tokensPerSecond, boundBy } = predict(cost, roofs);
      return cell(`${formatNumber(tokensPerSecond)} (${boundBy})`, tokensPerSecond);
    });
    return (
      `<tr><td class="text">${name}</td>${cell(formatFlops(cost.flopsPerToken), cost.flopsPerToken)}` +
      `${cell(formatNumber(cost.intensity), cost.intensity)}${speeds.join("")}</tr>`
    );
  });
  const heads = [
    heading("Model", "", "text"),
    heading("Work a token"),
    heading("FLOP/byte"),
    ...columns.map(({ name }) => heading(escapeText(name), "tok/s")),
  ];
  return table(heads, rows);
}

function asymptotics(): string {
  const rows = Object.values(ASYMPTOTICS).map(
    ({ name, flops, bytes, intensity }) =>
      `<tr>${[name, flops, bytes, intensity].map((text) => `<td class="text">${text}</td>`).join("")}</tr>`,
  );
  return table(
    ["Decoding", "FLOP", "Bytes", "FLOP a byte"].map((word) => heading(word, "", "text")),
    rows,
  );
}

export function theorySection(devices: readonly Seen[]): string {
  const figures = (["a6000", "a800"] as const).map(
    (device) => `<div class="figure">${publishedRooflineSvg(device, { theme: "auto" })}</div>`,
  );
  const setting = `One sequence, a prompt of ${PROMPT}, ${GENERATED} tokens, blocks of ${BLOCK}, one token a forward, fp16.`;
  return card(
    "The papers' models, in theory",
    "From the cost model and published roofs alone: every point stands where the roofs allow it at its arithmetic intensity. Nothing here was measured.",
    `${figures.join("")}<h3>Tokens a second that the roofs allow, at most</h3><p class="note">${setting} What most of the time goes to is named.</p>${predictions(devices)}` +
      `<h3>Leading terms</h3><p class="note">B sequences, L = L_p + L_g places, hidden size d, K forwards, blocks of G.</p>${asymptotics()}`,
  );
}
