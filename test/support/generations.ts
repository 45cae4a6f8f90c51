/** Random generations of every family, and what the passes of the real decoders record for them: beside the closed forms of `measure/cost-model.ts`. */
import { autoregressive } from "../../src/decode/autoregressive";
import { blockDiffusion } from "../../src/decode/block-diffusion";
import { Canvas } from "../../src/decode/canvas";
import type { Decoder, DecoderContext, PlannedPass } from "../../src/decode/decoder";
import { maskedDiffusion } from "../../src/decode/masked-diffusion";
import { lladaSchedule } from "../../src/decode/schedule";
import type { Selection } from "../../src/decode/selection";
import { shiftedBlockDiffusion } from "../../src/decode/shifted-block-diffusion";
import type { WorkDecoding, Workload, WorkPhase } from "../../src/measure/workload";
import type { Engine } from "../../src/model/engine";
import { GREEDY, type Pass } from "../../src/model/pass";
import type { PlaneFormat } from "../../src/model/planes";

export const MASK = 3;

function random(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return { below, pick: <T>(list: readonly T[]): T => list[below(list.length)] as T };
}

export const FAMILIES = ["ar", "none", "prefix", "dual", "separate", "fused", "shifted"] as const;

export interface Case {
  readonly family: (typeof FAMILIES)[number];
  readonly workload: Workload;
  readonly format: PlaneFormat;
  readonly suppressed: number;
  readonly filtered: boolean;
  readonly size: {
    layers: number;
    hiddenSize: number;
    intermediateSize: number;
    heads: number;
    kvHeads: number;
    vocabSize: number;
  };
}

export function caseOf(index: number): Case {
  const { below, pick } = random(977 * index + 5);
  const family = FAMILIES[index % FAMILIES.length] as Case["family"];
  const format = pick(["f32", "f16", "q8", "q4"] as const);
  const heads = pick([2, 4, 8]);
  // Widths that are no multiple of 32 where the format allows: padded inputs are computed.
  const hiddenSize = format === "f32" || format === "f16" ? heads * pick([10, 16, 24]) : 32 * heads * pick([1, 2]);
  const blockLength = pick([1, 2, 4, 5, 8]);
  const blocks = 1 + below(3);
  const genLength = blockLength * blocks;
  const steps = blocks * (1 + below(blockLength));
  const shift = family === "shifted" || (["none", "prefix", "dual"].includes(family) && below(2) === 1);
  const decoding: WorkDecoding =
    family === "ar"
      ? { family }
      : family === "none" || family === "prefix" || family === "dual"
        ? { family: "mdlm", cache: family, blockLength, steps }
        : { family: "block", commit: family === "fused" ? "fused" : "separate", blockLength, steps };
  const workload: Workload = {
    batch: 1 + below(4),
    promptLength: 1 + below(19),
    genLength,
    decoding,
    shift,
    passesPerSubmit: 1 + below(2),
  };
  return {
    family,
    workload: family === "ar" && below(2) === 1 ? { ...workload, prefillRows: 1 + below(workload.promptLength) } : workload,
    format,
    suppressed: below(3),
    filtered: below(3) === 0,
    size: {
      layers: 1 + below(3),
      hiddenSize,
      intermediateSize: format === "f32" || format === "f16" ? 20 + below(60) : 32 * (1 + below(3)),
      heads,
      kvHeads: pick([1, 2]),
      vocabSize: 40 + below(2000),
    },
  };
}

function decoderOf({ workload }: Case, context: DecoderContext): Decoder {
  const { decoding, genLength, promptLength, shift = false } = workload;
  if (decoding.family === "ar") return autoregressive(context, { maxNewTokens: genLength, tokensPerSubmit: 4 });
  const { blockLength, steps } = decoding;
  const perBlock = steps / (genLength / blockLength);
  const selection: Selection = { rule: "schedule", metric: "confidence" };
  const denoising = { selection, schedule: (masks: number) => lladaSchedule(masks, perBlock), blockLength };
  if (decoding.family === "mdlm") {
    return maskedDiffusion(context, { ...denoising, cache: decoding.cache, shift, guidance: 0, earlyStop: false });
  }
  if (!shift) {
    const fusedCommit = decoding.commit === "fused";
    return blockDiffusion(context, { ...denoising, gridOffset: 0, commitLast: false, earlyStop: false, fusedCommit });
  }
  const first = Math.floor(promptLength / blockLength);
  const blocks = Math.ceil((promptLength + genLength) / blockLength) - first;
  return shiftedBlockDiffusion(context, { ...denoising, subBlockLength: blockLength, subBlockCache: false, blocks });
}

/** Writes what a rule takes, whatever a model would say: counts do not depend on it. */
function reveal(canvas: Canvas, { rows, reveal: rule }: PlannedPass): void {
  const open = rows.flatMap(({ goal }) => (goal === null || (goal < canvas.length && !canvas.isMasked(goal)) ? [] : [goal]));
  const count = rule.rule === "all" ? open.length : rule.rule === "count" ? rule.count : 0;
  for (const goal of open.slice(0, count)) {
    canvas.extend(goal + 1);
    canvas.tokens[goal] = 7;
  }
}

/** The passes of one sequence, each list yielded for one submit flattened. */
function passesOf(one: Case): PlannedPass[] {
  const { promptLength, genLength, decoding, prefillRows = 1000, passesPerSubmit } = one.workload;
  const canvas = new Canvas(Array(promptLength).fill(9), promptLength, MASK);
  if (decoding.family !== "ar" && !(decoding.family === "block" && one.workload.shift)) canvas.extend(promptLength + genLength);
  const decoder = decoderOf(one, { canvas, stopIds: new Set(), maxRows: prefillRows, passesPerSubmit });
  const passes: PlannedPass[] = [];
  for (let next = decoder.next(); !next.done; ) {
    for (const pass of next.value) {
      reveal(canvas, pass);
      passes.push(pass);
    }
    next = decoder.next(next.value.map(() => ({ answers: [], dispatches: [] })));
  }
  return passes;
}

/** One forward for the same pass of so many sequences, each with its own places and cache rows. */
function batched({ rows, reveal: rule }: PlannedPass, batch: number, stride: number): Pass {
  const answers = rows.filter(({ goal }) => goal !== null).length;
  const shifted = Array.from({ length: batch }, (_, sequence) =>
    rows.map((row) => {
      const base = sequence * stride;
      const { place, slot, start, limit, goal } = row;
      return {
        ...row,
        place: place + base,
        slot: slot + base,
        start: start + base,
        limit: limit + base,
        goal: goal === null ? null : goal + base,
      };
    }),
  );
  if (rule.rule === "all") return { rows: shifted.flat(), reveal: rule };
  return { rows: shifted.flat(), reveal: { rule: "none" }, groups: shifted.map(() => ({ answers, reveal: rule })) };
}

const PHASES: Readonly<Record<string, WorkPhase>> = { prefill: "prefill", suffix: "denoise", block: "denoise" };

function phaseOf(kind: string, family: Case["family"]): WorkPhase {
  if (kind === "commit") return family === "ar" ? "decode" : "commit";
  if (kind === "full") return family === "none" ? "denoise" : "refresh";
  return PHASES[kind] as WorkPhase;
}

/** What the passes of a case record, by phase. */
export function counted(engine: Engine, one: Case, stride: number) {
  const sampling = {
    ...GREEDY,
    suppress: Array.from({ length: one.suppressed }, (_, i) => i),
    ...(one.filtered ? { temperature: 1, topK: 5 } : {}),
  };
  const phases: Record<string, { forwards: number; flops: number; bytes: number; dispatches: number }> = {};
  for (const pass of passesOf(one)) {
    const list = engine.record(batched(pass, one.workload.batch, stride), sampling);
    const phase = phaseOf(pass.kind, one.family);
    phases[phase] ??= { forwards: 0, flops: 0, bytes: 0, dispatches: 0 };
    phases[phase].forwards++;
    phases[phase].dispatches += list.length;
    for (const { flops, bytes } of list) {
      phases[phase].flops += flops;
      phases[phase].bytes += bytes;
    }
  }
  return phases;
}
