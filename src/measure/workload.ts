/**
 * The forwards of a whole generation of every family, as counts: rows, keys seen, rows answered. Each sequence of a batch is alike and runs to its full
 * length (no stop id); the schedule is a fixed one. Nothing here knows a model's size.
 */
import { lladaSchedule } from "../decode/schedule";
import { ensure } from "../errors";

/** `prefill` keeps the prompt, `decode` makes one token, `refresh` recomputes the canvas for a cache, `denoise` answers masks, `commit` keeps a block. */
export type WorkPhase = "prefill" | "decode" | "refresh" | "denoise" | "commit";

/** How a generation is decoded. G is `blockLength`, K is `steps` over the whole of the generated length. */
export type WorkDecoding =
  | { readonly family: "ar" }
  | { readonly family: "mdlm"; readonly cache: "none" | "prefix" | "dual"; readonly blockLength: number; readonly steps: number }
  | { readonly family: "block"; readonly commit: "separate" | "fused"; readonly blockLength: number; readonly steps: number };

export interface Workload {
  /** B: sequences in one forward. */
  readonly batch: number;
  /** L_p */
  readonly promptLength: number;
  /** L_g */
  readonly genLength: number;
  readonly decoding: WorkDecoding;
  /** Row i − 1 answers place i; autoregressive models always do. */
  readonly shift?: boolean;
  /** Rows of a sequence in one prefill pass. Default: all. */
  readonly prefillRows?: number;
  /** Denoising forwards of a submit: those behind the first answer what was masked before it. Default 1. */
  readonly passesPerSubmit?: number;
}

/** Forwards that are alike. */
export interface WorkPass {
  readonly phase: WorkPhase;
  readonly forwards: number;
  /** Rows of one forward, all sequences together. */
  readonly rows: number;
  /** Σ over the forwards and their rows of visible keys. */
  readonly visible: number;
  /** Σ over the forwards of distinct cache rows seen. */
  readonly span: number;
  /** Rows answered in each forward, all sequences together. */
  readonly answered: readonly number[];
  /** Visible keys a row of each forward. Default: the same in all. */
  readonly keys?: readonly number[];
}

/** 0 + 1 + … + n. */
const triangle = (n: number): number => (n * (n + 1)) / 2;

const repeat = (count: number, value: number): number[] => Array.from({ length: count }, () => value);

/** Places answered in each step that reveals some of `masks` in at most `steps`: what was masked before its submit. One step is not left alone. */
function masksAsked(masks: number, steps: number, perSubmit = 1): number[] {
  const counts = lladaSchedule(masks, steps);
  const asked: number[] = [];
  let left = masks;
  while (asked.length < counts.length) {
    const rest = counts.slice(asked.length);
    const together = rest.slice(0, perSubmit > 1 && rest.length === perSubmit + 1 ? perSubmit + 1 : perSubmit);
    asked.push(...together.map(() => left));
    left -= together.reduce((sum, count) => sum + count, 0);
  }
  return asked;
}

function stepsPerBlock(genLength: number, { blockLength, steps }: { blockLength: number; steps: number }): number {
  const blocks = genLength / blockLength;
  ensure(
    Number.isInteger(blocks) && Number.isInteger(steps / blocks) && steps <= genLength,
    "bad-option",
    () => `cost: blocks of ${blockLength} and ${steps} steps do not divide ${genLength} generated places; expected multiples`,
  );
  return steps / blocks;
}

/**
 * The forwards of a generation, by phase.
 * @throws RidgepointError `bad-option`: blocks or steps that do not divide the generated length
 */
export function passesOf(workload: Workload): WorkPass[] {
  const { family } = workload.decoding;
  if (family === "ar") return autoregressivePasses(workload);
  return family === "mdlm" ? maskedPasses(workload) : blockPasses(workload);
}

/** Prefill passes of `length` places per sequence, each seeing up to the end of its block; the last row of all may make a token. */
function prefillPasses(
  { batch, prefillRows = Number.POSITIVE_INFINITY }: Workload,
  length: number,
  blockLength: number,
  answers: boolean,
) {
  const passes: WorkPass[] = [];
  const size = Math.max(blockLength, Math.floor(Math.min(prefillRows, length) / blockLength) * blockLength);
  for (let from = 0; from < length; from += size) {
    const to = Math.min(from + size, length);
    // Σ over whole blocks of G·end; blocks of 1 are causal.
    const visible = blockLength ** 2 * (triangle(to / blockLength) - triangle(from / blockLength));
    const answered = [answers && to === length ? batch : 0];
    passes.push({
      phase: "prefill",
      forwards: 1,
      rows: batch * (to - from),
      visible: batch * visible,
      span: batch * to,
      answered,
    });
  }
  return passes;
}

function autoregressivePasses(workload: Workload): WorkPass[] {
  const { batch, promptLength: prompt, genLength } = workload;
  // The first token is the prefill's; the last is never computed on.
  const forwards = genLength - 1;
  const seen = batch * (forwards * prompt + triangle(forwards));
  const decode: WorkPass = {
    phase: "decode",
    forwards,
    rows: batch,
    visible: seen,
    span: seen,
    answered: repeat(forwards, batch),
    keys: Array.from({ length: forwards }, (_, i) => prompt + i + 1),
  };
  return [...prefillPasses(workload, prompt, 1, true), ...(forwards > 0 ? [decode] : [])];
}

function maskedPasses({ batch, promptLength, genLength, decoding, shift = false, passesPerSubmit }: Workload): WorkPass[] {
  const { cache, blockLength, steps } = decoding as Extract<WorkDecoding, { family: "mdlm" }>;
  const length = promptLength + genLength;
  const blocks = genLength / blockLength;
  const masks = masksAsked(blockLength, stepsPerBlock(genLength, { blockLength, steps }), passesPerSubmit);
  const answered = masks.map((count) => batch * count);
  const whole = (phase: WorkPhase, forwards: number, each: readonly number[]): WorkPass => ({
    phase,
    forwards,
    rows: batch * length,
    visible: forwards * batch * length ** 2,
    span: forwards * batch * length,
    answered: each,
  });
  if (cache === "none")
    return [
      whole(
        "denoise",
        blocks * masks.length,
        repeat(blocks, 0).flatMap(() => answered),
      ),
    ];
  const later = masks.length - 1;
  const denoise = Array.from({ length: later > 0 ? blocks : 0 }, (_, block): WorkPass => {
    const start = promptLength + block * blockLength;
    const rows = (cache === "prefix" ? length - start : blockLength) + (shift && start > 0 ? 1 : 0);
    return {
      phase: "denoise",
      forwards: later,
      rows: batch * rows,
      visible: later * batch * rows * length,
      span: later * batch * length,
      answered: answered.slice(1),
    };
  });
  return [whole("refresh", blocks, repeat(blocks, answered[0] as number)), ...denoise];
}

/** Blocks lie on a grid from place 0: the first one may begin with the prompt's tail, the last one may end behind the generated length. */
function blockPasses(workload: Workload): WorkPass[] {
  const { batch, promptLength, genLength, decoding, shift = false } = workload;
  const { blockLength: size, steps, commit } = decoding as Extract<WorkDecoding, { family: "block" }>;
  ensure(
    !shift || commit === "separate",
    "bad-option",
    "cost: with shift the commit pass makes a token; expected commit separate",
  );
  const perBlock = stepsPerBlock(genLength, { blockLength: size, steps });
  const first = Math.floor(promptLength / size);
  const last = Math.ceil((promptLength + genLength) / size);
  const tail = promptLength % size;
  const passes = prefillPasses(workload, first * size, size, shift && tail === 0);
  for (let block = first; block < last; block++) {
    const end = (block + 1) * size;
    // With shift the pass before made the block's first token, unless the block begins with prompt.
    const known = block === first && tail > 0 ? tail : shift && (block > first || first > 0) ? 1 : 0;
    const answered = masksAsked(size - known, perBlock, workload.passesPerSubmit).map((count) => batch * count);
    const fuses = commit === "fused" && block > first;
    const plain = answered.length - (fuses ? 1 : 0);
    const rows = batch * size;
    if (fuses) {
      const visible = rows * (end - size) + rows * end;
      passes.push({ phase: "denoise", forwards: 1, rows: 2 * rows, visible, span: batch * end, answered: answered.slice(0, 1) });
    }
    if (plain > 0) {
      const seen = { visible: plain * rows * end, span: plain * batch * end };
      passes.push({ phase: "denoise", forwards: plain, rows, ...seen, answered: answered.slice(fuses ? 1 : 0) });
    }
    const kept = shift || (commit === "separate" && block + 1 < last);
    if (kept) {
      const seen = { visible: rows * end, span: batch * end };
      passes.push({ phase: "commit", forwards: 1, rows, ...seen, answered: [shift ? batch : 0] });
    }
  }
  return passes;
}
