/** One generation: a decoder run to its end, with text streamed, stop strings watched, forwards and costs counted. */
import { ensure } from "../errors";
import type { EngineCounts, Player } from "../model/engine";
import { StreamDetokenizer } from "../text/detokenizer";
import { StopMatcher } from "../text/stop";
import type { Tokenizer } from "../text/tokenizer";
import { createConstraint, type TokenConstraint } from "./constraint";
import { PASSES_PER_SUBMIT } from "./decoder";
import type { Resolved } from "./resolve";
import { countKinds, type Forwarded, runDecoder } from "./runner";
import type { SpeculationTally } from "./speculative";
import type {
  FinishReason,
  ForwardTrace,
  GenerationResult,
  Revealed,
  SpeculationResult,
  Step,
  Timings,
  TokenLogprob,
} from "./step";

export interface GenerationOptions {
  readonly signal?: AbortSignal | undefined;
  readonly trace?: boolean | undefined;
  /** Number of the answer among several to one prompt, whose draws are apart. */
  readonly sequence?: number | undefined;
  /** Runs the passes of a speculation's other model. */
  readonly assistant?: Player | undefined;
  /** Sees every forward with its dispatches, dropped ones too: how a profile listens. */
  readonly onForward?: ((forward: Forwarded, dropped: boolean) => void) | undefined;
}

/** Follows the known beginning of the answer and turns it into text. */
class TextFollower {
  readonly #detokenizer: StreamDetokenizer | null;
  readonly #matcher: StopMatcher;
  #taken = 0;
  text = "";

  constructor(tokenizer: Tokenizer | null, stopStrings: readonly string[]) {
    ensure(tokenizer || stopStrings.length === 0, "no-tokenizer", "stop: stop strings need a tokenizer; give stopIds");
    this.#detokenizer = tokenizer ? new StreamDetokenizer(tokenizer) : null;
    this.#matcher = new StopMatcher(stopStrings);
  }

  get stopped(): boolean {
    return this.#matcher.stopped !== null;
  }

  /** Takes the ids known from the answer's beginning; returns what the text gained. */
  take(known: readonly number[]): string {
    const fresh = known.slice(this.#taken);
    this.#taken = known.length;
    return this.#gain(this.#matcher.push(this.#detokenizer?.push(fresh) ?? "").text);
  }

  finish(): string {
    const tail = this.#matcher.push(this.#detokenizer?.finish() ?? "").text;
    return this.#gain(tail + this.#matcher.finish().text);
  }

  #gain(delta: string): string {
    this.text += delta;
    return delta;
  }
}

interface Tally {
  nfe: number;
  dropped: number;
  forwards: Forwarded[];
  flops: number;
  bytes: number;
  dispatches: number;
}

const msPerSecond = (count: number, ns: number): number => (ns > 0 ? (count * 1e9) / ns : 0);

function timingsOf(
  clock: { begun: number; first: number; prefilled: number; ended: number },
  promptTokens: number,
  tokens: number,
): Timings {
  const prefillNs = clock.prefilled - clock.begun;
  const decodeNs = clock.ended - clock.prefilled;
  return {
    ttftNs: clock.first - clock.begun,
    prefillNs,
    decodeNs,
    wallNs: clock.ended - clock.begun,
    prompt_n: promptTokens,
    prompt_ms: prefillNs / 1e6,
    prompt_per_second: msPerSecond(promptTokens, prefillNs),
    predicted_n: tokens,
    predicted_ms: decodeNs / 1e6,
    predicted_per_second: msPerSecond(tokens, decodeNs),
  };
}

/** Runs a resolved generation. Yields a step after every submit; returns the result. */
export async function* generate(
  engine: Player,
  tokenizer: Tokenizer | null,
  resolved: Resolved,
  options: GenerationOptions = {},
): AsyncGenerator<Step, GenerationResult, void> {
  const { constrained } = resolved;
  if (!constrained) return yield* run(engine, tokenizer, resolved, options);
  ensure(tokenizer, "no-tokenizer", "constraint: what tokens spell is told by a tokenizer, and this checkpoint has none");
  const constraint = await createConstraint(constrained.constraint, { ...constrained, vocabulary: tokenizer.vocabulary() });
  try {
    return yield* run(engine, tokenizer, resolved, { ...options, constraint });
  } finally {
    constraint.dispose();
  }
}

async function* run(
  engine: Player,
  tokenizer: Tokenizer | null,
  resolved: Resolved,
  options: GenerationOptions & { readonly constraint?: TokenConstraint },
): AsyncGenerator<Step, GenerationResult, void> {
  const { canvas, sampling, stopIds, metric, answerLength } = resolved;
  const { promptLength } = canvas;
  const follower = new TextFollower(tokenizer, resolved.stopStrings);
  const { constraint } = options;
  const { maxRows, slots } = engine;
  const decoder = resolved.decoder({ canvas, stopIds, maxRows, slots, passesPerSubmit: PASSES_PER_SUBMIT, constraint });
  const tally: Tally = { nfe: 0, dropped: 0, forwards: [], flops: 0, bytes: 0, dispatches: 0 };
  const { assistant } = options;
  const before = countsOf(engine, assistant);
  const now = (): number => performance.now() * 1e6;
  const clock = { begun: now(), first: 0, prefilled: 0, ended: 0 };
  /** The last that was revealed at each place. */
  const told = new Map<number, Revealed>();
  let rows = 0;
  const count = (forward: Forwarded, dropped: boolean): void => {
    for (const { flops, bytes } of forward.dispatches) {
      tally.flops += flops;
      tally.bytes += bytes;
    }
    tally.dispatches += forward.dispatches.length;
    options.onForward?.(forward, dropped);
    if (dropped) {
      tally.dropped += forward.forwards;
      return;
    }
    tally.forwards.push(forward);
    tally.nfe += forward.forwards;
    rows += forward.computed;
  };
  for await (const { forwards, dropped, revealed } of runDecoder(engine, decoder, {
    ...resolved,
    assistant: assistant && resolved.other && { engine: assistant, ...resolved.other },
    metric,
    sampling,
    signal: options.signal,
    sequence: options.sequence,
  })) {
    for (const forward of forwards) count(forward, false);
    for (const forward of dropped) count(forward, true);
    for (const reveal of revealed) told.set(reveal.position, reveal);
    if (revealed.length > 0 && clock.first === 0) clock.first = now();
    if (clock.prefilled === 0 || (forwards.length > 0 && forwards.every(({ kind }) => kind === "prefill")))
      clock.prefilled = now();
    const delta = follower.take(knownAnswer(canvas.tokens, resolved));
    yield { canvas: [...canvas.tokens], revealed, text: follower.text, delta, forwards: tally.nfe, rows };
    if (follower.stopped) break;
  }
  clock.ended = now();
  const after = countsOf(engine, assistant);
  const stop = canvas.stopIndex(stopIds);
  const ids = knownAnswer(canvas.tokens, resolved);
  const aborted = options.signal?.aborted === true && stop < 0 && ids.length < answerLength;
  const rest = follower.finish();
  if (rest) yield { canvas: [...canvas.tokens], revealed: [], text: follower.text, delta: rest, forwards: tally.nfe, rows };
  const finishReason: FinishReason =
    aborted && !follower.stopped
      ? "abort"
      : follower.stopped || constraint?.complete || (stop >= 0 && stop < promptLength + answerLength)
        ? "stop"
        : "length";
  const tokens = ids.length;
  const perToken = Math.max(1, tokens);
  const perForward = Math.max(1, tally.nfe);
  const { begun, ended } = clock;
  const timings = timingsOf(
    { begun, ended, first: clock.first || ended, prefilled: clock.prefilled || ended },
    promptLength,
    tokens,
  );
  return {
    ids,
    canvas: [...canvas.tokens],
    text: follower.text,
    finishReason,
    usage: { promptTokens: promptLength, completionTokens: tokens, totalTokens: promptLength + tokens },
    timings,
    forwards: tally.nfe,
    forwardsByKind: countKinds(tally.forwards),
    tokensPerForward: tokens / perForward,
    rowsPerForward: rows / perForward,
    tokensPerSecond: msPerSecond(tokens, timings.wallNs),
    flopsPerToken: tally.flops / perToken,
    bytesPerToken: tally.bytes / perToken,
    arithmeticIntensity: tally.bytes > 0 ? tally.flops / tally.bytes : 0,
    dispatches: tally.dispatches,
    submits: after.submits - before.submits,
    readbacks: after.readbacks - before.readbacks,
    bytesRead: after.bytesRead - before.bytesRead,
    droppedForwards: tally.dropped,
    ...(resolved.logprobs ? { logprobs: ids.map((id, i) => logprobOf(id, told.get(promptLength + i))) } : {}),
    ...(resolved.speculation ? { speculation: speculationOf(resolved.speculation) } : {}),
    ...(options.trace ? { trace: tally.forwards.map(traceOf) } : {}),
  };
}

/** Counts so far, those of a speculation's other model too. */
function countsOf(engine: Player, assistant: Player | undefined): Pick<EngineCounts, "submits" | "readbacks" | "bytesRead"> {
  const both = [engine.counts, ...(assistant ? [assistant.counts] : [])];
  const sum = (of: (counts: EngineCounts) => number): number => both.reduce((total, counts) => total + of(counts), 0);
  return { submits: sum((c) => c.submits), readbacks: sum((c) => c.readbacks), bytesRead: sum((c) => c.bytesRead) };
}

const speculationOf = (tally: SpeculationTally): SpeculationResult => ({
  ...tally,
  acceptanceRate: tally.drafted > 0 ? tally.accepted / tally.drafted : 0,
});

/** Given tokens of a canvas, and those that a policy put there against the model's proposal, have no log-probability. */
const logprobOf = (id: number, revealed: Revealed | undefined): TokenLogprob => ({
  id,
  logProbability: revealed?.logProbability ?? Number.NaN,
  top: revealed?.top ?? [],
});

const traceOf = ({ kind, rows, revealed, forwards }: Forwarded): ForwardTrace => ({
  kind,
  rows,
  revealed,
  ...(forwards > 1 ? { forwards } : {}),
});

/** The answer's known beginning: up to the first mask, a stop id (kept) or its length. */
function knownAnswer(tokens: readonly number[], { canvas, stopIds, answerLength }: Resolved): number[] {
  const ids: number[] = [];
  for (const id of tokens.slice(canvas.promptLength, canvas.promptLength + answerLength)) {
    if (id === canvas.maskId) break;
    ids.push(id);
    if (stopIds.has(id)) break;
  }
  return ids;
}
