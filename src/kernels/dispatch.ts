/** The type to remember: a run is a list of dispatches. Running, timing, cost, roofline and tests all read that one list. */

import type { BindingKind } from "../gpu/pipelines";
import { assemble, type WgslModule } from "../gpu/wgsl";

/**
 * What a dispatch does, counted from its shape: FLOP of the model's arithmetic (dequantising, choosing and revealing count zero), compulsory bytes
 * (each operand once), 32-bit loads issued by all invocations.
 */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
  readonly loads: number;
}

/** How much of everything one pass computes. */
export interface Extent {
  /** Rows of the pass (T). */
  readonly rows: number;
  /** Σ over rows of visible keys. */
  readonly visible: number;
  /** Distinct cache rows that are visible to any row. */
  readonly span: number;
  /** Whether any row has a hole in what it sees, or rows begin to see at different places. Default: no. */
  readonly sparse?: boolean;
}

export type Grid = readonly [x: number, y: number, z: number];
export type Shape = Readonly<Record<string, number>>;

/** A row of the kernel table: one WGSL file with its constants, and everything that is known of it without running it. */
export interface Kernel {
  /** WGSL file stem: the same string in the table, the pipeline's label, the profile, the reference and the test. */
  readonly name: string;
  /** What distinguishes it from its siblings, e.g. a weight format. */
  readonly variant: string;
  readonly wgsl: WgslModule;
  /** Group 0, in order. */
  readonly bindings: readonly BindingKind[];
  readonly grid: (extent: Extent) => Grid;
  readonly shape: (extent: Extent) => Shape;
  readonly work: (extent: Extent) => Work;
}

/** One recorded dispatch. */
export interface Dispatch extends Work {
  readonly kernel: string;
  readonly variant: string;
  /** What it computes in the model: `qkv_proj`, `attention`, `lm_head`… */
  readonly role: string;
  readonly layer: number | null;
  readonly shape: Shape;
  readonly grid: Grid;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  /** Byte offset of the pass's plan in the arena. */
  readonly planOffset: number;
}

/** Code of a kernel, as it is compiled. */
export const codeOf = (kernel: Kernel): string => assemble(kernel.wgsl);
