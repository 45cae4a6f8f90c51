/** What may be tuned of a model: each class of dispatches with its default, its candidates and the trial that compares them. Runs nothing. */
import type { DeviceProfile } from "../../gpu/profile";
import { attentionKey, chooseAttention } from "../../kernels/attention-variants";
import { codeOf } from "../../kernels/dispatch";
import { lanesOf } from "../../kernels/lanes";
import { pad32 } from "../../kernels/layer";
import { chooseLinear } from "../../kernels/linear";
import { linearKey } from "../../kernels/tuning";
import type { ModelConfig } from "../../model/config";
import { attentionTrial, attentionWays } from "../trials/cache-trials";
import { type LinearLayer, linearTrial, linearWays } from "../trials/linear-trial";
import { attentionCandidates, attentionQuery, cacheSize, linearCandidates } from "../trials/model-trials";
import type { Trial, Way } from "../trials/trial";

export interface TuningSubject {
  /** As `kernels/tuning.ts` writes it. */
  readonly key: string;
  readonly role: string;
  /** What runs without a tuning. */
  readonly before: string;
  /** Ids beside it. */
  readonly others: readonly string[];
  /** Made when it is asked for: it takes memory, and a reference to be computed. */
  readonly trial: () => Trial;
  /** Code of every candidate, the default's too. */
  readonly codes: () => readonly { readonly id: string; readonly code: string }[];
}

/** A linear layer, and how many of its shape a forward has. */
export type TunedLayer = LinearLayer & { readonly calls?: number };

export interface SubjectOptions {
  /** Classes of rows, in the order in which they are tuned; each one of ROW_CLASSES. */
  readonly rows: readonly number[];
  /** Variants too that round inputs to f16 or to bytes. */
  readonly approximate: boolean;
}

const codesOf = (ways: readonly Way[]) =>
  ways.map(({ id, steps }) => ({ id, code: steps.map(({ kernel }) => codeOf(kernel)).join("\n") }));

/**
 * Linear layers as subjects, each class once: rows by rows, in each the layer with most weights first, so that what is decided when time runs out is what counts.
 */
export function linearSubjects(profile: DeviceProfile, layers: readonly TunedLayer[], options: SubjectOptions): TuningSubject[] {
  const lanes = lanesOf(profile);
  const weight = ({ inFeatures, outFeatures, calls = 1 }: TunedLayer): number => inFeatures * outFeatures * calls;
  const bySize = [...layers].sort((a, b) => weight(b) - weight(a));
  const subjects = new Map<string, TuningSubject>();
  for (const rows of options.rows) {
    for (const layer of bySize) {
      const { format, outFeatures } = layer;
      const query = { format, rows, inFeatures: pad32(layer.inFeatures), outFeatures };
      const key = linearKey(query);
      if (subjects.has(key)) continue;
      const before = chooseLinear(profile, {}, query);
      const others = linearCandidates(profile, layer, options.approximate ? "all" : "exact").filter(({ id }) => id !== before.id);
      const variants = [before, ...others];
      const trial = () => linearTrial(layer, rows, { variants, lanes });
      subjects.set(key, {
        key,
        role: layer.role,
        before: before.id,
        others: others.map(({ id }) => id),
        trial,
        codes: () => codesOf(linearWays(layer, { variants, lanes })),
      });
    }
  }
  return [...subjects.values()];
}

/** Keys that attention is tuned at: one number within each class but the longest, whose cache few have room for. */
const TUNED_KEYS = [64, 256, 1024];

/** Attention of a model as subjects, at each number of rows with few keys and with many. */
export function attentionSubjects(profile: DeviceProfile, config: ModelConfig, options: SubjectOptions): TuningSubject[] {
  const lanes = lanesOf(profile);
  const subjects = new Map<string, TuningSubject>();
  for (const rows of options.rows) {
    for (const keys of TUNED_KEYS) {
      const size = cacheSize(config, { rows, keys });
      const query = attentionQuery(size);
      const key = attentionKey(query);
      if (subjects.has(key)) continue;
      const before = chooseAttention(profile, {}, query);
      const others = attentionCandidates(profile, query, options.approximate ? "all" : "exact").filter(
        ({ id }) => id !== before.id,
      );
      const choices = { variants: [before, ...others], lanes };
      subjects.set(key, {
        key,
        role: "attention",
        before: before.id,
        others: others.map(({ id }) => id),
        trial: () => attentionTrial(size, choices),
        codes: () => codesOf(attentionWays(size, choices)),
      });
    }
  }
  return [...subjects.values()];
}
