/** The ledger of GPU memory: every buffer is made and destroyed here, inside an out-of-memory scope. */
import { RidgepointError } from "../errors";
import { bindingBytes, type DeviceProfile } from "./profile";

/** Storage, written and read by the host. */
export const STORAGE = 0x80 | 0x08 | 0x04; // STORAGE | COPY_DST | COPY_SRC
/** Mapped by the host for reading. */
export const READBACK = 0x01 | 0x08; // MAP_READ | COPY_DST

export class BufferLedger {
  readonly #device: GPUDevice;
  readonly #profile: Pick<DeviceProfile, "limits">;
  readonly #live = new Map<GPUBuffer, number>();
  #bytes = 0;

  /** @param profile tells the limits to stay within */
  constructor(device: GPUDevice, profile: Pick<DeviceProfile, "limits">) {
    this.#device = device;
    this.#profile = profile;
  }

  /** Bytes of all live buffers. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Number of live buffers. */
  get count(): number {
    return this.#live.size;
  }

  /** The live buffers themselves. */
  get live(): readonly GPUBuffer[] {
    return [...this.#live.keys()];
  }

  /**
   * Makes a zeroed buffer of at least `byteLength` bytes (rounded up to 16). The caller owns it and frees it by {@link destroy}.
   * @throws `out-of-memory` when the device has no room, or the size passes the device's limit.
   */
  async create(label: string, byteLength: number, usage: number = STORAGE): Promise<GPUBuffer> {
    const size = Math.max(16, Math.ceil(byteLength / 16) * 16);
    const limit = usage & 0x80 ? bindingBytes(this.#profile) : this.#device.limits.maxBufferSize;
    if (size > limit) {
      throw new RidgepointError(
        "out-of-memory",
        `buffer "${label}": ${size} bytes asked for, this device binds at most ${limit}; use a smaller model, contextLength or quantize: "q4"`,
      );
    }
    this.#device.pushErrorScope("out-of-memory");
    this.#device.pushErrorScope("validation");
    const buffer = this.#device.createBuffer({ label, size, usage });
    const [invalid, exhausted] = await Promise.all([this.#device.popErrorScope(), this.#device.popErrorScope()]);
    if (invalid || exhausted) {
      buffer.destroy();
      const reason = (exhausted ?? invalid)?.message ?? "";
      throw new RidgepointError(
        "out-of-memory",
        `buffer "${label}": ${size} bytes could not be allocated (${this.#bytes} in use): ${reason}`,
      );
    }
    this.#live.set(buffer, size);
    this.#bytes += size;
    return buffer;
  }

  /** Frees a buffer of this ledger; a second call does nothing. */
  destroy(buffer: GPUBuffer): void {
    const size = this.#live.get(buffer);
    if (size === undefined) return;
    this.#live.delete(buffer);
    this.#bytes -= size;
    buffer.destroy();
  }

  /** Frees everything. */
  destroyAll(): void {
    for (const buffer of [...this.#live.keys()]) this.destroy(buffer);
  }
}
