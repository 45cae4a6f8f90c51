/** Trials of linear layers: a product, with what it may take on (bias, residual, gate, norm), by any of the variants. */
import type { Lanes } from "../../kernels/lanes";
import { pad32, rmsnorm } from "../../kernels/layer";
import { type LinearVariant, linear, normalizes } from "../../kernels/linear";
import type { WeightFormat } from "../../kernels/weight";
import { COLUMN_MULTIPLE } from "../../model/planes";
import {
  COLUMN_PERIOD,
  gatedKinds,
  kindProducts,
  maxAbs,
  normalised,
  normals,
  periodicPlane,
  periodicRows,
  ROW_PERIOD,
} from "./numbers";
import { compare, EPSILON, plainRows, planOf, type Trial, untouched, type Way } from "./trial";

/** A linear layer of a model. */
export interface LinearLayer {
  readonly role: string;
  readonly format: WeightFormat;
  /** K and N as the model has them; N of gate and up together where it is gated. */
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias?: boolean | undefined;
  readonly residual?: boolean | undefined;
  readonly gated?: boolean | undefined;
  /** RMS norm of its input; `gather`: of the plan's source rows. */
  readonly norm?: { readonly eps: number; readonly gather: boolean } | undefined;
}

/** What rounding an input to less than f32 may do to a product: half a step of the largest input, with either sign. */
const ROUNDING = { f16: 2 ** -11, int8: 1 / 254 };

/** How far a sum of K products of f32 may be off; q4 sums stored numbers and minima apart, which costs up to four times as much. */
function sumError(layer: LinearLayer, { input, weight }: { input: number; weight: number }, rounds: Way["rounds"]): number {
  const scale = Math.sqrt(layer.inFeatures) * input * weight;
  return 2e-6 * scale * (layer.format === "q4" ? 4 : 1) + 1e-6 + (rounds ? ROUNDING[rounds] * scale : 0);
}

/** The steps of one variant: the norm in the product, or before it. */
function wayOf(layer: LinearLayer, variant: LinearVariant, { lanes, columns }: { lanes: Lanes; columns: number }): Way {
  const { format, inFeatures, outFeatures, bias = false, residual = false, gated = false } = layer;
  const norm = layer.norm && { ...layer.norm, size: inFeatures };
  const fused = norm !== undefined && normalizes(variant);
  const outStride = gated ? pad32(outFeatures / 2) : outFeatures;
  const shape = { format, inFeatures: pad32(inFeatures), outFeatures, columns, outStride, bias, residual, gated };
  const product = linear(variant, fused ? { ...shape, norm } : shape);
  const bound = ["words", "scales", norm && !fused ? "normed" : "input", "output", "bias", ...(fused ? ["gain"] : [])];
  const before =
    norm && !fused ? [{ kernel: rmsnorm(lanes, inFeatures, norm.eps, norm.gather), bound: ["input", "gain", "normed"] }] : [];
  return { id: variant.id, steps: [...before, { kernel: product, bound }], rounds: variant.rounds };
}

export interface LinearChoices {
  readonly variants: readonly LinearVariant[];
  /** How a norm of its own works together. */
  readonly lanes: Lanes;
}

/** The ways to compute a layer, for any number of rows: nothing but code. */
export function linearWays(layer: LinearLayer, { variants, lanes }: LinearChoices): Way[] {
  const columns = Math.ceil(layer.outFeatures / COLUMN_MULTIPLE) * COLUMN_MULTIPLE;
  return variants.map((variant) => wayOf(layer, variant, { lanes, columns }));
}

/** The trial of a layer over `rows` rows, by each of the variants. */
export function linearTrial(layer: LinearLayer, rows: number, choices: LinearChoices): Trial {
  const { inFeatures, outFeatures, gated = false, norm } = layer;
  const plane = periodicPlane(layer.format, inFeatures, outFeatures);
  const stride = gated ? pad32(outFeatures / 2) : outFeatures;
  const outputs = gated ? outFeatures / 2 : outFeatures;
  const kinds = normals(Math.min(rows, ROW_PERIOD) * inFeatures, 2, norm ? 2 : 1);
  const gain = normals(plane.paddedIn, 3);
  const bias = layer.bias ? normals(outFeatures, 4) : new Float32Array(4);
  const before = untouched(rows * stride);
  if (layer.residual) before.set(periodicRows(normals(COLUMN_PERIOD * ROW_PERIOD, 5), 1, { count: rows * stride, stride: 1 }));
  const seen = norm ? normalised(kinds, gain, { size: inFeatures, eps: norm.eps }) : kinds;
  const products = kindProducts(seen, plane, inFeatures);
  const product = (t: number, kind: number) => products[(t % ROW_PERIOD) * COLUMN_PERIOD + kind] as number;
  const most = { input: maxAbs(seen), weight: plane.maxAbs };

  const check: Trial["check"] = ({ output = [] }, { rounds }) => {
    const off = sumError(layer, most, rounds);
    const place = (i: number) => [Math.floor(i / stride), i % stride] as const;
    const gates = (t: number, j: number) => gatedKinds(j).map((kind) => product(t, kind)) as [number, number];
    const want = (i: number): number => {
      const [t, j] = place(i);
      if (j >= outputs) return before[i] as number;
      if (!gated)
        return (
          product(t, j % COLUMN_PERIOD) + (layer.bias ? (bias[j] as number) : 0) + (layer.residual ? (before[i] as number) : 0)
        );
      const [gate, up] = gates(t, j);
      return (gate / (1 + Math.exp(-gate))) * up;
    };
    const tolerance = (i: number): number => {
      const [t, j] = place(i);
      if (j >= outputs) return 0;
      if (!gated) return off;
      // |silu'| ≤ 1.1: what each sum is off, times the other factor.
      const [gate, up] = gates(t, j);
      return off * (1.1 * Math.abs(up) + Math.abs(gate) + off) + Math.abs(gate * up) * EPSILON * 200;
    };
    return compare(output, rows * stride, { want, tolerance });
  };

  return {
    role: layer.role,
    ...planOf(plainRows(rows)),
    arrays: {
      words: plane.words,
      scales: plane.scales,
      input: periodicRows(kinds, inFeatures, { count: rows, stride: plane.paddedIn }),
      normed: 4 * rows * plane.paddedIn,
      gain,
      bias,
      output: before,
    },
    rotated: ["words", "scales"],
    outputs: ["output"],
    ways: linearWays(layer, choices),
    check,
  };
}
