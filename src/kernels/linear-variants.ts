/** The ways to run a linear layer: each one hand-written WGSL file with one set of constants, and what a device must have for it. */
import type { DeviceProfile } from "../gpu/profile";
import { GEMM_VARIANTS } from "./gemm-variants";
import { GEMV_VARIANTS } from "./gemv-variants";
import type { WeightFormat } from "./weight";

export interface LinearVariant {
  /** Unique and stable, for tables of tuning: the algorithm, and the constants that set it apart from others of the same file. */
  readonly id: string;
  /** WGSL file stem. */
  readonly algorithm: string;
  readonly source: string;
  /** Parts of the algorithm's own. */
  readonly parts?: readonly string[];
  /** Whether it reads the weights of four neighbouring columns at a load. */
  readonly quads?: boolean;
  readonly consts: Readonly<Record<string, number>>;
  /** How it reads the gain of an input that it normalises on the way; without, it only takes inputs as they are. */
  readonly gain?: string;
  /** WGSL extensions, each the name of the device feature that allows it. */
  readonly features?: readonly string[];
  /** Other features, of device or language, that it would be slow without. */
  readonly needs?: readonly string[];
  /** What inputs are rounded to before they are multiplied, where that is less than f32: then a device runs it only where a tuning table says so. */
  readonly rounds?: "f16" | "int8";
  /** Least size of a subgroup, where one is used. */
  readonly subgroup?: number;
  /** Bytes of workgroup memory. */
  readonly storage?: number;
  /** Weight formats that it reads; all without. */
  readonly formats?: readonly WeightFormat[];
  /** Outputs of a workgroup: rows × columns. */
  readonly rows: number;
  readonly columns: number;
  /** The grid's first axis is rows instead of columns. */
  readonly rowsFirst?: boolean;
  readonly invocations: number;
  /** 32-bit loads of an invocation over `octets` of the input, given loads a weight octet and a scale. */
  readonly loads: (octets: number, weightLoads: number, scaleLoads: number) => number;
}

export const LINEAR_VARIANTS: readonly LinearVariant[] = [...GEMV_VARIANTS, ...GEMM_VARIANTS];

/** Whether a device has what a variant needs. A profile that does not tell a limit is taken to have WebGPU's default. */
export function canRun(variant: LinearVariant, profile: DeviceProfile): boolean {
  const { features = [], needs = [], subgroup, storage = 0, invocations } = variant;
  const { maxComputeInvocationsPerWorkgroup: most = 256, maxComputeWorkgroupStorageSize: memory = 16_384 } = profile.limits;
  if (invocations > most || storage > memory) return false;
  if (subgroup !== undefined && profile.subgroupMinSize < subgroup) return false;
  const wanted = [...features.map((feature) => (feature === "f16" ? "shader-f16" : feature)), ...needs];
  return wanted.every((feature) => profile.features.includes(feature));
}
