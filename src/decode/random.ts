/** Random numbers of the host, for rules that draw places: a function of the seed and of what is drawn, so that a run can be repeated. */

/** Uniform in [0, 1): 32 bits, the finalizer of MurmurHash3 over each key in turn. */
export function uniform(seed: number, ...keys: readonly number[]): number {
  let h = seed >>> 0;
  for (const key of keys) {
    h = Math.imul(h ^ (key >>> 0), 0x9e3779b1) + 0x85ebca6b;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return (h >>> 0) / 2 ** 32;
}
