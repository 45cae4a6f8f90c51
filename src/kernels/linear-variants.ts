/** The ways to run a linear layer: each one hand-written WGSL file with one set of constants, and what a device must have for it. */
import gemvLane from "../../shaders/gemv_lane.wgsl?raw";
import gemvReg from "../../shaders/gemv_reg.wgsl?raw";
import gemvSplit from "../../shaders/gemv_split.wgsl?raw";
import spread from "../../shaders/lib/spread.wgsl?raw";
import type { DeviceProfile } from "../gpu/profile";
import { GEMM_VARIANTS } from "./gemm-variants";
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
  readonly invocations: number;
  /** 32-bit loads of an invocation over `octets` of the input, given loads a weight octet and a scale. */
  readonly loads: (octets: number, weightLoads: number, scaleLoads: number) => number;
}

export const LINEAR_VARIANTS: readonly LinearVariant[] = [
  {
    id: "gemv_reg",
    algorithm: "gemv_reg",
    source: gemvReg,
    rows: 1,
    columns: 32,
    invocations: 8,
    loads: (octets, weight, scale) => octets * (8 + 4 * weight) + (octets / 4) * 4 * scale,
    consts: { WIDTH: 8 },
  },
  {
    id: "gemv_lane",
    algorithm: "gemv_lane",
    source: gemvLane,
    parts: [spread],
    features: ["subgroups"],
    subgroup: 4,
    rows: 1,
    columns: 64,
    invocations: 8,
    loads: (octets, weight, scale) => octets * (2 + 8 * weight) + (octets / 4) * 8 * scale,
    consts: { WIDTH: 8 },
  },
  {
    id: "gemv_split",
    algorithm: "gemv_split",
    source: gemvSplit,
    storage: 1024,
    rows: 1,
    columns: 32,
    invocations: 256,
    loads: (octets, weight, scale) => (octets * (8 + weight) + (octets / 4) * scale) / 8,
    consts: { WIDTH: 32, SPLIT: 8 },
  },
  ...GEMM_VARIANTS,
];

/** Whether a device has what a variant needs. A profile that does not tell a limit is taken to have WebGPU's default. */
export function canRun(variant: LinearVariant, profile: DeviceProfile): boolean {
  const { features = [], needs = [], subgroup, storage = 0, invocations } = variant;
  const { maxComputeInvocationsPerWorkgroup: most = 256, maxComputeWorkgroupStorageSize: memory = 16_384 } = profile.limits;
  if (invocations > most || storage > memory) return false;
  if (subgroup !== undefined && profile.subgroupMinSize < subgroup) return false;
  const wanted = [...features.map((feature) => (feature === "f16" ? "shader-f16" : feature)), ...needs];
  return wanted.every((feature) => profile.features.includes(feature));
}
