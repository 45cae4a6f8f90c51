/** The kernels after the head: suppression, sampling bounds, row statistics, answers, reveal. */
import allowSource from "../../shaders/allow.wgsl?raw";
import biasSource from "../../shaders/bias.wgsl?raw";
import divergenceSource from "../../shaders/divergence.wgsl?raw";
import guideSource from "../../shaders/guide.wgsl?raw";
import answerPart from "../../shaders/lib/answer.wgsl?raw";
import partialPart from "../../shaders/lib/partial.wgsl?raw";
import plan from "../../shaders/lib/plan.wgsl?raw";
import random from "../../shaders/lib/random.wgsl?raw";
import penalizeSource from "../../shaders/penalize.wgsl?raw";
import revealSource from "../../shaders/reveal.wgsl?raw";
import rowAnswerSource from "../../shaders/row_answer.wgsl?raw";
import rowStatsSource from "../../shaders/row_stats.wgsl?raw";
import sampleCutoffSource from "../../shaders/sample_cutoff.wgsl?raw";
import suppressSource from "../../shaders/suppress.wgsl?raw";
import topTokensSource from "../../shaders/top_tokens.wgsl?raw";
import type { DeviceProfile } from "../gpu/profile";
import type { Kernel } from "./dispatch";
import type { Lanes } from "./lanes";

/** Bytes of an answer, of the report of a revealed one and of a partial, as `lib/answer.wgsl`, `reveal.wgsl` and `lib/partial.wgsl` lay them out. */
export const ANSWER_BYTES = 48;
export const REPORT_BYTES = 32;
export const PARTIAL_BYTES = 48;
/** Most probable tokens that are kept of a row at most, at 8 bytes, and ids of a bias list. */
export const MOST_TOPS = 20;
export const MOST_BIASES = 1024;

/** How a row of the vocabulary is cut into partials on a device. */
export interface StatsGeometry {
  readonly chunk: number;
  readonly width: number;
  /** Partials a row. */
  readonly partials: number;
}

export function statsGeometry(profile: DeviceProfile, vocabSize: number): StatsGeometry {
  const width = profile.software ? 4 : 64;
  const chunk = profile.software ? 1024 : 4096;
  return { chunk, width, partials: Math.ceil(vocabSize / chunk) * width };
}

/** Bindings: logits. Its extent is the conditional rows. */
export function guide(vocabSize: number): Kernel {
  const width = 16;
  return {
    name: "guide",
    variant: "f32",
    wgsl: { source: guideSource, parts: [plan], consts: { VOCAB: vocabSize, WIDTH: width } },
    bindings: ["write"],
    grid: ({ rows }) => [Math.ceil(vocabSize / width), rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: ({ rows }) => ({ flops: 3 * rows * vocabSize, bytes: 12 * rows * vocabSize, loads: 2 * rows * vocabSize }),
  };
}

/** Bindings: list, logits. */
export function suppress(vocabSize: number, ids: number): Kernel {
  const width = 16;
  return {
    name: "suppress",
    variant: "f32",
    wgsl: { source: suppressSource, parts: [plan], consts: { VOCAB: vocabSize, WIDTH: width } },
    bindings: ["read", "write"],
    grid: ({ rows }) => [Math.ceil(ids / width), rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: ({ rows }) => ({ flops: 0, bytes: rows * ids * 4 + ids * 4, loads: rows * ids }),
  };
}

/** Bindings: bitmap, logits. Its bytes are those of the case that a few ids alone are allowed. */
export function allow(vocabSize: number): Kernel {
  const width = 64;
  return {
    name: "allow",
    variant: "f32",
    wgsl: { source: allowSource, consts: { VOCAB: vocabSize, WIDTH: width } },
    bindings: ["read", "write"],
    grid: ({ rows }) => [Math.ceil(vocabSize / width), rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: ({ rows }) => ({ flops: 0, bytes: rows * (4 * vocabSize + Math.ceil(vocabSize / 8)), loads: rows * vocabSize }),
  };
}

/** What a penalty counts: places of all rows together, and pairs of places of one row. */
export interface PastTokens {
  readonly tokens: number;
  readonly pairs: number;
}

/** Bindings: canvas, logits. Its work is that of a past without repetitions: every place is compared with all, every token's logit changed. */
export function penalize(profile: DeviceProfile, vocabSize: number, past: PastTokens = { tokens: 0, pairs: 0 }): Kernel {
  return {
    name: "penalize",
    variant: "f32",
    wgsl: { source: penalizeSource, parts: [plan], consts: { VOCAB: vocabSize, WIDTH: profile.software ? 4 : 64 } },
    bindings: ["read", "write"],
    grid: ({ rows }) => [1, rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: () => ({ flops: 4 * past.tokens, bytes: 12 * past.tokens, loads: 2 * past.tokens + past.pairs }),
  };
}

/** Bindings: list, logits. */
export function bias(vocabSize: number, ids: number): Kernel {
  const width = 16;
  return {
    name: "bias",
    variant: "f32",
    wgsl: { source: biasSource, parts: [plan], consts: { VOCAB: vocabSize, WIDTH: width } },
    bindings: ["read", "write"],
    grid: ({ rows }) => [Math.ceil(ids / width), rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: ({ rows }) => ({ flops: rows * ids, bytes: rows * ids * 8 + ids * 8, loads: rows * ids * 3 }),
  };
}

/** Bindings: logits, answers, tops. */
export function topTokens(profile: DeviceProfile, vocabSize: number): Kernel {
  const width = profile.software ? 4 : 64;
  return {
    name: "top_tokens",
    variant: "f32",
    wgsl: { source: topTokensSource, parts: [answerPart, plan], consts: { VOCAB: vocabSize, MOST: MOST_TOPS, WIDTH: width } },
    bindings: ["read", "read", "write"],
    grid: ({ rows }) => [1, rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: ({ rows }) => ({ flops: 0, bytes: rows * (4 * vocabSize + 8 * MOST_TOPS), loads: rows * vocabSize }),
  };
}

/** Bindings: logits, kept, answers. */
export function divergence(profile: DeviceProfile, vocabSize: number): Kernel {
  const width = profile.software ? 4 : 64;
  return {
    name: "divergence",
    variant: "f32",
    wgsl: { source: divergenceSource, parts: [answerPart, plan], consts: { VOCAB: vocabSize, WIDTH: width } },
    bindings: ["read", "write", "write"],
    grid: ({ rows }) => [1, rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: ({ rows }) => ({ flops: 5 * rows * vocabSize, bytes: 12 * rows * vocabSize, loads: 2 * rows * vocabSize }),
  };
}

/** Reductions of a bisection over 32 bits, twice, and the passes before. */
const CUTOFF_REDUCTIONS = 66;

/** Bindings: logits, cutoff. */
export function sampleCutoff(lanes: Lanes, vocabSize: number): Kernel {
  return {
    name: "sample_cutoff",
    variant: lanes.variant,
    wgsl: {
      source: sampleCutoffSource,
      parts: [lanes.part, plan],
      consts: { ...lanes.consts, VOCAB: vocabSize },
      features: lanes.features,
    },
    bindings: ["read", "write"],
    grid: ({ rows }) => [1, rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: ({ rows }) => ({
      flops: 0,
      bytes: 4 * rows * vocabSize + 4 * rows,
      loads: CUTOFF_REDUCTIONS * rows * vocabSize,
    }),
  };
}

/** Bindings: logits, cutoff, partials. */
export function rowStats(geometry: StatsGeometry, vocabSize: number, filtered: boolean): Kernel {
  const { chunk, width, partials } = geometry;
  return {
    name: "row_stats",
    variant: filtered ? "filtered" : "all",
    wgsl: {
      source: rowStatsSource,
      parts: [partialPart, random, plan],
      consts: { VOCAB: vocabSize, CHUNK: chunk, WIDTH: width, FILTERED: filtered },
    },
    bindings: ["read", "read", "write"],
    grid: ({ rows }) => [Math.ceil(vocabSize / chunk), rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: ({ rows }) => ({
      flops: 5 * rows * vocabSize,
      bytes: rows * (4 * vocabSize + partials * PARTIAL_BYTES),
      loads: rows * vocabSize,
    }),
  };
}

/** Bindings: partials, logits, answers. */
export function rowAnswer(geometry: StatsGeometry, vocabSize: number): Kernel {
  const { partials, width } = geometry;
  return {
    name: "row_answer",
    variant: "f32",
    wgsl: {
      source: rowAnswerSource,
      parts: [partialPart, answerPart, random, plan],
      consts: { VOCAB: vocabSize, PARTIALS: partials, WIDTH: Math.min(width, partials) },
    },
    bindings: ["read", "read", "write"],
    grid: ({ rows }) => [1, rows, 1],
    shape: ({ rows }) => ({ T: rows, V: vocabSize }),
    work: ({ rows }) => ({
      flops: 0,
      bytes: rows * (partials * PARTIAL_BYTES + ANSWER_BYTES),
      loads: (rows * partials * PARTIAL_BYTES) / 4,
    }),
  };
}

/** Answers that one reveal ranks, in a pass of so many rows: their order stays in workgroup memory, of which every device has 16 KiB. */
export const revealCapacity = (rows: number): number => Math.min(4000, Math.max(1024, rows));

/** Bindings: answers, canvas, reports, taken. `capacity` bounds the answers of one pass. */
export function reveal(profile: DeviceProfile, capacity: number): Kernel {
  return {
    name: "reveal",
    variant: "rank",
    wgsl: {
      source: revealSource,
      parts: [answerPart, plan],
      consts: { WIDTH: profile.software ? 4 : 64, CAPACITY: capacity },
    },
    bindings: ["write", "write", "write", "write"],
    grid: () => [1, 1, 1],
    shape: ({ rows }) => ({ T: rows }),
    work: ({ rows }) => ({ flops: 0, bytes: rows * (ANSWER_BYTES + 8), loads: rows * (2 + 18 * rows) }),
  };
}
