/** Attention as a step of the forward's list: which variant runs follows the rows of a pass and the keys that they see. */
import type { Gpu } from "../gpu/device";
import { type AttentionShape, type AttentionVariant, attention, attentionReduce } from "../kernels/attention";
import { chooseAttention, KEY_CLASSES } from "../kernels/attention-variants";
import type { Extent } from "../kernels/dispatch";
import { lanesOf } from "../kernels/lanes";
import { ROW_CLASSES } from "../kernels/tuning";
import { bindOp, type Place, type Step } from "./ops";

export interface AttentionBuffers {
  readonly query: GPUBuffer;
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  /** [T, pad32(H·E)] */
  readonly attended: GPUBuffer;
  /** What split passes leave for the reduction. */
  readonly pieces: GPUBuffer;
}

/** Visible keys a row. */
export const keysOf = ({ rows, visible }: Extent): number => visible / rows;

/** One dispatch, or two where the keys are split. Rows with holes or apart from each other are never split: their variant skips what no row sees. */
export async function attentionStep(gpu: Gpu, shape: AttentionShape, buffers: AttentionBuffers, place: Place): Promise<Step> {
  const lanes = lanesOf(gpu.profile);
  const { query, keys, values, attended, pieces } = buffers;
  const choose = (rows: number, seen: number, sparse = false): AttentionVariant =>
    chooseAttention(gpu.profile, gpu.tuning, { rows, keys: seen, shape, sparse });
  const bind = (variant: AttentionVariant, sparse: boolean): Promise<Step> =>
    bindVariant(gpu, variant, {
      kernel: attention(lanes, shape, { variant, sparse }),
      reduce: attentionReduce(shape, variant.parts),
      inputs: [query, keys, values],
      attended,
      pieces,
      place,
    });
  const classes = ROW_CLASSES.flatMap((rows) =>
    KEY_CLASSES.filter((seen) => seen === 1 || seen <= shape.slots).map((seen) => [rows, seen] as const),
  );
  const all = async (sparse: boolean): Promise<ReadonlyMap<AttentionVariant, Step>> => {
    const variants = [...new Set(classes.map(([rows, seen]) => choose(rows, seen, sparse)))];
    return new Map(await Promise.all(variants.map(async (variant) => [variant, await bind(variant, sparse)] as const)));
  };
  const [plain, sparse] = await Promise.all([all(false), all(true)]);
  return (extent, planOffset) => {
    const variant = choose(extent.rows, keysOf(extent), extent.sparse);
    return ((extent.sparse ? sparse : plain).get(variant) as Step)(extent, planOffset);
  };
}

interface Bound {
  readonly kernel: ReturnType<typeof attention>;
  readonly reduce: ReturnType<typeof attentionReduce>;
  readonly inputs: readonly GPUBuffer[];
  readonly attended: GPUBuffer;
  readonly pieces: GPUBuffer;
  readonly place: Place;
}

async function bindVariant(gpu: Gpu, { parts }: AttentionVariant, bound: Bound): Promise<Step> {
  const { kernel, reduce, inputs, attended, pieces, place } = bound;
  if (parts === 1) {
    const op = await bindOp(gpu, kernel, [...inputs, attended], place);
    return (extent, planOffset) => [op(extent, planOffset)];
  }
  const ops = await Promise.all([
    bindOp(gpu, kernel, [...inputs, pieces], place),
    bindOp(gpu, reduce, [pieces, attended], place),
  ]);
  return (extent, planOffset) => ops.map((op) => op(extent, planOffset));
}
