/** Closed forms of what a forward costs, from a model's shape alone: what the dispatches' own counts must add up to, exactly. */
import { pad32 } from "../kernels/layer";
import type { ModelConfig } from "../model/config";

export interface ForwardShape {
  /** Rows computed (T). */
  readonly rows: number;
  /** Σ over rows of visible keys. */
  readonly visible: number;
  /** Rows that the head runs for. */
  readonly emitted: number;
}

/**
 * FLOP of one forward. Per layer: projections 2·T·(D(H+2K)E + HE·D + 3·D·F), attention 4·E·H·Σ visible, norms 8·T·D, rotation 3 (7 with head
 * norms) a rotated element, gate 5·T·F; head: 2·V·D, norm 4·D and statistics 5·V an emitted row. Inputs of a layer count padded to 32, as computed.
 */
export function forwardFlops(config: ModelConfig, { rows, visible, emitted }: ForwardShape): number {
  const { numAttentionHeads: H, numKeyValueHeads: K, headDim: E, intermediateSize: F, hiddenSize: D, vocabSize: V } = config;
  const projections = 2 * rows * ((H + 2 * K) * E * pad32(D) + D * pad32(H * E) + 2 * F * pad32(D) + D * pad32(F));
  const rotation = (config.qkNorm ? 7 : 3) * rows * (H + K) * E;
  const layer = projections + rotation + 4 * E * H * visible + 8 * rows * D + 5 * rows * F;
  const head = emitted * (2 * V * pad32(D) + 4 * D + 5 * V);
  return config.numHiddenLayers * layer + head;
}
