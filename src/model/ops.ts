/** Steps of the forward's list: a kernel with its buffers bound once, and linear layers whose kernel follows the rows of the pass. */
import type { Gpu } from "../gpu/device";
import { codeOf, type Dispatch, type Extent, type Kernel } from "../kernels/dispatch";
import { chooseLinear, type InputNorm, type LinearVariant, linear, normalizes } from "../kernels/linear";
import { ROW_CLASSES, type RowClass, rowClass } from "../kernels/tuning";
import type { LinearWeights } from "./weights";

/** A step of the list: records its dispatch for so many rows. */
export type Op = (extent: Extent, planOffset: number) => Dispatch;

/** A step that may take several dispatches. */
export type Step = (extent: Extent, planOffset: number) => readonly Dispatch[];

/** What the model computes at a place of the list. */
export interface Place {
  readonly role: string;
  readonly layer: number | null;
}

/** A step of one dispatch. */
export const alone =
  (op: Op): Step =>
  (extent, planOffset) => [op(extent, planOffset)];

/** Compiles a kernel and binds its buffers. */
export async function bindOp(gpu: Gpu, kernel: Kernel, buffers: readonly GPUBuffer[], { role, layer }: Place): Promise<Op> {
  const { device, pipelines } = gpu;
  const pipeline = await pipelines.get(kernel.name, codeOf(kernel), kernel.bindings, true);
  const bindGroup = device.createBindGroup({
    label: `${role}${layer === null ? "" : ` ${layer}`}`,
    layout: pipelines.groupLayout(kernel.bindings),
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const { name, variant } = kernel;
  return (extent, planOffset) => ({
    kernel: name,
    variant,
    role,
    layer,
    shape: kernel.shape(extent),
    grid: kernel.grid(extent),
    ...kernel.work(extent),
    pipeline,
    bindGroup,
    planOffset,
  });
}

/** Where a linear layer reads and writes. */
export interface LinearPlace extends Place {
  readonly input: GPUBuffer;
  readonly output: GPUBuffer;
  /** Row length of the output. */
  readonly stride: number;
  readonly residual?: boolean;
  readonly gated?: boolean;
  /** Bound where a layer has no bias. */
  readonly zeros: GPUBuffer;
}

/** A norm that a linear layer takes on with the input that it normalises, and its kernel where the layer does not. */
export interface NormPlace extends Place {
  readonly shape: InputNorm;
  readonly kernel: Kernel;
  readonly gain: GPUBuffer;
  readonly input: GPUBuffer;
  /** Where the normalised input goes, if it goes anywhere. */
  readonly output: GPUBuffer;
}

/** A linear layer's operation for each class of rows whose variant is `wanted`; the variant is the same within a class. */
async function byRows(
  gpu: Gpu,
  w: LinearWeights,
  place: LinearPlace,
  { wanted = () => true, norm }: { wanted?: (variant: LinearVariant) => boolean; norm?: NormPlace } = {},
): Promise<ReadonlyMap<RowClass, Op>> {
  const { output, stride, residual = false, gated = false, zeros } = place;
  const shape = { ...w, outStride: stride, bias: w.bias !== null, residual, gated, norm: norm?.shape };
  const bound = [w.words, w.scales, norm?.input ?? place.input, output, w.bias ?? zeros, ...(norm ? [norm.gain] : [])];
  const chosen = ROW_CLASSES.map((rows) => [rows, chooseLinear(gpu.profile, gpu.tuning, { ...w, rows })] as const).filter(
    ([, variant]) => wanted(variant),
  );
  const variants = [...new Set(chosen.map(([, variant]) => variant))];
  const bind = async (variant: LinearVariant) => [variant, await bindOp(gpu, linear(variant, shape), bound, place)] as const;
  const compiled = new Map(await Promise.all(variants.map(bind)));
  return new Map(chosen.map(([rows, variant]) => [rows, compiled.get(variant) as Op]));
}

/** A linear layer: the kernel is chosen by the rows of the pass. */
export async function linearOp(gpu: Gpu, w: LinearWeights, place: LinearPlace): Promise<Op> {
  const ops = await byRows(gpu, w, place);
  return (extent, planOffset) => (ops.get(rowClass(extent.rows)) as Op)(extent, planOffset);
}

/**
 * Linear layers over a normalised input, each with its part of the output: one dispatch where the chosen variant normalises on the way, else the norm and
 * then the layers. Several layers share one norm.
 */
export async function normedStep(gpu: Gpu, layers: readonly LinearWeights[], place: LinearPlace, norm: NormPlace): Promise<Step> {
  const single = layers.length === 1;
  const fused = single
    ? await byRows(gpu, layers[0] as LinearWeights, place, { wanted: normalizes, norm })
    : new Map<RowClass, Op>();
  const wanted = (variant: LinearVariant): boolean => !single || !normalizes(variant);
  const apart = await Promise.all(layers.map((w) => byRows(gpu, w, { ...place, input: norm.output }, { wanted })));
  const before = await bindOp(gpu, norm.kernel, [norm.input, norm.gain, norm.output], norm);
  return (extent, planOffset) => {
    const rows = rowClass(extent.rows);
    const op = fused.get(rows);
    if (op) return [op(extent, planOffset)];
    return [before, ...apart.map((ops) => ops.get(rows) as Op)].map((each) => each(extent, planOffset));
  };
}
