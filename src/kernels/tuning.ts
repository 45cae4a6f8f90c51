/** Which variant a device runs best, as data: keys of shape classes to variant ids. Pure; who measures them is no concern of this file. */
import type { DeviceProfile } from "../gpu/profile";
import type { WeightFormat } from "./weight";

/** Key of a class of dispatches → id of the variant that runs it. */
export type Tuning = Readonly<Record<string, string>>;

/** Row counts at which a choice may change. */
export const ROW_CLASSES = [1, 2, 4, 8, 16, 32, 64, 128, 512] as const;
export type RowClass = (typeof ROW_CLASSES)[number];

/** The largest class that is not above so many rows (1 for none). */
export const rowClass = (rows: number): RowClass => ROW_CLASSES.findLast((least) => least <= rows) ?? 1;

export interface LinearClass {
  readonly format: WeightFormat;
  readonly rows: number;
  /** K and N; without them the key of every shape. */
  readonly inFeatures?: number;
  readonly outFeatures?: number;
}

/** Key of a linear layer's class, e.g. `linear q4 8 576x1536`, or `linear q4 8` for every shape without an entry of its own. */
export function linearKey({ format, rows, inFeatures, outFeatures }: LinearClass): string {
  const shape = inFeatures === undefined || outFeatures === undefined ? "" : ` ${inFeatures}x${outFeatures}`;
  return `linear ${format} ${rowClass(rows)}${shape}`;
}

/** What was measured on architectures that we know, where it differs from the defaults. */
const SEEDED: readonly { readonly device: RegExp; readonly tuning: Tuning }[] = [];

/** The table that is shipped for a device: empty for one that was never measured. */
export function seededTuning({ vendor, architecture, description }: DeviceProfile): Tuning {
  const name = `${vendor} ${architecture} ${description}`;
  return SEEDED.find(({ device }) => device.test(name))?.tuning ?? {};
}
