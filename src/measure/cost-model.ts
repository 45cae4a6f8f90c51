/** What a whole generation costs, in closed form: FLOP, bytes and dispatches of every phase, and the throughput that two roofs allow. */
import type { ModelConfig } from "../model/config";
import { forwardFlops } from "./cost";
import type { Layout } from "./layout";
import { type AnswerShape, bodyBytes, bodyDispatches, headBytes, headDispatches, splitCost } from "./traffic";
import { passesOf, type Workload, type WorkPass, type WorkPhase } from "./workload";

/** Work of some forwards. */
export interface Cost {
  readonly forwards: number;
  readonly rows: number;
  readonly flops: number;
  readonly bytes: number;
  readonly dispatches: number;
  /** FLOP/byte. */
  readonly intensity: number;
}

/** Work of a generation. */
export interface GenerationCost extends Cost {
  readonly phases: Readonly<Partial<Record<WorkPhase, Cost>>>;
  /** Tokens made, all sequences together. */
  readonly tokens: number;
  /** Over the whole generation, prompt processing included. */
  readonly flopsPerToken: number;
  readonly bytesPerToken: number;
}

/** Two roofs, and the time that a dispatch takes whatever it does. */
export interface Roofs {
  /** FLOP/ns. */
  readonly flopsPerNs: number;
  /** byte/ns. */
  readonly bytesPerNs: number;
  /** Default 0. */
  readonly dispatchNs?: number;
}

/** What roofs make of a cost. */
export interface Prediction {
  /** Least time, ns. */
  readonly ns: number;
  readonly tokensPerSecond: number;
  /** FLOP/ns over the whole. */
  readonly flopsPerNs: number;
  readonly boundBy: "compute" | "memory" | "launch";
}

const NOTHING: Cost = { forwards: 0, rows: 0, flops: 0, bytes: 0, dispatches: 0, intensity: 0 };

function add(a: Cost, b: Cost): Cost {
  const [flops, bytes] = [a.flops + b.flops, a.bytes + b.bytes];
  return {
    forwards: a.forwards + b.forwards,
    rows: a.rows + b.rows,
    flops,
    bytes,
    dispatches: a.dispatches + b.dispatches,
    intensity: bytes > 0 ? flops / bytes : 0,
  };
}

/** Work of forwards that are alike; `groups` sequences are revealed apart, `batch` are computed together. */
export function costOfPasses(
  config: ModelConfig,
  layout: Layout,
  pass: WorkPass,
  { groups = 1, batch = 1, ...answer }: AnswerShape & { readonly groups?: number; readonly batch?: number } = {},
): Cost {
  const { forwards, rows, visible, answered } = pass;
  const emitted = answered.reduce((sum, count) => sum + count, 0);
  const flops = forwardFlops(config, { rows: forwards * rows, visible, emitted });
  const heads = answered.reduce((sum, count) => sum + headBytes(config, layout, count, answer), 0);
  // Sequences of a batch lie apart in the cache.
  const split = (keys: number) => splitCost(config, rows, layout.attentionParts(rows, keys, batch > 1));
  const alike = pass.keys ? pass.keys.map(split) : Array.from({ length: forwards }, () => split(visible / (forwards * rows)));
  const bytes = bodyBytes(config, layout, pass) + heads + alike.reduce((sum, more) => sum + more.bytes, 0);
  const dispatches =
    alike.reduce((sum, more) => sum + more.dispatches, 0) +
    forwards * bodyDispatches(config, layout, rows) +
    answered.reduce((sum, count) => sum + headDispatches(layout, count, groups, answer), 0);
  return { forwards, rows: forwards * rows, flops, bytes, dispatches, intensity: flops / bytes };
}

/** Work of a generation on a model. Throws as {@link passesOf}. */
export function generationCost(
  config: ModelConfig,
  layout: Layout,
  workload: Workload,
  answer: AnswerShape = {},
): GenerationCost {
  const { batch, genLength } = workload;
  const phases: Partial<Record<WorkPhase, Cost>> = {};
  for (const pass of passesOf(workload)) {
    // Sequences of which every answer is taken need no reveal of their own.
    const apart = pass.phase === "denoise" || pass.phase === "refresh";
    const cost = costOfPasses(config, layout, pass, { ...answer, groups: apart ? batch : 1, batch });
    phases[pass.phase] = add(phases[pass.phase] ?? NOTHING, cost);
  }
  const total = Object.values(phases).reduce(add, NOTHING);
  const tokens = batch * genLength;
  return { ...total, phases, tokens, flopsPerToken: total.flops / tokens, bytesPerToken: total.bytes / tokens };
}

/** FLOP/ns that roofs allow at an intensity in FLOP/byte. */
export const attainableUnder = ({ flopsPerNs, bytesPerNs }: Roofs, intensity: number): number =>
  Math.min(flopsPerNs, intensity * bytesPerNs);

/** FLOP/byte at which the roofs meet. */
export const ridgeOf = ({ flopsPerNs, bytesPerNs }: Roofs): number => flopsPerNs / bytesPerNs;

/** The least time of some work, and what sets it. */
function leastTime({ flops, bytes, dispatches }: Cost, { flopsPerNs, bytesPerNs, dispatchNs = 0 }: Roofs) {
  const [compute, memory, launch] = [flops / flopsPerNs, bytes / bytesPerNs, dispatches * dispatchNs];
  const work = Math.max(compute, memory);
  return { ns: work + launch, compute: compute >= memory ? work : 0, memory: compute < memory ? work : 0, launch };
}

/**
 * Throughput = attainable FLOP/s ÷ FLOP a token, phase by phase: a phase is as fast as the roof at its own intensity lets it, and phases follow one
 * another. What binds is what most of the time goes to.
 */
export function predict(cost: GenerationCost, roofs: Roofs): Prediction {
  const times = Object.values(cost.phases).map((phase) => leastTime(phase, roofs));
  const total = (name: "ns" | "compute" | "memory" | "launch"): number => times.reduce((sum, time) => sum + time[name], 0);
  const ns = total("ns");
  const boundBy = (["compute", "memory", "launch"] as const).reduce((best, name) => (total(name) > total(best) ? name : best));
  return { ns, tokensPerSecond: cost.tokens / (ns / 1e9), flopsPerNs: cost.flops / ns, boundBy };
}
