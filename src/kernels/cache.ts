/** Formats of cached keys and values as kernels see them: which WGSL parts read and write one, and how much room it takes. Knows no model. */
import readF16 from "../../shaders/lib/cache_f16.wgsl?raw";
import readF32 from "../../shaders/lib/cache_f32.wgsl?raw";
import readQ8 from "../../shaders/lib/cache_q8.wgsl?raw";
import writeF16 from "../../shaders/lib/cache_write_f16.wgsl?raw";
import writeF32 from "../../shaders/lib/cache_write_f32.wgsl?raw";
import writeQ8 from "../../shaders/lib/cache_write_q8.wgsl?raw";

/** `q8`: eight bits a number, an f32 scale for 32 numbers. */
export type CacheFormat = "f32" | "f16" | "q8";

export const CACHE_FORMATS: readonly CacheFormat[] = ["f32", "f16", "q8"];

interface CachePart {
  readonly read: string;
  readonly write: string;
  /** 32-bit loads for four numbers of a key, and for two of a value. */
  readonly keyLoads: number;
  readonly valueLoads: number;
}

const PARTS: Readonly<Record<CacheFormat, CachePart>> = {
  f32: { read: readF32, write: writeF32, keyLoads: 4, valueLoads: 2 },
  f16: { read: readF16, write: writeF16, keyLoads: 2, valueLoads: 1 },
  q8: { read: readQ8, write: writeQ8, keyLoads: 2, valueLoads: 2 },
};

export const cachePart = (format: CacheFormat): CachePart => PARTS[format];

/** Bytes of one head's key, or of its value, scales included. */
export function cacheRowBytes(format: CacheFormat, headDim: number): number {
  if (format === "f32") return 4 * headDim;
  // Words of four numbers, two of each half of the head; eight words share a scale.
  const words = Math.ceil(headDim / 4);
  return format === "f16" ? 2 * headDim : 4 * (words + Math.ceil(words / 8));
}
