/** Selection rules: which answers of a step are revealed. Here as data; `reveal.wgsl` carries them out, the host where a rule is a function. */
import type { Metric, Reveal } from "../model/pass";
import type { HostRule } from "./host-rule";

export type Selection =
  | { readonly rule: "schedule"; readonly metric: Metric }
  | { readonly rule: "sequential"; readonly metric: Metric }
  | { readonly rule: "threshold"; readonly threshold: number; readonly strict: boolean; readonly metric: Metric }
  | { readonly rule: "dynamic"; readonly threshold: number; readonly metric: Metric }
  | { readonly rule: "factor"; readonly factor: number; readonly metric: Metric }
  | { readonly rule: "eb"; readonly gamma: number; readonly metric: Metric }
  | { readonly rule: "host"; readonly host: HostRule; readonly metric: Metric };

/** The rule of one step; `count` is the schedule's number, for rules that have one. */
export function revealOf(selection: Selection, count: number): Reveal {
  const { metric } = selection;
  switch (selection.rule) {
    case "schedule":
      return { rule: "count", count, metric };
    case "sequential":
      return { rule: "sequential", count, metric };
    case "threshold":
      return { rule: "threshold", bound: selection.threshold, strict: selection.strict, metric };
    case "dynamic":
      return { rule: "dynamic", bound: selection.threshold, strict: true, count, metric };
    case "factor":
      return { rule: "factor", bound: selection.factor, metric };
    case "eb":
      return { rule: "entropy-bound", bound: selection.gamma, metric };
    case "host":
      return { rule: "none" };
  }
}

/** Rules that reveal as many places as a schedule says. */
export const isScheduled = ({ rule }: Selection): boolean => rule === "schedule" || rule === "sequential" || rule === "dynamic";
