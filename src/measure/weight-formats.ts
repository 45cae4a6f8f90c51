/** The formats that a checkpoint's weights are kept in on the device, told from its headers. */
import { ensure } from "../errors";
import type { StoredDtype } from "../formats/tensor";
import type { CheckpointDescription } from "../model/inspect";
import { type PlaneFormat, planeFormatFor } from "../model/planes";
import type { WeightFormats } from "./layout";

const LAYER = /\.\d+\./;
const EMBEDDING = /emb|wte/;

/** The format that most of the tensors have. */
function commonest(formats: readonly PlaneFormat[]): PlaneFormat | undefined {
  const counts = new Map<PlaneFormat, number>();
  for (const format of formats) counts.set(format, (counts.get(format) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0];
}

/**
 * Formats of the embedding, of most matrices of the layers, and of the head; bf16 is taken to fit f16.
 * @param quantize as `loadModel` takes it
 * @throws `missing-tensor` for a checkpoint without matrices of layers
 */
export function weightFormatsOf({ tensors }: CheckpointDescription, quantize?: PlaneFormat): WeightFormats {
  const matrices = tensors.flatMap(({ name, dtype, shape }) =>
    shape?.length === 2 ? [{ name, format: planeFormatFor(dtype as StoredDtype, quantize) }] : [],
  );
  const of = (wanted: (name: string) => boolean) =>
    commonest(matrices.filter(({ name }) => wanted(name)).map(({ format }) => format));
  const layers = of((name) => LAYER.test(name));
  ensure(layers, "missing-tensor", "expected matrices of layers, the checkpoint has none");
  const embed = of((name) => !LAYER.test(name) && EMBEDDING.test(name)) ?? layers;
  return { layers, embed, head: of((name) => !LAYER.test(name) && !EMBEDDING.test(name)) ?? embed };
}
