/** Trials of what goes through the cache: rotary position and cache write, attention. */
import {
  type AttentionShape,
  type AttentionVariant,
  attention,
  attentionReduce,
  packsOf,
  piecesOf,
  qkvWidth,
  ropeCache,
} from "../../kernels/attention";
import type { Lanes } from "../../kernels/lanes";
import { pad32 } from "../../kernels/layer";
import { normals, periodicRows, ROW_PERIOD } from "./numbers";
import { compare, EPSILON, planOf, SENTINEL, type Trial, untouched, type Way } from "./trial";

export interface CacheSize extends Pick<AttentionShape, "numAttentionHeads" | "numKeyValueHeads" | "headDim"> {
  readonly rows: number;
  /** Rows of the cache that are filled, those of this pass last. */
  readonly keys: number;
  /** Whether a row sees what lies behind it. */
  readonly causal: boolean;
  readonly ropeTheta: number;
  /** Norm of every head of queries and keys. */
  readonly headNorm: { readonly eps: number } | null;
}

/** Room for just these rows and keys. */
export const shapeOf = ({ numAttentionHeads, numKeyValueHeads, headDim, rows, keys }: CacheSize): AttentionShape => {
  const shape = { numAttentionHeads, numKeyValueHeads, headDim, slots: Math.max(keys, rows), packs: 0 };
  return { ...shape, packs: packsOf(rows, shape) };
};

/** Where the query layout [K, PACKS, E, 4] holds a value of row t. */
function queryIndex(shape: AttentionShape, t: number, head: number, dim: number): number {
  const group = shape.numAttentionHeads / shape.numKeyValueHeads;
  const pair = t * group + (head % group);
  return ((Math.floor(head / group) * shape.packs + Math.floor(pair / 4)) * shape.headDim + dim) * 4 + (pair % 4);
}

/** Keys [K, E, SLOTS] and values [K, SLOTS, E]. */
const keyIndex = ({ headDim, slots }: AttentionShape, slot: number, head: number, dim: number): number =>
  (head * headDim + dim) * slots + slot;
const valueIndex = ({ headDim, slots }: AttentionShape, slot: number, head: number, dim: number): number =>
  (head * slots + slot) * headDim + dim;

/** The last rows of a filled cache. */
const placesOf = ({ rows, keys, causal }: CacheSize) => {
  const filled = Math.max(keys, rows);
  return Array.from({ length: rows }, (_, t) => {
    const slot = filled - rows + t;
    return { slot, position: slot, start: 0, limit: causal ? slot + 1 : filled };
  });
};

/** (cos, sin) of every position and pair, rounded once. */
function turnsOf({ headDim, ropeTheta }: CacheSize, positions: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: positions * headDim }, (_, i) => {
    const angle = Math.floor(i / headDim) * ropeTheta ** ((-2 * (Math.floor(i / 2) % (headDim / 2))) / headDim);
    return i % 2 ? Math.sin(angle) : Math.cos(angle);
  });
}

/** One head: its norm, if any, then pairs (i, i + E/2) turn. f64 */
function turned(
  head: Float32Array,
  turns: Float32Array,
  norm: { readonly eps: number; readonly gain: Float32Array } | null,
): Float64Array {
  const size = head.length;
  const squares = head.reduce((sum, value) => sum + value * value, 0);
  const scale = norm ? 1 / Math.sqrt(squares / size + norm.eps) : 1;
  const x = Float64Array.from(head, (value, i) => value * scale * (norm ? (norm.gain[i] as number) : 1));
  return Float64Array.from(x, (value, i) => {
    const pair = i % (size / 2);
    const [cos, sin] = [turns[2 * pair] as number, turns[2 * pair + 1] as number];
    const other = x[i < size / 2 ? i + size / 2 : i - size / 2] as number;
    return i < size / 2 ? value * cos - other * sin : value * cos + other * sin;
  });
}

export function ropeTrial(size: CacheSize, lanes: Lanes): Trial {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, rows, headNorm } = size;
  const shape = shapeOf(size);
  const stride = pad32(qkvWidth(shape));
  const kinds = normals(Math.min(rows, ROW_PERIOD) * stride, 1, 2);
  const gain = normals(2 * headDim, 2);
  const places = placesOf(size);
  const turns = turnsOf(size, shape.slots);
  const [queries, stored] = [4 * kvHeads * shape.packs * headDim, kvHeads * headDim * shape.slots];
  const kernel = ropeCache(lanes, shape, headNorm);
  /** Two products of values up to 10, normed and times a gain up to 40. */
  const off = EPSILON * (headNorm ? 40 * (8 + Math.sqrt(headDim)) : 40);

  const wanted = () => {
    const want = { query: new Float64Array(queries), keys: new Float64Array(stored), values: new Float64Array(stored) };
    for (const array of Object.values(want)) array.fill(SENTINEL);
    places.forEach(({ slot, position }, t) => {
      const of = (head: number) => {
        const at = (t % ROW_PERIOD) * stride + head * headDim;
        return kinds.subarray(at, at + headDim);
      };
      const table = turns.subarray(position * headDim, (position + 1) * headDim);
      const norm = (from: number) => headNorm && { ...headNorm, gain: gain.subarray(from, from + headDim) };
      for (let head = 0; head < heads; head++) {
        turned(of(head), table, norm(0)).forEach((value, i) => {
          want.query[queryIndex(shape, t, head, i)] = value;
        });
      }
      for (let head = 0; head < kvHeads; head++) {
        turned(of(heads + head), table, norm(headDim)).forEach((value, i) => {
          want.keys[keyIndex(shape, slot, head, i)] = value;
        });
        of(heads + kvHeads + head).forEach((value, i) => {
          want.values[valueIndex(shape, slot, head, i)] = value;
        });
      }
    });
    return want;
  };

  return {
    role: kernel.name,
    ...planOf(places),
    arrays: {
      qkv: periodicRows(kinds, stride, { count: rows, stride }),
      turns,
      gain,
      query: untouched(queries),
      keys: untouched(stored),
      values: untouched(stored),
    },
    rotated: [],
    outputs: ["query", "keys", "values"],
    ways: [{ id: kernel.variant, steps: [{ kernel, bound: ["qkv", "turns", "gain", "query", "keys", "values"] }] }],
    check: (outputs) => {
      let maxError = 0;
      for (const [name, want] of Object.entries(wanted())) {
        const tolerance = (i: number) => (want[i] === SENTINEL || name === "values" ? 0 : off);
        const checked = compare(outputs[name] ?? [], want.length, { want: (i) => want[i] as number, tolerance });
        maxError = Math.max(maxError, checked.maxError ?? 0);
        if (checked.fault) return { fault: `${name}: ${checked.fault}`, maxError };
      }
      return { fault: null, maxError };
    },
  };
}

interface Operands {
  /** [kinds, H, E] */
  readonly query: Float32Array;
  /** [S, K, E] */
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** Outputs f64 [T, H, E] of rows that all begin to see at 0: one walk over the keys for each kind of row and head, read off at every limit. */
function attended(size: CacheSize, { query, keys, values }: Operands): Float64Array {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim: E, rows } = size;
  const places = placesOf(size);
  const filled = Math.max(size.keys, rows);
  const output = new Float64Array(rows * heads * E);
  for (let kind = 0; kind < Math.min(rows, ROW_PERIOD); kind++) {
    for (let head = 0; head < heads; head++) {
      const kv = Math.floor(head / (heads / kvHeads));
      const scores = Float64Array.from({ length: filled }, (_, s) => {
        let dot = 0;
        for (let i = 0; i < E; i++)
          dot += (query[(kind * heads + head) * E + i] as number) * (keys[(s * kvHeads + kv) * E + i] as number);
        return dot / Math.sqrt(E);
      });
      const peak = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
      const sums = new Float64Array(E);
      let mass = 0;
      let seen = 0;
      for (let t = kind; t < rows; t += ROW_PERIOD) {
        for (const limit = (places[t] as { limit: number }).limit; seen < limit; seen++) {
          const power = Math.exp((scores[seen] as number) - peak);
          mass += power;
          for (let i = 0; i < E; i++) sums[i] = (sums[i] as number) + power * (values[(seen * kvHeads + kv) * E + i] as number);
        }
        for (let i = 0; i < E; i++) output[(t * heads + head) * E + i] = (sums[i] as number) / mass;
      }
    }
  }
  return output;
}

/** The plan's extent of an attention trial, without the trial: what a choice of variants looks at. */
export const attentionExtent = (size: CacheSize): Trial["extent"] => planOf(placesOf(size)).extent;

/** The steps of one variant: what splits the keys joins the pieces after. */
function attentionWay(shape: AttentionShape, variant: AttentionVariant, lanes: Lanes): Way {
  const { id, parts, half } = variant;
  const kernel = attention(lanes, shape, { variant });
  const rounds = half ? ("f16" as const) : undefined;
  const bound = ["query", "keys", "values", parts > 1 ? "pieces" : "output"];
  if (parts === 1) return { id, steps: [{ kernel, bound }], rounds };
  return {
    id,
    steps: [
      { kernel, bound },
      { kernel: attentionReduce(shape, parts), bound: ["pieces", "output"] },
    ],
    rounds,
  };
}

/** The ways of variants, for any number of rows: nothing but code. */
export const attentionWays = (size: CacheSize, { variants, lanes }: AttentionChoices): Way[] =>
  variants.map((variant) => attentionWay(shapeOf(size), variant, lanes));

export interface AttentionChoices {
  readonly variants: readonly AttentionVariant[];
  readonly lanes: Lanes;
}

/** Attention over a cache of f32, by each of the variants. */
export function attentionTrial(size: CacheSize, choices: AttentionChoices): Trial {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim: E, rows } = size;
  const shape = shapeOf(size);
  const filled = shape.slots;
  const query = normals(Math.min(rows, ROW_PERIOD) * heads * E, 1);
  const keys = normals(filled * kvHeads * E, 2);
  const values = normals(filled * kvHeads * E, 3);
  const laid = {
    query: new Float32Array(4 * kvHeads * shape.packs * E),
    keys: new Float32Array(keys.length),
    values: new Float32Array(values.length),
  };
  for (let t = 0; t < rows; t++) {
    for (let i = 0; i < heads * E; i++) {
      laid.query[queryIndex(shape, t, Math.floor(i / E), i % E)] = query[(t % ROW_PERIOD) * heads * E + i] as number;
    }
  }
  for (let s = 0; s < filled; s++) {
    for (let i = 0; i < kvHeads * E; i++) {
      const [head, dim] = [Math.floor(i / E), i % E];
      laid.keys[keyIndex(shape, s, head, dim)] = keys[s * kvHeads * E + i] as number;
      laid.values[valueIndex(shape, s, head, dim)] = values[s * kvHeads * E + i] as number;
    }
  }
  const stride = pad32(heads * E);
  const pieces = Math.max(...choices.variants.map(({ parts }) => (parts > 1 ? piecesOf(rows, parts, shape) : 0)));
  // Scores to √E units of |q||k|, exp2(x) to 3 + 2|x| units, a weighted mean of values.
  const off = EPSILON * 4 * (8 + 6 * Math.sqrt(E));
  // Keys of 2^-11 off make scores as much off as they are long; so are values.
  const halved = 2 ** -11 * (8 + 6 * Math.sqrt(E));
  return {
    role: "attention",
    ...planOf(placesOf(size)),
    arrays: { ...laid, pieces: 4 * pieces, output: untouched(rows * stride) },
    rotated: ["keys", "values"],
    outputs: ["output"],
    ways: attentionWays(size, choices),
    check: ({ output = [] }, { rounds }) => {
      const want = attended(size, { query, keys, values });
      const written = (i: number): boolean => i % stride < heads * E;
      return compare(output, rows * stride, {
        want: (i) => (written(i) ? want[Math.floor(i / stride) * heads * E + (i % stride)] : SENTINEL) as number,
        tolerance: (i) => (written(i) ? (rounds ? halved : off) : 0),
      });
    },
  };
}
