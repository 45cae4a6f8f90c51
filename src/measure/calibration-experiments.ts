/**
 * The calibration's experiments as data: for each ceiling every configuration that might reach it, its kernel, its parameters, its work
 * and what it must compute. It runs nothing (`calibration-bench.ts` does).
 */
import chains2 from "../../shaders/calibrate/chains_2.wgsl?raw";
import chains4 from "../../shaders/calibrate/chains_4.wgsl?raw";
import chains8 from "../../shaders/calibrate/chains_8.wgsl?raw";
import copy from "../../shaders/calibrate/copy.wgsl?raw";
import dp4a from "../../shaders/calibrate/dp4a.wgsl?raw";
import fma from "../../shaders/calibrate/fma.wgsl?raw";
import laneF32 from "../../shaders/calibrate/lane_f32.wgsl?raw";
import laneVec4f from "../../shaders/calibrate/lane_vec4f.wgsl?raw";
import laneVec4h from "../../shaders/calibrate/lane_vec4h.wgsl?raw";
import read from "../../shaders/calibrate/read.wgsl?raw";
import wordU32 from "../../shaders/calibrate/word_u32.wgsl?raw";
import wordVec4u from "../../shaders/calibrate/word_vec4u.wgsl?raw";
import type { BindingKind } from "../gpu/pipelines";
import type { WgslModule } from "../gpu/wgsl";
import {
  CHAINED,
  COPIED,
  DP4A_B,
  DP4A_C,
  DP4A_SEED,
  FMA_C,
  FMA_SEED,
  hashWord,
  replayDp4a,
  replayFma,
  replayRead,
  SECTIONS,
} from "./calibration-replay";

export type Quantity = "f32" | "f16" | "dp4a" | "read" | "copy" | "loads";
/** Which buffers a kernel binds after its parameters, in order. */
export type BufferName = "source" | "copied" | "sums";

export interface Experiment {
  readonly quantity: Quantity;
  /** What distinguishes it from the quantity's others. */
  readonly configuration: string;
  /** `read` only: bytes walked. */
  readonly workingSetBytes?: number;
  readonly label: string;
  readonly module: WgslModule;
  readonly kinds: readonly BindingKind[];
  readonly buffers: readonly BufferName[];
  readonly workgroups: number;
  /** A dispatch has at least this many steps, to walk its whole working set and to hide what an invocation costs by itself. */
  readonly minSteps: number;
  /** FLOP, byte or loads of one dispatch with one step. */
  readonly workPerStep: number;
  /** The uniform's four words. */
  readonly params: (steps: number) => Uint32Array<ArrayBuffer>;
  /** Where to look after a dispatch with `steps` steps, and what must be there. */
  readonly check: {
    readonly steps: number;
    readonly buffer: "sums" | "copied";
    readonly type: "f32" | "u32";
    readonly tolerance: number;
    readonly expected: (index: number, steps: number) => number;
    readonly indices: readonly number[];
  };
}

/** What the sizes of the experiments depend on. */
export interface Bench {
  readonly software: boolean;
  readonly shaderF16: boolean;
  readonly dp4a: boolean;
  readonly quick: boolean;
  /** Bytes of the source buffer; `copied` has half. Powers of two. */
  readonly sourceBytes: number;
}

const KIB = 1024;
const MIB = KIB * KIB;
/** Working set that stays in the innermost cache of every core. */
const RESIDENT_BYTES = 16 * KIB;
/** Not a multiple of the working sets, so that successive steps of an invocation move on: 7 groups of 64. */
const OFFSET = 448;

const HIDING_STEPS = 8;

/** Invocations of a dispatch: software adapters have few threads, GPUs need several waves of them. */
export const computeInvocations = (bench: Bench): number => (bench.software ? 1 << 12 : 1 << 20);
export const memoryInvocations = (bench: Bench): number => (bench.software ? 1 << 12 : 1 << 18);

/** Working sets of the bandwidth sweep, growing; the last is the largest the buffer allows. */
export function workingSets({ quick, sourceBytes }: Bench): number[] {
  const sizes = quick ? [256 * KIB, 8 * MIB] : [256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB];
  return [...sizes.filter((bytes) => bytes < sourceBytes), sourceBytes];
}

/** Every configuration of every ceiling this device can be measured at. */
export function experiments(bench: Bench): Experiment[] {
  // A CPU runs the invocations of a workgroup one after another: its size says nothing there.
  const workgroups = bench.software ? [64] : [64, 256];
  const list: Experiment[] = [];
  for (const workgroup of workgroups) {
    for (const [lane, chains] of [
      ["f32", 4],
      ["f32", 8],
      ["vec4f", 2],
      ["vec4f", 4],
    ] as const) {
      list.push(fmaExperiment(bench, { lane, chains, workgroup }));
    }
    if (bench.shaderF16) {
      for (const chains of [2, 4] as const) list.push(fmaExperiment(bench, { lane: "vec4h", chains, workgroup }));
    }
    if (bench.dp4a) list.push(dp4aExperiment(bench, workgroup));
  }
  for (const wordLanes of [1, 4] as const) {
    for (const bytes of workingSets(bench)) list.push(readExperiment(bench, { wordLanes, bytes, lanesApart: 1 }));
    for (const lanesApart of [1, 0]) list.push(readExperiment(bench, { wordLanes, bytes: RESIDENT_BYTES, lanesApart }));
    list.push(copyExperiment(bench, wordLanes));
  }
  return list;
}

const CHAINS = { 2: chains2, 4: chains4, 8: chains8 };
const LANES = {
  f32: { part: laneF32, lanes: 1, quantity: "f32" },
  vec4f: { part: laneVec4f, lanes: 4, quantity: "f32" },
  vec4h: { part: laneVec4h, lanes: 4, quantity: "f16" },
} as const;
const WORDS = { 1: { part: wordU32, name: "u32" }, 4: { part: wordVec4u, name: "vec4<u32>" } };

interface FmaShape {
  readonly lane: keyof typeof LANES;
  readonly chains: keyof typeof CHAINS;
  readonly workgroup: number;
}

/** Whether it is the kernel that stands for the machine's speed: arithmetic alone, in the form that reaches near the roof on every device. */
export const isSentinel = ({ configuration }: Experiment): boolean => configuration.startsWith("vec4f × 4");

function fmaExperiment(bench: Bench, { lane, chains, workgroup }: FmaShape): Experiment {
  const { part, lanes, quantity } = LANES[lane];
  const invocations = computeInvocations(bench);
  return {
    quantity,
    configuration: `${lane} × ${chains} chains, workgroup ${workgroup}`,
    label: "calibrate/fma",
    module: {
      source: fma,
      parts: [part, CHAINS[chains]],
      consts: { WORKGROUP: workgroup },
      features: quantity === "f16" ? ["f16"] : [],
    },
    kinds: ["uniform", "write"],
    buffers: ["sums"],
    workgroups: invocations / workgroup,
    minSteps: HIDING_STEPS,
    workPerStep: 2 * CHAINED * chains * lanes * invocations,
    params: (steps) => Uint32Array.of(steps, bits(FMA_SEED), bits(FMA_C), 0),
    check: {
      steps: 1,
      buffer: "sums",
      type: "f32",
      // |d/dx (x² + c)| = 2|x| averages below 1: rounding does not build up over the 16 operations of the check.
      tolerance: (quantity === "f16" ? 2 ** -8 : 2 ** -18) * chains * lanes,
      expected: (id, steps) => replayFma({ id, steps, chains, lanes }),
      indices: [0, 1, 1021, invocations - 1],
    },
  };
}

function dp4aExperiment(bench: Bench, workgroup: number): Experiment {
  const invocations = computeInvocations(bench);
  return {
    quantity: "dp4a",
    configuration: `dot4I8Packed × 8 chains, workgroup ${workgroup}`,
    label: "calibrate/dp4a",
    module: { source: dp4a, consts: { WORKGROUP: workgroup } },
    kinds: ["uniform", "write"],
    buffers: ["sums"],
    workgroups: invocations / workgroup,
    minSteps: HIDING_STEPS,
    workPerStep: 8 * CHAINED * 8 * invocations,
    params: (steps) => Uint32Array.of(steps, DP4A_SEED, DP4A_B, DP4A_C),
    check: {
      steps: 2,
      buffer: "sums",
      type: "u32",
      tolerance: 0,
      expected: (id, steps) => replayDp4a({ id, steps }),
      indices: [0, 1, 1021, invocations - 1],
    },
  };
}

interface ReadShape {
  readonly wordLanes: 1 | 4;
  readonly bytes: number;
  readonly lanesApart: number;
}

function readExperiment(bench: Bench, { wordLanes, bytes, lanesApart }: ReadShape): Experiment {
  const invocations = memoryInvocations(bench);
  const wordBytes = 4 * wordLanes;
  const section = bytes / wordBytes / SECTIONS;
  const stride = lanesApart ? invocations + OFFSET : 1;
  const resident = bytes === RESIDENT_BYTES;
  const { part, name } = WORDS[wordLanes];
  return {
    quantity: resident ? "loads" : "read",
    configuration: `${name}, ${lanesApart ? "neighbouring words" : "the same word"}`,
    ...(resident ? {} : { workingSetBytes: bytes }),
    label: "calibrate/read",
    module: { source: read, parts: [part], consts: { LANES_APART: lanesApart } },
    kinds: ["uniform", "read", "write"],
    buffers: ["source", "sums"],
    workgroups: invocations / 64,
    minSteps: Math.max(HIDING_STEPS, Math.ceil(section / invocations)),
    workPerStep: invocations * SECTIONS * (resident ? wordLanes : wordBytes),
    params: (steps) => Uint32Array.of(steps, stride, section, 0),
    check: {
      steps: 3,
      buffer: "sums",
      type: "u32",
      tolerance: 0,
      expected: (id, steps) => replayRead({ id, steps, stride, section, wordLanes, lanesApart }),
      indices: [0, 1, 1021, invocations - 1],
    },
  };
}

function copyExperiment(bench: Bench, wordLanes: 1 | 4): Experiment {
  const invocations = memoryInvocations(bench);
  const wordBytes = 4 * wordLanes;
  const section = bench.sourceBytes / 2 / wordBytes;
  const { part, name } = WORDS[wordLanes];
  const whole = Math.ceil(section / (invocations * COPIED));
  return {
    quantity: "copy",
    configuration: name,
    label: "calibrate/copy",
    module: { source: copy, parts: [part] },
    kinds: ["uniform", "read", "write"],
    buffers: ["source", "copied"],
    workgroups: invocations / 64,
    minSteps: Math.max(HIDING_STEPS, whole),
    workPerStep: 2 * invocations * COPIED * wordBytes,
    params: (steps) => Uint32Array.of(steps, invocations, section, 0),
    check: {
      steps: whole,
      buffer: "copied",
      type: "u32",
      tolerance: 0,
      expected: hashWord,
      indices: [0, 1, 1021, bench.sourceBytes / 8 - 1],
    },
  };
}

/** The bits of an f32. */
const bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]!;
