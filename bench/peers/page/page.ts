/** The page: runs one case at a time when asked. Everything that is measured happens here, in one page on one adapter. */
import { type Gpu, openGpu } from "../../../src/gpu/device";
import type { DeviceProfile } from "../../../src/gpu/profile";
import type { CaseResult, Effort, EndToEndRequest, KernelCase } from "../protocol";
import { attentionCase } from "./attention-case";
import { installClock } from "./clock";
import { linearCase } from "./linear-case";
import { normCase } from "./norm-case";

// Before any library asks for a device.
installClock(new URLSearchParams(location.search).getAll("without"));

export interface PeersPage {
  /** Opens this project's device and describes it. */
  open(): Promise<DeviceProfile>;
  run(given: KernelCase, effort: Effort): Promise<CaseResult>;
  endToEnd(request: EndToEndRequest): Promise<CaseResult[]>;
}

declare global {
  var peers: PeersPage | undefined;
}

let gpu: Gpu | null = null;

globalThis.peers = {
  async open() {
    gpu ??= await openGpu();
    return gpu.profile;
  },
  async run(given, effort) {
    gpu ??= await openGpu();
    if (given.topic === "attention") return attentionCase(gpu, given, effort);
    if (given.topic === "norms") return normCase(gpu, given, effort);
    return linearCase(gpu, given, effort);
  },
  async endToEnd(request) {
    const { endToEnd } = await import("./end-to-end");
    return endToEnd(request);
  },
};
