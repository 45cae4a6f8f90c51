/** A calibration as the roofs of the cost model, and what they let a decoding reach. */
import { attainableUnder, type Roofs } from "./cost-model";
import type { Calibration } from "./types";

/** The roofs that a calibration measured: f32, the bandwidth of its largest working set, and the cost of a dispatch. */
export function measuredRoofs({ flopsPerNs, bytesPerNs, dispatchNs }: Calibration): Required<Roofs> {
  const largest = bytesPerNs.levels.reduce((best, level) => (level.workingSetBytes > best.workingSetBytes ? level : best), {
    workingSetBytes: 0,
    median: bytesPerNs.read.median,
  });
  const bandwidth = Math.max(largest.median, bytesPerNs.read.median, bytesPerNs.copy.median);
  return { flopsPerNs: flopsPerNs.f32.median, bytesPerNs: bandwidth, dispatchNs: dispatchNs.median };
}

/** Tokens a second that the two roofs of a device allow: attainable FLOP/s at an intensity in FLOP/byte, over FLOP a token. */
export function predictedTokensPerSecond(
  work: { readonly flopsPerToken: number; readonly arithmeticIntensity: number },
  calibration: Calibration,
): number {
  return (attainableUnder(measuredRoofs(calibration), work.arithmeticIntensity) * 1e9) / work.flopsPerToken;
}
