/** How invocations of a workgroup work together on a device: as one subgroup, or through workgroup memory. Pure. */
import lanesSubgroup from "../../shaders/lib/lanes_subgroup.wgsl?raw";
import lanesWorkgroup from "../../shaders/lib/lanes_workgroup.wgsl?raw";
import type { DeviceProfile } from "../gpu/profile";

export interface Lanes {
  readonly variant: "subgroup" | "workgroup";
  /** Invocations that work together. */
  readonly count: number;
  readonly part: string;
  readonly features: readonly string[];
  readonly consts: Readonly<Record<string, number>>;
}

/** A subgroup where its size is fixed (then a workgroup of that size is one subgroup); else 32 lanes over workgroup memory. */
export function lanesOf(profile: DeviceProfile): Lanes {
  const { subgroupMinSize: min, subgroupMaxSize: max } = profile;
  if (profile.features.includes("subgroups") && min === max && min >= 4) {
    return { variant: "subgroup", count: min, part: lanesSubgroup, features: ["subgroups"], consts: { LANES: min } };
  }
  const count = profile.software ? 4 : 32;
  return { variant: "workgroup", count, part: lanesWorkgroup, features: [], consts: { LANES: count } };
}
