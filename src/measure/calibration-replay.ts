/** What the calibration kernels must give, recomputed on the host with the same rounding: a kernel that lost its work is found out. */

/** Parameters shared by a kernel and its replay. */
export const FMA_SEED = 0.125;
export const FMA_C = -0.625;
export const DP4A_SEED = 0x12345678;
export const DP4A_B = 0x7f81c23d;
export const DP4A_C = 0x01234567;
/** fma.wgsl and dp4a.wgsl do this many chained operations a step. */
export const CHAINED = 16;
/** read.wgsl reads this many sections a step, copy.wgsl copies COPIED words. */
export const SECTIONS = 8;
export const COPIED = 4;

/** fma.wgsl for one invocation, each step rounded to f32 once, as a fused multiply-add rounds. */
export function replayFma({ id, steps, chains, lanes }: { id: number; steps: number; chains: number; lanes: number }): number {
  const seed = FMA_SEED + (id & 1023) * 0.000244140625;
  let sum = 0;
  for (let chain = 0; chain < chains; chain++) {
    for (let lane = 0; lane < lanes; lane++) {
      let x = Math.fround(seed + chain / 32 + lane / 64);
      for (let i = 0; i < steps * CHAINED; i++) x = Math.fround(x * x + FMA_C);
      sum += x;
    }
  }
  return sum;
}

/** dp4a.wgsl for one invocation, exactly. */
export function replayDp4a({ id, steps }: { id: number; steps: number }): number {
  let sum = 0;
  for (let chain = 0; chain < 8; chain++) {
    let x = Math.imul(DP4A_SEED + id, 2 * chain + 1) >>> 0;
    for (let i = 0; i < steps * CHAINED; i++) x = (dot4I8Packed(x, DP4A_B) + DP4A_C) >>> 0;
    sum = (sum + x) >>> 0;
  }
  return sum;
}

function dot4I8Packed(a: number, b: number): number {
  const byte = (word: number, i: number) => (word << (24 - 8 * i)) >> 24;
  return [0, 1, 2, 3].reduce((sum, i) => sum + byte(a, i) * byte(b, i), 0);
}

/** fill.wgsl: the i-th 32-bit word. */
export function hashWord(i: number): number {
  let h = i >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
  return (h ^ (h >>> 16)) >>> 0;
}

export interface ReadRun {
  readonly id: number;
  readonly steps: number;
  readonly stride: number;
  /** In words of `wordLanes` × 4 bytes. */
  readonly section: number;
  readonly wordLanes: number;
  readonly lanesApart: number;
}

/** read.wgsl for one invocation over a buffer that fill.wgsl filled, exactly. */
export function replayRead({ id, steps, stride, section, wordLanes, lanesApart }: ReadRun): number {
  let sum = 0;
  for (let step = 0; step < steps; step++) {
    const at = (id * lanesApart + step * stride) % section;
    for (let s = 0; s < SECTIONS; s++) {
      for (let lane = 0; lane < wordLanes; lane++) sum = (sum + hashWord((at + s * section) * wordLanes + lane)) >>> 0;
    }
  }
  return sum;
}
