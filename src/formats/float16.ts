/** IEEE binary16 bits to numbers and back. It rounds as the standard does and refuses nothing. */

/** Largest finite binary16 value. */
export const HALF_MAX = 65504;

let table: Float32Array | null = null;

/** All 65536 binary16 values as f32, by their bits. Built on first use (256 KiB). */
export function halfValues(): Float32Array {
  if (table === null) {
    table = new Float32Array(65536);
    for (let bits = 0; bits < 65536; bits++) table[bits] = decode(bits);
  }
  return table;
}

function decode(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/**
 * Bits of the binary16 value nearest to `value` (rounded to f32 first), ties to even, subnormals kept.
 * Magnitudes of 65520 and more become infinity; callers that must not overflow compare with {@link HALF_MAX}.
 */
export function floatToHalf(value: number): number {
  float[0] = value;
  const bits = floatBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) return magnitude > 0x7f800000 ? 0x7e00 : sign | 0x7c00; // NaN, infinity, 65536 and more
  if (magnitude >= 0x38800000) {
    const half = (magnitude - 0x38000000) >>> 13;
    const rest = magnitude & 0x1fff;
    return sign | (half + (rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1) ? 1 : 0)); // may carry into infinity
  }
  if (magnitude <= 0x33000000) return sign; // up to 2^-25: nearer to zero, or a tie with it
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const half = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (half + (rest > tie || (rest === tie && (half & 1) === 1) ? 1 : 0));
}
