/** The table of decoding policies: a new one is a file and a line here. */
import { ensure } from "../../errors";
import { credit } from "./credit";
import { editing } from "./editing";
import { eosLast } from "./eos-last";
import { firstHitting } from "./first-hitting";
import { hierarchical, hierarchicalRemask } from "./hierarchical";
import { klass } from "./klass";
import { nearTie } from "./near-ties";
import { p2 } from "./path-planning";
import { pipelined } from "./pipelined";
import type { DecoderPolicy, OptionsOf, Policy } from "./policy";
import { remdmCap, remdmConfidence, remdmRescale } from "./remdm";
import { saber } from "./saber";
import { wino } from "./wino";

const RULES = [
  nearTie,
  eosLast,
  hierarchical,
  hierarchicalRemask,
  credit,
  klass,
  firstHitting,
  remdmCap,
  remdmRescale,
  remdmConfidence,
  p2,
  editing,
  saber,
] as const;
const DECODERS = [wino, pipelined] as const;
const ALL: readonly (Policy | DecoderPolicy)[] = [...RULES, ...DECODERS];

export type PolicyOptions = OptionsOf<(typeof RULES)[number]> | OptionsOf<(typeof DECODERS)[number]>;
export type PolicyName = PolicyOptions["name"];

export const isDecoder = (policy: Policy | DecoderPolicy): policy is DecoderPolicy => "decoder" in policy;

/** Names of all policies, for help and errors. */
export const POLICY_NAMES: readonly string[] = ALL.map(({ name }) => name);

/** @throws `bad-option` for a name that is none */
export function policyNamed(name: unknown): Policy | DecoderPolicy {
  const found = ALL.find((policy) => policy.name === name);
  ensure(found, "bad-option", () => `policy: expected ${POLICY_NAMES.join(", ")}, came ${JSON.stringify(name) ?? name}`);
  return found;
}
