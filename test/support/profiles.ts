/** Device profiles for tests that have no device. */
import type { DeviceProfile } from "../../src/gpu/profile";

const BASE: DeviceProfile = {
  vendor: "",
  architecture: "",
  description: "",
  software: false,
  features: [],
  limits: {},
  subgroupMinSize: 0,
  subgroupMaxSize: 0,
  timestampQuantumNs: null,
  userAgent: "",
};
const subgroups = (min: number, max: number) => ({ features: ["subgroups"], subgroupMinSize: min, subgroupMaxSize: max });

export const PROFILES = {
  swiftshader: { ...BASE, software: true, ...subgroups(4, 4) },
  lavapipe: { ...BASE, software: true, ...subgroups(8, 8) },
  bareCpu: { ...BASE, software: true },
  nvidia: { ...BASE, vendor: "nvidia", ...subgroups(32, 32) },
  intel: { ...BASE, vendor: "intel", ...subgroups(8, 32) },
  bareGpu: BASE,
} as const satisfies Record<string, DeviceProfile>;
