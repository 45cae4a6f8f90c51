/** The page: runs one case at a time when asked. Everything that is measured happens here, in one page on one adapter. */

import { ensure } from "../../../src/errors";
import { type Gpu, openGpu } from "../../../src/gpu/device";
import type { DeviceProfile } from "../../../src/gpu/profile";
import { ATTENTION_VARIANTS } from "../../../src/kernels/attention-variants";
import { LINEAR_VARIANTS } from "../../../src/kernels/linear-variants";
import type { CaseResult, Effort, EndToEndRequest, KernelCase, VariantChoice } from "../protocol";
import { attentionCase } from "./attention-case";
import { installClock } from "./clock";
import { linearCase } from "./linear-case";
import { normCase } from "./norm-case";

// Before any library asks for a device.
installClock(new URLSearchParams(location.search).getAll("without"));

export interface PeersPage {
  /**
   * Opens this project's device and describes it.
   * @throws `bad-option` for a variant that is asked for by a name that none has
   */
  open(variants: VariantChoice): Promise<DeviceProfile>;
  run(given: KernelCase, effort: Effort): Promise<CaseResult>;
  endToEnd(request: EndToEndRequest): Promise<CaseResult[]>;
}

declare global {
  var peers: PeersPage | undefined;
}

/** A name may be that of a linear variant or of one of attention. */
function checkVariants(variants: VariantChoice): void {
  if (typeof variants === "string") return;
  const known = [...LINEAR_VARIANTS, ...ATTENTION_VARIANTS].map(({ id }) => id);
  const strange = variants.find((id) => !known.includes(id));
  ensure(strange === undefined, "bad-option", () => `--variants: expected some of ${known.join(", ")}, came "${strange}"`);
}

let gpu: Gpu | null = null;

globalThis.peers = {
  async open(variants) {
    checkVariants(variants);
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
