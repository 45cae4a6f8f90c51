/** Fixed schedules: how many places each step of a block reveals. Sums equal the masks, whatever the reference. LLaDA, dllm and Dream after their published code. */

export type ScheduleName = "llada" | "dllm" | "dream";

/** ⌊m/S⌋, the first m mod S steps one more; steps that would reveal nothing are left out (LLaDA is not time-conditioned). */
export function lladaSchedule(masks: number, steps: number): number[] {
  const counts = Array.from({ length: steps }, (_, i) => Math.floor(masks / steps) + (i < masks % steps ? 1 : 0));
  return counts.filter((count) => count > 0);
}

const roundHalfEven = (x: number): number => {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
};

/** Repeatedly round-half-even(left / steps left); zeros left out. */
export function dllmSchedule(masks: number, steps: number): number[] {
  const counts: number[] = [];
  let left = masks;
  for (let i = 0; i < steps; i++) {
    const count = Math.min(left, roundHalfEven(left / (steps - i)));
    left -= count;
    if (count > 0) counts.push(count);
  }
  return counts;
}

/**
 * Dream: int(left · (1 − s/t)) over linspace(1, eps, steps + 1), the rest on the last step. A count of 0 is a pass that reveals nothing, as in the
 * reference; `clamp` makes it 1.
 */
export function dreamSchedule(masks: number, steps: number, { eps = 1e-3, clamp = false } = {}): number[] {
  const time = (i: number): number => 1 + ((eps - 1) * i) / steps;
  const counts: number[] = [];
  let left = masks;
  for (let i = 0; i < steps && left > 0; i++) {
    const exact = i === steps - 1 ? left : Math.floor(left * (1 - time(i + 1) / time(i)));
    const count = clamp ? Math.max(1, exact) : exact;
    counts.push(count);
    left -= count;
  }
  return counts;
}
