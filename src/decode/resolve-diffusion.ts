/** What resolving masked and block diffusion has in common: lengths that divide, rules and schedules out of options. */
import { ensure } from "../errors";
import { METRICS, type PresetRules } from "./check-options";
import type { Denoising } from "./denoise";
import type { GenerateOptions } from "./options";
import { isDecoder, policyNamed } from "./policies/index";
import { type DecoderPolicy, type Policy, valuesOf } from "./policies/policy";
import type { PromptIds, ResolveContext, Resolved } from "./resolve";
import { dllmSchedule, dreamSchedule, lladaSchedule, type ScheduleName } from "./schedule";
import { isScheduled, type Selection } from "./selection";

/** Options and prompt, checked as far as all families have it in common. */
export interface Made {
  readonly shared: Pick<Resolved, "sampling" | "stopIds" | "stopStrings" | "metric" | "logprobs">;
  readonly prompt: PromptIds;
  readonly promptLength: number;
  readonly rules: PresetRules;
  readonly context: ResolveContext;
  readonly options: GenerateOptions;
}

export const DEFAULT_GEN_LENGTH = 64;

/** Message of a `context-overflow`: tokens of the prompt, places more. */
export const overflow = (prompt: number, more: number, { contextLength }: ResolveContext): string =>
  `context: a prompt of ${prompt} tokens and ${more} new ones need ${prompt + more} positions, ${contextLength} are there; shorten the prompt or genLength, or load with a larger contextLength`;

/** Divides with no remainder, or says which option to change. */
export function divide(name: string, total: number, part: number, of: string): number {
  ensure(
    total % part === 0,
    "bad-option",
    () => `${name}: expected a multiple of ${of} ${part}, came ${total}; change one of them`,
  );
  return total / part;
}

/** A policy that was asked for, with its numbers. */
export interface AskedPolicy<P extends Policy | DecoderPolicy> {
  readonly policy: P;
  readonly values: Readonly<Record<string, number>>;
}

function asked({ policy }: GenerateOptions): AskedPolicy<Policy | DecoderPolicy> | null {
  if (policy === undefined) return null;
  const given = typeof policy === "string" ? { name: policy } : policy;
  const found = policyNamed(given.name);
  return { policy: found, values: valuesOf(found, given) };
}

/**
 * The decoder that the options' policy is, or null where it is a rule or none.
 * @throws `bad-option` when the model is not one that it is for, or when options are given that it does not look at
 */
export function decoderOf(
  { options, context: { config } }: Made,
  unused: readonly (keyof GenerateOptions)[],
): AskedPolicy<DecoderPolicy> | null {
  const made = asked(options);
  if (!made || !isDecoder(made.policy)) return null;
  const { policy, values } = made;
  ensure(
    config.family === policy.family && !config.shift,
    "bad-option",
    () =>
      `policy ${policy.name}: expected a model of family "${policy.family}" without shift, came "${config.family}"${config.shift ? " with shift" : ""}`,
  );
  const given = unused.filter((name) => options[name] !== undefined);
  ensure(
    given.length === 0,
    "bad-option",
    () => `${given.join(", ")}: policy ${policy.name} plans its own passes; leave out ${given.join(", ")}`,
  );
  return { policy, values };
}

function selectionOf({ options, rules: { strict }, shared: { sampling, stopIds } }: Made, blockLength: number): Selection {
  const metric = METRICS[options.remasking ?? "low_confidence"];
  const { threshold, factor, ebGamma, steps } = options;
  const made = asked(options);
  if (made && !isDecoder(made.policy))
    return made.policy.rule(made.values, { seed: sampling.seed, blockLength, stopIds, strict });
  if (threshold !== undefined && steps !== undefined) return { rule: "dynamic", threshold, metric };
  if (threshold !== undefined) return { rule: "threshold", threshold, strict, metric };
  if (factor !== undefined) return { rule: "factor", factor, metric };
  if (ebGamma !== undefined) return { rule: "eb", gamma: ebGamma, metric };
  return { rule: options.remasking === "sequential" ? "sequential" : "schedule", metric };
}

function schedules(name: ScheduleName, steps: number): (masks: number) => number[] {
  if (name === "dllm") return (masks) => dllmSchedule(masks, steps);
  if (name === "dream") return (masks) => dreamSchedule(masks, steps, { clamp: true });
  return (masks) => lladaSchedule(masks, steps);
}

/** How blocks are denoised; `subBlocks` of each block are scheduled apart. */
export function denoisingOf(
  made: Made,
  lengths: { genLength: number; blockLength: number; blocks: number; subBlocks?: number },
): Denoising {
  const { genLength, blockLength, blocks, subBlocks = 1 } = lengths;
  const selection = selectionOf(made, blockLength);
  if (!isScheduled(selection)) return { selection, schedule: null };
  const steps = made.options.steps ?? genLength;
  const perBlock = divide("steps", steps, blocks, "the number of blocks,");
  ensure(
    steps <= genLength,
    "bad-option",
    () => `steps: a forward reveals at least one token; expected at most genLength ${genLength}, came ${steps}`,
  );
  return { selection, schedule: schedules(made.rules.schedule, Math.max(1, Math.round(perBlock / subBlocks))) };
}
