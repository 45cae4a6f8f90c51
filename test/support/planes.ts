/** Random weights in every plane format, with the values that the kernels see. */
import { allocatePlane, type Plane, type PlaneFormat, packRows, planeValue } from "../../src/model/planes";
import { normals, type Words } from "./kernel";
import type { WeightAt } from "./reference";

export const FORMATS: readonly PlaneFormat[] = ["q4", "q8", "f16", "f32"];

export interface RandomPlane {
  readonly plane: Plane;
  /** Bindings: words, scales. */
  readonly bound: readonly [Words, Words];
  /** Dequantised. */
  readonly weight: WeightAt;
  readonly maxAbs: number;
}

/** A weight of normal random rows. */
export function randomPlane(format: PlaneFormat, inFeatures: number, outFeatures: number, seed: number): RandomPlane {
  const plane = allocatePlane(format, inFeatures, outFeatures);
  const bytes = new Uint8Array(normals(inFeatures * outFeatures, seed, 0.5).buffer);
  packRows(plane, { column: 0, bytes, dtype: "f32", rows: outFeatures, inFeatures });
  const values = Float64Array.from({ length: inFeatures * outFeatures }, (_, i) =>
    planeValue(plane, Math.floor(i / inFeatures), i % inFeatures),
  );
  const scales = plane.scaleData ?? new Uint32Array(4);
  return {
    plane,
    bound: [plane.data as Words, scales as Words],
    weight: (n, k) => values[n * inFeatures + k]!,
    maxAbs: values.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  };
}
