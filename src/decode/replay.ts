/** Replays a golden trajectory: case file → decoder → passes, compared where the case says what to expect. The format is `test/goldens/README.md` §2. */
import { ensure, RidgepointError } from "../errors";
import type { Engine } from "../model/engine";
import { GREEDY, type Metric } from "../model/pass";
import { autoregressive } from "./autoregressive";
import { blockDiffusion } from "./block-diffusion";
import { Canvas, NO_TOKEN } from "./canvas";
import { type DecoderContext, PASSES_PER_SUBMIT } from "./decoder";
import { maskedDiffusion } from "./masked-diffusion";
import { type Prepared, prepareOptions } from "./replay-options";
import { countKinds, type Forwarded, runDecoder } from "./runner";
import { dllmSchedule, dreamSchedule, lladaSchedule } from "./schedule";
import type { Selection } from "./selection";
import { shiftedBlockDiffusion } from "./shifted-block-diffusion";
import type { ForwardKind } from "./step";

type CommittedEntry = readonly [position: number, id: number, value: number];

interface ExpectedPass {
  readonly kind: ForwardKind;
  readonly rows: readonly number[];
  readonly committed: readonly CommittedEntry[];
  /** 2 with guidance, else absent. */
  readonly forwards?: number;
}

/** A case file. Expected fields (`passes`, `final`, `output`, `nfe`) may be absent. */
export interface ReplayCase {
  readonly case?: string;
  readonly algorithm: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly mask_id: number | null;
  readonly suppress?: readonly number[];
  readonly prompt: readonly number[];
  readonly canvas?: readonly number[];
  readonly passes?: readonly ExpectedPass[];
  readonly final?: readonly number[];
  readonly output?: readonly number[];
  readonly nfe?: number;
}

export interface ReplayResult {
  readonly case: string;
  readonly passes: readonly ExpectedPass[];
  readonly final: readonly number[];
  readonly output: readonly number[];
  readonly nfe: number;
  readonly nfe_by_kind: Readonly<Partial<Record<ForwardKind, number>>>;
  /** Absent where the case expects nothing. */
  readonly equal?: boolean;
  readonly firstDifference?: string;
}

/** Greatest difference of a ranking value. */
const VALUE_TOLERANCE = 1e-3;

class Params {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  number(name: string, fallback?: number): number {
    const value = this.#values[name] ?? fallback;
    ensure(typeof value === "number", "bad-option", `replay: params.${name}: expected a number, came ${JSON.stringify(value)}`);
    return value;
  }

  text(name: string, fallback?: string): string {
    const value = this.#values[name] ?? fallback;
    ensure(typeof value === "string", "bad-option", `replay: params.${name}: expected a string, came ${JSON.stringify(value)}`);
    return value;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  ids(name: string): number[] {
    const value = this.#values[name] ?? [];
    ensure(Array.isArray(value), "bad-option", `replay: params.${name}: expected a list of ids`);
    return value as number[];
  }

  get metric(): Metric {
    const names: Record<string, Metric> = {
      confidence: "confidence",
      maskgit_plus: "confidence",
      entropy: "entropy",
      topk_margin: "margin",
    };
    const name = this.text("alg", this.text("metric", "confidence"));
    const metric = names[name];
    ensure(metric, "bad-option", `replay: metric ${name}: expected ${Object.keys(names).join(", ")}`);
    return metric;
  }

  get selection(): Selection {
    const { metric } = this;
    const select = new Params((this.#values.select ?? { rule: "schedule" }) as Record<string, unknown>);
    const rule = select.text("rule");
    switch (rule) {
      case "schedule":
      case "sequential":
        return { rule, metric };
      case "threshold":
        return { rule, threshold: select.number("threshold"), strict: select.flag("strict"), metric };
      case "dynamic":
        return { rule, threshold: select.number("threshold"), metric };
      case "factor":
        return { rule, factor: select.number("factor"), metric };
      case "eb":
        return { rule, gamma: select.number("gamma"), metric };
      default:
        throw new RidgepointError(
          "bad-option",
          `replay: select.rule ${rule}: expected schedule, sequential, threshold, dynamic, factor or eb`,
        );
    }
  }
}

function prepare(engine: Engine, c: ReplayCase): Prepared {
  const p = new Params(c.params);
  const { selection } = p;
  const stopIds = new Set(p.ids("stop"));
  const maskId = c.mask_id ?? NO_TOKEN;
  const P = c.prompt.length;
  const canvas = (length: number): Canvas => {
    const made = new Canvas(c.canvas ?? c.prompt, P, maskId);
    made.extend(length);
    return made;
  };
  switch (c.algorithm) {
    case "ar": {
      const maxNewTokens = p.number("max_new_tokens");
      const decoder = (context: DecoderContext) => autoregressive(context, { maxNewTokens, tokensPerSubmit: 4 });
      return { decoder, canvas: canvas(P), stopIds, outputLength: maxNewTokens };
    }
    case "llada":
    case "mdlm": {
      const genLength = p.number("gen_length");
      const blockLength = p.number("block_length");
      const blocks = Math.ceil(genLength / blockLength);
      const steps = selection.rule === "schedule" ? p.number("steps") : 0;
      const schedule = (masks: number): number[] =>
        p.text("schedule") === "dllm"
          ? dllmSchedule(masks, Math.ceil(steps / blocks))
          : lladaSchedule(masks, Math.floor(steps / blocks));
      const guidance = p.number("cfg_scale", 0);
      const cache = p.text("cache", "none") as "none" | "prefix" | "dual";
      const decoder = (context: DecoderContext) =>
        maskedDiffusion(context, {
          blockLength,
          cache,
          refresh: p.number("refresh", 0),
          guidance,
          shift: p.flag("shift"),
          selection,
          schedule: steps > 0 ? schedule : null,
          earlyStop: false,
        });
      return { decoder, canvas: canvas(P + genLength), stopIds, outputLength: genLength };
    }
    case "dream": {
      const genLength = p.number("gen_length");
      const settings = { eps: p.number("eps", 1e-3), clamp: p.flag("clamp") };
      const decoder = (context: DecoderContext) =>
        maskedDiffusion(context, {
          blockLength: genLength,
          cache: "none",
          refresh: 0,
          guidance: 0,
          shift: true,
          selection: { rule: "schedule", metric: p.metric },
          schedule: (masks) => dreamSchedule(masks, p.number("steps"), settings),
          earlyStop: false,
        });
      return { decoder, canvas: canvas(P + genLength), stopIds, outputLength: genLength };
    }
    case "block-diffusion": {
      const genLength = p.number("gen_length");
      const blockLength = p.number("block_length");
      const steps = p.number("steps_per_block", 0);
      const schedule = (masks: number): number[] =>
        p.text("schedule") === "dllm" ? dllmSchedule(masks, steps) : lladaSchedule(blockLength, steps);
      const decoder = (context: DecoderContext) =>
        blockDiffusion(context, {
          blockLength,
          gridOffset: p.number("grid_offset", 0),
          selection,
          schedule: steps > 0 ? schedule : null,
          commitLast: true,
          earlyStop: false,
        });
      return { decoder, canvas: canvas(P + genLength), stopIds, outputLength: genLength };
    }
    case "fast-dllm-v2": {
      const maxNewTokens = p.number("max_new_tokens");
      const decoder = (context: DecoderContext) =>
        shiftedBlockDiffusion(context, {
          blockLength: p.number("bd_size"),
          subBlockLength: p.number("small_block_size"),
          subBlockCache: p.flag("use_block_cache"),
          blocks: Math.ceil(maxNewTokens / p.number("bd_size")),
          selection: { rule: "threshold", threshold: p.number("threshold"), strict: p.flag("strict"), metric: "confidence" },
          schedule: null,
        });
      return { decoder, canvas: canvas(P), stopIds, outputLength: maxNewTokens };
    }
    case "generate":
      return prepareOptions(engine, c);
    default:
      throw new RidgepointError(
        "bad-option",
        `replay: algorithm ${c.algorithm}: expected ar, llada, mdlm, dream, block-diffusion, fast-dllm-v2 or generate`,
      );
  }
}

const asPass = ({ kind, rows, revealed, forwards }: Forwarded): ExpectedPass => ({
  kind,
  rows,
  ...(forwards > 1 ? { forwards } : {}),
  committed: revealed.map(({ position, id, confidence }) => [position, id, confidence]),
});

/** The first thing that differs, in words, or null. */
function difference(c: ReplayCase, result: Omit<ReplayResult, "case">): string | null {
  for (const [i, expected] of (c.passes ?? []).entries()) {
    const came = result.passes[i];
    if (!came) return `pass ${i}: expected ${expected.kind}, came nothing`;
    if (came.kind !== expected.kind) return `pass ${i}: expected kind ${expected.kind}, came ${came.kind}`;
    if (came.rows.join() !== expected.rows.join())
      return `pass ${i}: expected rows ${expected.rows.join()}, came ${came.rows.join()}`;
    const brief = (list: readonly CommittedEntry[]): string => list.map(([position, id]) => `${position}=${id}`).join(" ");
    if (brief(came.committed) !== brief(expected.committed)) {
      return `pass ${i}: expected ${brief(expected.committed)}, came ${brief(came.committed)}`;
    }
    for (const [j, [position, , value]] of expected.committed.entries()) {
      const [, , got] = came.committed[j] as CommittedEntry;
      if (!(Math.abs(got - value) <= VALUE_TOLERANCE)) return `pass ${i}: value at ${position}: expected ${value}, came ${got}`;
    }
  }
  if (c.passes && result.passes.length !== c.passes.length)
    return `expected ${c.passes.length} passes, came ${result.passes.length}`;
  if (c.final && c.final.join() !== result.final.join()) return `final: expected ${c.final.join()}, came ${result.final.join()}`;
  if (c.output && c.output.join() !== result.output.join())
    return `output: expected ${c.output.join()}, came ${result.output.join()}`;
  if (c.nfe !== undefined && c.nfe !== result.nfe) return `nfe: expected ${c.nfe}, came ${result.nfe}`;
  return null;
}

/**
 * Runs a case on an engine whose model is the case's.
 * @throws `bad-option` for an unknown algorithm or a parameter that is missing
 */
export async function replay(engine: Engine, c: ReplayCase, signal?: AbortSignal): Promise<ReplayResult> {
  const { decoder, canvas, stopIds, outputLength } = prepare(engine, c);
  const params = new Params(c.params);
  const { metric } = params;
  const guided = params.number("cfg_scale", 0) > 0;
  const sampling = { ...GREEDY, suppress: c.suppress ?? [] };
  const forwards: Forwarded[] = [];
  const { maxRows, slots } = engine;
  const running = decoder({ canvas, stopIds, maxRows, slots, passesPerSubmit: PASSES_PER_SUBMIT });
  for await (const progress of runDecoder(engine, running, { canvas, sampling, stopIds, metric, guided, signal }))
    forwards.push(...progress.forwards);
  const stop = canvas.stopIndex(stopIds);
  const answer = canvas.tokens.slice(canvas.promptLength, stop >= 0 ? stop + 1 : undefined);
  const result = {
    passes: forwards.map(asPass),
    final: canvas.tokens,
    output: answer.slice(0, outputLength),
    nfe: forwards.reduce((sum, { forwards: count }) => sum + count, 0),
    nfe_by_kind: countKinds(forwards),
  };
  const name = c.case ?? c.algorithm;
  if (!c.passes && !c.final && !c.output && c.nfe === undefined) return { case: name, ...result };
  const firstDifference = difference(c, result);
  return { case: name, ...result, equal: firstDifference === null, ...(firstDifference ? { firstDifference } : {}) };
}
