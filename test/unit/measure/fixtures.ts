/** A calibration of round numbers, so that expected values can be worked out by hand. */
import type { Calibration } from "../../../src/measure/types";

const exact = (median: number) => ({ median, mad: 0 });

/** FMA 100 GFLOP/s, f16 200; bandwidth 40 GB/s at 1 MiB, 10 GB/s at 256 MiB; 5 loads/ns; dispatch 1,000 ns. Ridge at 10 FLOP/byte. */
export const CALIBRATION: Calibration = {
  device: {
    vendor: "test",
    architecture: "round",
    description: "",
    software: false,
    features: [],
    limits: {},
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
    timestampQuantumNs: 100,
    userAgent: "test",
  },
  flopsPerNs: { f32: exact(100), f16: exact(200) },
  bytesPerNs: {
    read: exact(10),
    copy: exact(8),
    levels: [
      { workingSetBytes: 2 ** 20, ...exact(40) },
      { workingSetBytes: 2 ** 24, ...exact(20) },
      { workingSetBytes: 2 ** 28, ...exact(10) },
    ],
  },
  loadsPerNs: exact(5),
  dispatchNs: exact(1000),
  submitMapNs: exact(50_000),
  quantumNs: 100,
};
