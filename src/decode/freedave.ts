/**
 * Lossless self-speculation of a diffusion model (FreeDave, arXiv 2510.00294): the answers of one forward also say which steps would probably follow. The
 * states after those steps are copies of the computed rows, with cache rows of their own, in the next forward; a guessed step counts where the state
 * before it really takes that step. The tokens are those of the same schedule without guessing, in fewer forwards of more rows.
 */
import { ensure } from "../errors";
import type { PassResult } from "../model/engine";
import type { Answer, Metric, Row } from "../model/pass";
import type { Canvas } from "./canvas";
import type { PlannedPass, Write } from "./decoder";
import type { SpeculationTally } from "./speculative";

export interface SelfSpeculation {
  /** Most states of a forward, the true one included: 1 guesses nothing. */
  readonly states: number;
  /** Place and cache row from which on nothing else is. */
  readonly base: number;
  readonly tally: SpeculationTally;
}

/** A schedule's order: what `reveal.wgsl` ranks by, then the place. */
export interface StepOrder {
  readonly metric: Metric;
  readonly sequential: boolean;
  /** Places revealed by each step of the block. */
  readonly countOf: (step: number) => number;
}

type Step = readonly Write[];

const scoreOf = (metric: Metric, { doubt, entropy, margin }: Answer): number =>
  metric === "entropy" ? -entropy : metric === "margin" ? margin : -doubt;
const tracedValue = (metric: Metric, { confidence, entropy, margin }: Answer): number =>
  metric === "entropy" ? -entropy : metric === "margin" ? margin : confidence;

const sameStep = (a: Step, b: Step): boolean => {
  const ids = new Map(a.map(({ place, id }) => [place, id]));
  return a.length === b.length && b.every(({ place, id }) => ids.get(place) === id);
};

/** A guessed state, as rows. */
interface GuessedState {
  readonly rows: readonly Row[];
  readonly draft: readonly Write[];
  /** Place that each goal of the rows stands for. */
  readonly goals: ReadonlyMap<number, number>;
}

/** Rows that a guess can change: those that see a masked place. They must be all that lies behind the first of them. */
function changeable(rows: readonly Row[], canvas: Canvas): readonly Row[] {
  const firstMask = Math.min(...rows.filter(({ place }) => canvas.isMasked(place)).map(({ slot }) => slot));
  const changing = rows.filter(({ limit }) => limit > firstMask).sort((a, b) => a.slot - b.slot);
  const from = changing[0]?.slot ?? 0;
  const fits = changing.every(
    ({ slot, start, limit }, i) => slot === from + i && start === 0 && limit === from + changing.length,
  );
  ensure(
    fits,
    "bad-option",
    "self-speculation: expected passes that compute every row behind the first mask; use cache none or prefix",
  );
  return changing;
}

/** Denoises one block. */
export class SelfSpeculator {
  readonly #canvas: Canvas;
  readonly #speculation: SelfSpeculation;
  readonly #order: StepOrder;
  #guesses: readonly Step[] = [];

  constructor(canvas: Canvas, speculation: SelfSpeculation, order: StepOrder) {
    this.#canvas = canvas;
    this.#speculation = speculation;
    this.#order = order;
  }

  /** One forward, whose rows ask for every mask of the block; `step` steps were taken before. Returns how many it was worth, at least one. */
  *pass(planned: Omit<PlannedPass, "reveal">, step: number): Generator<readonly PlannedPass[], number, readonly PassResult[]> {
    const { tally, states, base } = this.#speculation;
    const guessed = this.#guessedStates(planned.rows);
    const rows = [...planned.rows, ...guessed.flatMap((state) => state.rows)];
    const draft = guessed.flatMap((state) => state.draft);
    const [{ answers }] = (yield [{ ...planned, rows, draft, reveal: { rule: "none" } }]) as [PassResult];
    const answersOf = [
      answers.filter(({ goal }) => goal < base),
      ...guessed.map(({ goals }) =>
        answers.filter(({ goal }) => goals.has(goal)).map((answer) => ({ ...answer, goal: goals.get(answer.goal) as number })),
      ),
    ];
    const taken: Step[] = [];
    const guesses = this.#guesses;
    for (const state of answersOf) {
      const [next = [], ...following] = this.#stepsOf(state, step + taken.length);
      this.#guesses = following.slice(0, states - 1);
      const right = sameStep(next, guesses[taken.length] ?? []);
      taken.push(next);
      if (!right) break;
    }
    tally.drafted += guessed.length;
    tally.accepted += taken.length - 1;
    if (guessed.length > 0) tally.verifyForwards++;
    yield [{ kind: planned.kind, rows: [], reveal: { rule: "none" }, write: taken.flat() }];
    return taken.length;
  }

  /** The answers of a state, cut into the steps that the schedule would take if every later forward agreed. */
  #stepsOf(answers: readonly Answer[], step: number): Step[] {
    const { metric, sequential, countOf } = this.#order;
    const rank = (a: Answer, b: Answer): number => (sequential ? 0 : scoreOf(metric, b) - scoreOf(metric, a)) || a.goal - b.goal;
    const ranked = [...answers].sort(rank);
    const steps: Step[] = [];
    while (ranked.length > 0) {
      const best = ranked.splice(0, Math.max(1, countOf(step + steps.length)));
      steps.push(best.map((answer) => ({ place: answer.goal, id: answer.id, confidence: tracedValue(metric, answer) })));
    }
    return steps;
  }

  /** The states after the guessed steps that leave masks, each behind the one before: they see what the true rows see before the first of them. */
  #guessedStates(rows: readonly Row[]): GuessedState[] {
    if (this.#guesses.length === 0) return [];
    const copied = changeable(rows, this.#canvas);
    const from = copied[0]?.slot ?? 0;
    const index = new Map(copied.map(({ place }, i) => [place, i]));
    const known = new Map<number, number>();
    const states: GuessedState[] = [];
    for (const guess of this.#guesses) {
      for (const { place, id } of guess) known.set(place, id);
      const base = this.#speculation.base + states.length * copied.length;
      const limit = base + copied.length;
      const goals = new Map<number, number>();
      const made = copied.map(({ position, goal }, i): Row => {
        const asked = goal !== null && !known.has(goal) ? base + (index.get(goal) as number) : null;
        if (asked !== null) goals.set(asked, goal as number);
        const seen = from > 0 ? { start: 0, hole: [from, base] as const } : { start: base };
        return { place: base + i, position, slot: base + i, limit, goal: asked, ...seen };
      });
      if (goals.size === 0) break;
      const draft = copied.map(({ place }, i) => ({
        place: base + i,
        id: known.get(place) ?? (this.#canvas.tokens[place] as number),
      }));
      states.push({ rows: made, draft, goals });
    }
    return states;
  }
}
