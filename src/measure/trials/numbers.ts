/**
 * Random operands that repeat with prime periods: rows and columns of a few kinds, so that the float64 reference of every single output costs
 * no more than that of the few. No tile or lane width shares a factor with the periods, so an output in a wrong place is a wrong output.
 */
import {
  allocatePlane,
  COLUMN_MULTIPLE,
  GATED_TURN,
  gatedColumn,
  type Plane,
  type PlaneFormat,
  packRows,
  planeValue,
} from "../../model/planes";

export const ROW_PERIOD = 13;
export const COLUMN_PERIOD = 61;

/** Standard normal numbers, the same for the same seed (Box–Muller over mulberry32). */
export function normals(length: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Float32Array.from({ length }, () => scale * normal());
}

export const maxAbs = (values: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i] as number));
  return most;
};

/** Rows [count, size] at `stride`, zeros between: row t is kind t mod {@link ROW_PERIOD}. */
export function periodicRows(kinds: Float32Array, size: number, { count, stride }: { count: number; stride: number }) {
  const rows = new Float32Array(count * stride);
  const period = kinds.length / size;
  for (let t = 0; t < count; t++) rows.set(kinds.subarray((t % period) * size, ((t % period) + 1) * size), t * stride);
  return rows;
}

/** A weight whose column n is of kind n mod {@link COLUMN_PERIOD}. */
export interface PeriodicPlane {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly scales: Uint32Array<ArrayBuffer>;
  /** K, padded, and columns, padded. */
  readonly paddedIn: number;
  readonly paddedOut: number;
  /** Dequantised kinds, f64 [COLUMN_PERIOD, inFeatures]. */
  readonly kinds: Float64Array;
  readonly maxAbs: number;
}

function repeatColumns(
  kinds: Uint32Array,
  kindColumns: number,
  { outFeatures, columns }: { outFeatures: number; columns: number },
) {
  const rows = kinds.length / kindColumns;
  const words = new Uint32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    const [from, at] = [r * kindColumns, r * columns];
    words.set(kinds.subarray(from, from + Math.min(COLUMN_PERIOD, outFeatures)), at);
    for (let done = COLUMN_PERIOD; done < outFeatures; done *= 2) {
      words.copyWithin(at + done, at, at + Math.min(done, outFeatures - done));
    }
  }
  return words;
}

/** A weight [outFeatures, inFeatures] of normal numbers in a plane's layout. */
export function periodicPlane(format: PlaneFormat, inFeatures: number, outFeatures: number): PeriodicPlane {
  const kinds: Plane = allocatePlane(format, inFeatures, COLUMN_PERIOD);
  const bytes = new Uint8Array(normals(inFeatures * COLUMN_PERIOD, 1, 0.5).buffer);
  packRows(kinds, { column: 0, bytes, dtype: "f32", rows: COLUMN_PERIOD, inFeatures });
  const values = Float64Array.from({ length: COLUMN_PERIOD * inFeatures }, (_, i) =>
    planeValue(kinds, Math.floor(i / inFeatures), i % inFeatures),
  );
  const columns = Math.ceil(outFeatures / COLUMN_MULTIPLE) * COLUMN_MULTIPLE;
  const repeat = (words: Uint32Array) => repeatColumns(words, kinds.paddedOut, { outFeatures, columns });
  return {
    words: repeat(kinds.data),
    scales: kinds.scaleData ? repeat(kinds.scaleData) : new Uint32Array(4),
    paddedIn: kinds.paddedIn,
    paddedOut: columns,
    kinds: values,
    maxAbs: maxAbs(values),
  };
}

/** Σ_k row[k] · column[k] of every kind of row and of column, f64 [rows, COLUMN_PERIOD]. */
export function kindProducts(rows: ArrayLike<number>, plane: PeriodicPlane, size: number): Float64Array {
  const count = rows.length / size;
  const products = new Float64Array(count * COLUMN_PERIOD);
  for (let t = 0; t < count; t++) {
    for (let n = 0; n < COLUMN_PERIOD; n++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += (rows[t * size + k] as number) * (plane.kinds[n * size + k] as number);
      products[t * COLUMN_PERIOD + n] = sum;
    }
  }
  return products;
}

/** Kinds of the columns of a plane of gates and ups by turns that gate output j. */
export const gatedKinds = (j: number): readonly [gate: number, up: number] => {
  const column = gatedColumn(j);
  return [column % COLUMN_PERIOD, (column + GATED_TURN) % COLUMN_PERIOD];
};

/** RMS norm of every row of kinds with a gain, f64. */
export function normalised(
  kinds: Float32Array,
  gain: ArrayLike<number>,
  { size, eps }: { size: number; eps: number },
): Float64Array {
  const output = new Float64Array(kinds.length);
  for (let at = 0; at < kinds.length; at += size) {
    let squares = 0;
    for (let k = 0; k < size; k++) squares += (kinds[at + k] as number) ** 2;
    const scale = 1 / Math.sqrt(squares / size + eps);
    for (let k = 0; k < size; k++) output[at + k] = (kinds[at + k] as number) * scale * (gain[k] as number);
  }
  return output;
}
