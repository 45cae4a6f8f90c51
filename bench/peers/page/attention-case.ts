/**
 * Attention over a cache: the rows' keys and values are put into the cache and their queries attend to it. onnxruntime's GroupQueryAttention appends to
 * its cache too; its MultiHeadAttention is handed keys and values ready made.
 */
import type { Gpu } from "../../../src/gpu/device";
import {
  type AttentionShape,
  type AttentionVariant,
  attention,
  attentionReduce,
  packsOf,
  piecesOf,
  qkvWidth,
  ropeCache,
} from "../../../src/kernels/attention";
import { attentionVariants, chooseAttention } from "../../../src/kernels/attention-variants";
import { lanesOf } from "../../../src/kernels/lanes";
import { pad32 } from "../../../src/kernels/layer";
import { extentOf, type Row } from "../../../src/model/pass";
import { groupQueryAttention, multiHeadAttention } from "../onnx-operators";
import type { AttentionCase, CaseResult, Effort, VariantChoice } from "../protocol";
import { type Floats, uniform } from "../weights";
import { onnxruntimeContestant } from "./onnxruntime";
import { bufferOf, ridgepointContestant, rowAt, runOnce } from "./ridgepoint";
import { type Contestant, contest, type Entry, relativeError } from "./rounds";

/** Rows of the cache: a context of this many, whatever is seen of it. */
const SLOTS = 1024;
/** Query rows that are checked. */
const CHECKED_ROWS = 4;

/** Dense [rows or keys, heads, E]. */
interface Tensors {
  readonly query: Floats;
  readonly keys: Floats;
  readonly values: Floats;
}

const limitOf = ({ visibility, rows, keys }: AttentionCase, row: number): number =>
  visibility === "full" ? keys : keys - rows + row + 1;

/** softmax(q·k / √E)·v in f64 for one row and head. */
function reference(given: AttentionCase, { query, keys, values }: Tensors, row: number, head: number): Float64Array {
  const { heads, kvHeads, headDim } = given;
  const kvHead = Math.floor(head / (heads / kvHeads));
  const at = (key: number) => (key * kvHeads + kvHead) * headDim;
  const scores = Float64Array.from({ length: limitOf(given, row) }, (_, key) => {
    let sum = 0;
    for (let i = 0; i < headDim; i++) sum += query[(row * heads + head) * headDim + i]! * keys[at(key) + i]!;
    return sum / Math.sqrt(headDim);
  });
  const peak = scores.reduce((a, b) => Math.max(a, b));
  const weights = scores.map((score) => Math.exp(score - peak));
  const total = weights.reduce((a, b) => a + b);
  return Float64Array.from({ length: headDim }, (_, i) =>
    weights.reduce((sum, weight, key) => sum + (weight / total) * values[at(key) + i]!, 0),
  );
}

/** The rows of `from`…`to` as the stacked projections [rows, (H + 2K)·E] that the cache kernel reads. */
function stacked(shape: AttentionShape, tensors: Tensors, from: number, to: number, firstQuery: number): Floats {
  const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim } = shape;
  const stride = pad32(qkvWidth(shape));
  const qkv = new Float32Array((to - from) * stride);
  for (let place = from; place < to; place++) {
    const row = place - firstQuery;
    const target = (place - from) * stride;
    if (row >= 0) qkv.set(tensors.query.subarray(row * heads * headDim, (row + 1) * heads * headDim), target);
    const part = (all: Floats) => all.subarray(place * kvHeads * headDim, (place + 1) * kvHeads * headDim);
    qkv.set(part(tensors.keys), target + heads * headDim);
    qkv.set(part(tensors.values), target + (heads + kvHeads) * headDim);
  }
  return qkv;
}

/** The shape that our kernels are made for. */
function shapeOf({ keys, heads, kvHeads, headDim }: AttentionCase): AttentionShape {
  const bare = { numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim, slots: SLOTS, packs: 0 };
  return { ...bare, packs: packsOf(keys, bare) };
}

/** Every place, and what it sees; the last `rows` of them are the queries. */
const placesOf = (given: AttentionCase): Row[] =>
  Array.from({ length: given.keys }, (_, place) => rowAt(place, limitOf(given, place - (given.keys - given.rows))));

/** The variant that is chosen for the case, then those that are asked for besides. */
function variantsOf(gpu: Gpu, given: AttentionCase, asked: VariantChoice): AttentionVariant[] {
  const { rows, keys } = given;
  const { visible } = extentOf(placesOf(given).slice(keys - rows));
  const query = { rows, keys: visible / rows, shape: shapeOf(given) };
  const chosen = chooseAttention(gpu.profile, gpu.tuning, query);
  if (asked === "chosen") return [chosen];
  const able = attentionVariants(gpu.profile, query);
  const others = asked === "all" ? able : able.filter(({ id }) => asked.includes(id));
  return [chosen, ...others.filter((variant) => variant !== chosen)];
}

async function ours(gpu: Gpu, given: AttentionCase, tensors: Tensors, variant: AttentionVariant): Promise<Contestant> {
  const { rows, keys, heads, kvHeads, headDim } = given;
  const shape = shapeOf(given);
  const lanes = lanesOf(gpu.profile);
  const past = keys - rows;
  const placed = placesOf(given);
  // No rotation: the peers are given keys and queries that are not rotated either.
  const still = Float32Array.from({ length: keys * headDim }, (_, i) => (i % 2 === 0 ? 1 : 0));
  const stride = pad32(heads * headDim);
  const all = await bufferOf(gpu, "all qkv", stacked(shape, tensors, 0, keys, past));
  const qkv = await bufferOf(gpu, "qkv", stacked(shape, tensors, past, keys, past));
  const turns = await bufferOf(gpu, "turns", still);
  const gain = await bufferOf(gpu, "head gain", 2 * headDim * 4);
  const query = await bufferOf(gpu, "query", 16 * shape.packs * kvHeads * headDim);
  const cachedKeys = await bufferOf(gpu, "keys", 4 * kvHeads * headDim * SLOTS);
  const cachedValues = await bufferOf(gpu, "values", 4 * kvHeads * headDim * SLOTS);
  const output = await bufferOf(gpu, "output", 4 * rows * stride);
  const pieces = await bufferOf(gpu, "pieces", 4 * piecesOf(rows, variant.parts, shape));
  const write = ropeCache(lanes, shape, null);
  const attend = attention(lanes, shape, { variant });
  const split = variant.parts > 1;
  const own = placed.slice(past);
  await runOnce(gpu, [{ kernel: write, bound: [all, turns, gain, query, cachedKeys, cachedValues], rows: placed }]);
  return ridgepointContestant(gpu, {
    name: `${write.name} + ${variant.id}`,
    steps: [
      { kernel: write, bound: [qkv, turns, gain, query, cachedKeys, cachedValues], rows: own },
      { kernel: attend, bound: [query, cachedKeys, cachedValues, split ? pieces : output], rows: own },
      ...(split ? [{ kernel: attentionReduce(shape, variant.parts), bound: [pieces, output], rows: own }] : []),
    ],
    output: { buffer: output, length: rows * stride },
    buffers: [all, qkv, turns, gain, query, cachedKeys, cachedValues, output, pieces],
  });
}

/** [places, heads, E] to [heads, slots, E], with zeros behind the places. */
function byHead(values: Floats, { kvHeads, headDim }: AttentionCase, slots: number): Floats {
  const turned = new Float32Array(kvHeads * slots * headDim);
  for (let place = 0; place * kvHeads * headDim < values.length; place++) {
    for (let head = 0; head < kvHeads; head++) {
      const from = (place * kvHeads + head) * headDim;
      turned.set(values.subarray(from, from + headDim), (head * slots + place) * headDim);
    }
  }
  return turned;
}

function peersOf(given: AttentionCase, { query: Q, keys, values }: Tensors): Entry[] {
  const { rows, kvHeads, headDim } = given;
  const entry = (name: string, open: (name: string) => Promise<Contestant>): Entry => ({
    engine: "onnxruntime-web",
    name,
    open: () => open(name),
  });
  if (given.visibility === "full") {
    const inputs = { Q, K: keys, V: values };
    return [entry("MultiHeadAttention", (name) => onnxruntimeContestant({ name, graph: multiHeadAttention(given), inputs }))];
  }
  const past = given.keys - rows;
  const at = past * kvHeads * headDim;
  const inputs = (slots: number) => ({
    Q,
    K: keys.slice(at),
    V: values.slice(at),
    pastK: byHead(keys.subarray(0, at), given, slots),
    pastV: byHead(values.subarray(0, at), given, slots),
  });
  return [
    entry("GroupQueryAttention", (name) =>
      onnxruntimeContestant({ name, graph: groupQueryAttention(given), inputs: inputs(past) }),
    ),
    entry("GroupQueryAttention, cache in place", (name) =>
      onnxruntimeContestant({
        name,
        graph: groupQueryAttention(given, SLOTS),
        inputs: inputs(SLOTS),
        inPlace: { presentK: "pastK", presentV: "pastV" },
      }),
    ),
  ];
}

/** Runs the case. */
export async function attentionCase(gpu: Gpu, given: AttentionCase, effort: Effort): Promise<CaseResult> {
  const { rows, keys, heads, kvHeads, headDim, visibility } = given;
  const tensors: Tensors = {
    // Scores of a few units, so that the softmax is neither flat nor a single key.
    query: uniform(rows * heads * headDim, 1).map((value) => 4 * value),
    keys: uniform(keys * kvHeads * headDim, 2).map((value) => 4 * value),
    values: uniform(keys * kvHeads * headDim, 3),
  };
  const checked = [...new Set(Array.from({ length: CHECKED_ROWS }, (_, i) => Math.floor((i * (rows - 1)) / (CHECKED_ROWS - 1))))];
  const wanted = checked.flatMap((row) =>
    Array.from({ length: heads }, (_, head) => ({ row, head, want: reference(given, tensors, row, head) })),
  );
  const errorOf = (output: Float32Array): number => {
    const stride = output.length / rows;
    return relativeError(
      wanted.flatMap(({ row, head, want }) =>
        Array.from(want, (value, i) => [output[row * stride + head * headDim + i] ?? Number.NaN, value] as const),
      ),
    );
  };
  const visible = Array.from({ length: rows }, (_, row) => limitOf(given, row)).reduce((a, b) => a + b);
  const phase = visibility === "full" ? "block" : rows === 1 ? "decode" : "prefill";
  const mine = variantsOf(gpu, given, effort.variants).map(
    (variant): Entry => ({ engine: "ridgepoint", name: variant.id, open: () => ours(gpu, given, tensors, variant) }),
  );
  return {
    group: `attention ${phase}`,
    name: `${phase}, ${rows} of ${keys} keys, ${heads}/${kvHeads} heads of ${headDim}`,
    work: 4 * headDim * heads * visible,
    unit: "GFLOP/s",
    outcomes: await contest([...mine, ...peersOf(given, tensors)], { errorOf, effort }),
  };
}
