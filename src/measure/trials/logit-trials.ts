/** Trials of the kernels that change logits in place: suppression, biases, penalties, guidance. */
import type { DeviceProfile } from "../../gpu/profile";
import { bias, guide, penalize, suppress } from "../../kernels/answer";
import type { Kernel } from "../../kernels/dispatch";
import { penalised } from "./distributions";
import { normals } from "./numbers";
import { compare, EPSILON, type PlanOptions, plainRows, planOf, type Trial, untouched, type Words } from "./trial";

/** Kinds of rows of logits: prime, as the periods of other operands. */
export const KINDS = 5;
const SUPPRESSED = Math.fround(-1e30);

export interface AnswerSize {
  readonly profile: DeviceProfile;
  readonly vocabSize: number;
  readonly rows: number;
}

export interface Logits {
  readonly kinds: readonly Float32Array[];
  /** [T, V], row t of kind t mod {@link KINDS}, and a margin. */
  readonly array: Float32Array<ArrayBuffer>;
}

export function logitsOf(vocabSize: number, rows: number): Logits {
  const kinds = Array.from({ length: Math.min(KINDS, rows) }, (_, kind) => normals(vocabSize, kind + 1, 3));
  const array = untouched(rows * vocabSize);
  for (let t = 0; t < rows; t++) array.set(kinds[t % KINDS] as Float32Array, t * vocabSize);
  return { kinds, array };
}

/** A kernel that changes logits in place: what each row of each kind becomes. */
function editTrial(
  size: AnswerSize,
  kernel: Kernel,
  {
    list,
    plan = {},
    edit,
    off,
  }: {
    readonly list: Words;
    readonly plan?: PlanOptions & { readonly rows?: readonly Parameters<typeof planOf>[0][number][] };
    readonly edit: (logits: Float32Array) => ArrayLike<number>;
    readonly off: number;
  },
): Trial {
  const { vocabSize, rows } = size;
  const { kinds, array } = logitsOf(vocabSize, rows);
  const want = kinds.map(edit);
  const { rows: given = plainRows(rows), ...options } = plan;
  return {
    role: kernel.name,
    ...planOf(given, options),
    arrays: { list, logits: array },
    rotated: [],
    outputs: ["logits"],
    ways: [{ id: kernel.variant, steps: [{ kernel, bound: ["list", "logits"] }] }],
    check: ({ logits = [] }) =>
      compare(logits, rows * vocabSize, {
        want: (i) => want[Math.floor(i / vocabSize) % KINDS]?.[i % vocabSize] as number,
        tolerance: (i) => off * Math.abs(want[Math.floor(i / vocabSize) % KINDS]?.[i % vocabSize] as number),
      }),
  };
}

/** Two ids out of the distribution, as the mask and the end of a padded vocabulary are. */
export function suppressTrial(size: AnswerSize): Trial {
  const ids = [0, size.vocabSize - 1];
  return editTrial(size, suppress(size.vocabSize, ids.length), {
    list: Uint32Array.from(ids),
    plan: { sampling: { suppress: ids } },
    edit: (logits) => Float32Array.from(logits, (value, id) => (ids.includes(id) ? SUPPRESSED : value)),
    off: 0,
  });
}

export function biasTrial(size: AnswerSize): Trial {
  const biases = Array.from({ length: Math.min(16, size.vocabSize) }, (_, i): [number, number] => [
    Math.floor((i * (size.vocabSize - 1)) / 16),
    (i - 7.5) / 4,
  ]);
  const distinct = [...new Map(biases)];
  const list = new Uint32Array(2 * distinct.length);
  const floats = new Float32Array(list.buffer);
  distinct.forEach(([id, value], i) => {
    list[2 * i] = id;
    floats[2 * i + 1] = value;
  });
  return editTrial(size, bias(size.vocabSize, distinct.length), {
    list,
    plan: { sampling: { bias: distinct } },
    edit: (logits) => {
      const sums = Float64Array.from(logits);
      for (const [id, value] of distinct) sums[id] = (sums[id] as number) + value;
      return sums;
    },
    off: 4 * EPSILON,
  });
}

/** Penalties on 64 tokens, half of them the answer's, some of them twice. */
export function penalizeTrial(size: AnswerSize): Trial {
  const canvas = Uint32Array.from({ length: 64 }, (_, i) => ((i % 48) * 7919) % size.vocabSize);
  const penalties = { repetition: 1.25, presence: 0.5, frequency: 0.25 };
  const past = { start: 0, answer: 32, limit: canvas.length };
  return editTrial(size, penalize(size.profile, size.vocabSize), {
    list: canvas,
    plan: { sampling: { penalties }, rows: Array.from({ length: size.rows }, () => ({ past })) },
    edit: (logits) => penalised(logits, canvas, { ...penalties, answer: past.answer }),
    off: 16 * EPSILON,
  });
}

/** Guidance between a row and its twin, which is of the next kind or of the same. */
export function guideTrial({ vocabSize, rows }: AnswerSize): Trial {
  const { kinds, array } = logitsOf(vocabSize, 2 * rows);
  const scale = 1.5;
  const kernel = guide(vocabSize);
  const want = (i: number): number => {
    const [t, v] = [Math.floor(i / vocabSize), i % vocabSize];
    const own = kinds[t % KINDS]?.[v] as number;
    if (t >= rows) return own;
    const free = kinds[(t + rows) % KINDS]?.[v] as number;
    return free + (1 + scale) * (own - free);
  };
  const { plan } = planOf(plainRows(2 * rows), { guidance: { scale, twin: rows } });
  return {
    role: kernel.name,
    plan,
    extent: { rows, visible: 0, span: 0 },
    arrays: { logits: array },
    rotated: [],
    outputs: ["logits"],
    ways: [{ id: kernel.variant, steps: [{ kernel, bound: ["logits"] }] }],
    // Logits are normal with σ = 3: sums of a few of them stay below 64.
    check: ({ logits = [] }) =>
      compare(logits, 2 * rows * vocabSize, { want, tolerance: (i) => (i < rows * vocabSize ? 64 * 4 * EPSILON : 0) }),
  };
}
