/** What is known of a device: the only thing kernel selection may look at. */

export interface DeviceProfile {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** A CPU behind the WebGPU interface (SwiftShader, lavapipe, WARP). */
  readonly software: boolean;
  /** Of the device, by WebGPU's names, and of the language (`packed_4x8_integer_dot_product`). */
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** 0 where the device has no subgroups. */
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** Smallest step of the GPU clock in ns, measured; null without `timestamp-query`. */
  readonly timestampQuantumNs: number | null;
  readonly userAgent: string;
}

/** SwiftShader and WARP by name; Mesa says "software" of lavapipe, and nothing more to a page. */
const SOFTWARE = /swiftshader|lavapipe|llvmpipe|microsoft basic|warp|^mesa software$/i;

type Names = Pick<DeviceProfile, "vendor" | "architecture" | "description">;

/** Whether the adapter that names itself so is a CPU. */
export function isSoftware({ vendor, architecture, description }: Names): boolean {
  return SOFTWARE.test([vendor, architecture, description].filter(Boolean).join(" "));
}

/** Bytes that one storage binding holds at most: WebGPU's defaults where a profile does not tell. */
export const bindingBytes = ({ limits }: Pick<DeviceProfile, "limits">): number =>
  Math.min(limits.maxStorageBufferBindingSize ?? 2 ** 27, limits.maxBufferSize ?? 2 ** 28);
