/**
 * Several runs on one engine, each with a stretch of the canvas and of the cache to itself: what they ask for at the same time is one forward over the
 * rows of all. A lane looks like an engine of its own, so whoever drives one knows nothing of the others. It does not know what the runs are.
 */
import { ensure } from "../errors";
import type { Dispatch } from "../kernels/dispatch";
import type { EngineCounts, PassResult, Player } from "./engine";
import type { Answer, Group, Guard, Pass, Row, Sampling } from "./pass";

/** What a lane waits for. */
interface Request {
  readonly passes: readonly Pass[];
  readonly sampling: Sampling;
  readonly maskId: number;
  readonly resolve: (results: PassResult[]) => void;
  readonly reject: (cause: unknown) => void;
}

/** One lane's share of a merged pass. */
interface Share {
  readonly lane: Lane;
  /** Which of the lane's passes. */
  readonly index: number;
  readonly pass: Pass;
}

const moved = ({ base, index, count }: Lane, { draw = 0, rows }: Pass): Row[] =>
  rows.map((row) => ({
    ...row,
    place: row.place + base,
    slot: row.slot + base,
    start: row.start + base,
    limit: row.limit + base,
    hole: row.hole && [row.hole[0] + base, row.hole[1] + base],
    goal: row.goal === null ? null : row.goal + base,
    // Draws are those of the lane's own run.
    draw: row.draw ?? draw,
    key: row.key ?? row.goal ?? 0,
    kept: row.kept && [index * row.kept[1] + row.kept[0], count * row.kept[1]],
    past: row.past && { start: row.past.start + base, answer: row.past.answer + base, limit: row.past.limit + base },
  }));

const guardIn = ({ base }: Lane, guard: Guard | undefined): Guard | undefined => guard && [guard[0] + base, guard[1] + base];

const goalsIn = (rows: readonly Row[]): number => rows.filter(({ goal }) => goal !== null).length;

/** One forward for the shares of several lanes. */
function merge(shares: readonly Share[]): Pass {
  const groups: Group[] = [];
  for (const { lane, pass } of shares) {
    const { reveal, likely, guard } = pass;
    const own = pass.groups ?? [{ answers: goalsIn(pass.rows), reveal, likely, guard }];
    groups.push(...own.map((group) => ({ ...group, guard: guardIn(lane, group.guard) })));
  }
  const answering = groups.filter(({ answers }) => answers > 0);
  const rules = new Set(answering.map(({ reveal }) => reveal.rule));
  const report = shares.every(({ pass }) => pass.report === "revealed") ? "revealed" : "all";
  const rows = shares.flatMap(({ lane, pass }) => moved(lane, pass));
  // Whoever takes all needs no group of its own.
  const guarded = answering.some(({ guard }) => guard);
  if (rules.size === 1 && rules.has("all") && !guarded) return { rows, reveal: { rule: "all" }, report };
  return { rows, reveal: { rule: "none" }, groups: answering, report };
}

/** A dispatch as the part of it that a lane's rows are. */
const shareOf = (dispatch: Dispatch, part: number): Dispatch => ({
  ...dispatch,
  flops: dispatch.flops * part,
  bytes: dispatch.bytes * part,
  loads: dispatch.loads * part,
});

export class Lane implements Player {
  readonly counts: EngineCounts = { submits: 0, readbacks: 0, bytesRead: 0, dispatches: 0 };
  readonly base: number;
  readonly slots: number;
  /** Which of so many lanes. */
  readonly index: number;
  readonly count: number;
  readonly #batch: Batch;
  request: Request | null = null;

  /** @param slots places and cache rows, from `base` of the engine's on */
  constructor(batch: Batch, { base, slots, index, count }: Pick<Lane, "base" | "slots" | "index" | "count">) {
    this.#batch = batch;
    this.base = base;
    this.slots = slots;
    this.index = index;
    this.count = count;
  }

  get maxRows(): number {
    return this.#batch.engine.maxRows;
  }

  /** Draws are numbered by whoever runs the lane: there is nothing to reset. */
  resetDraws(): void {}

  writeCanvas(place: number, tokens: readonly number[]): void {
    ensure(place + tokens.length <= this.slots, "context-overflow", () => this.#overflow(place + tokens.length));
    this.#batch.engine.writeCanvas(this.base + place, tokens);
  }

  /** Waits until every other lane asks for something too, or has left. */
  run(passes: readonly Pass[], sampling: Sampling, maskId: number): Promise<PassResult[]> {
    const needed = Math.max(0, ...passes.flatMap(({ rows }) => rows.map(({ slot, limit }) => Math.max(slot + 1, limit))));
    ensure(needed <= this.slots, "context-overflow", () => this.#overflow(needed));
    return new Promise((resolve, reject) => {
      this.request = { passes, sampling, maskId, resolve, reject };
      this.#batch.check();
    });
  }

  #overflow(needed: number): string {
    return `context: ${needed} positions are needed, this sequence of the batch has ${this.slots}; load with more sequences or a larger contextLength`;
  }

  /** Ends the lane: nobody waits for it any more. */
  leave(): void {
    this.#batch.leave(this);
  }
}

export class Batch {
  readonly engine: Player;
  readonly lanes: readonly Lane[];
  readonly #active: Set<Lane>;
  #playing = false;

  /** @param slots places and cache rows of each lane; together at most the engine's */
  constructor(engine: Player, slots: readonly number[]) {
    const needed = slots.reduce((a, b) => a + b, 0);
    ensure(
      needed <= engine.slots,
      "context-overflow",
      () =>
        `context: a batch of ${slots.length} needs ${needed} positions, ${engine.slots} are allocated; load with more sequences or a larger contextLength`,
    );
    this.engine = engine;
    let base = 0;
    this.lanes = slots.map((own, index) => {
      const lane = new Lane(this, { base, slots: own, index, count: slots.length });
      base += own;
      return lane;
    });
    this.#active = new Set(this.lanes);
  }

  leave(lane: Lane): void {
    this.#active.delete(lane);
    this.check();
  }

  /** Plays what is asked for once every lane that is left has asked. */
  check(): void {
    const waiting = [...this.#active].filter(({ request }) => request !== null);
    if (this.#playing || waiting.length === 0 || waiting.length < this.#active.size) return;
    this.#playing = true;
    const asked = waiting.map((lane) => ({ lane, request: lane.request as Request }));
    for (const { lane } of asked) lane.request = null;
    this.#play(asked).then(
      (results) => {
        this.#playing = false;
        for (const [i, { request }] of asked.entries()) request.resolve(results[i] as PassResult[]);
      },
      (cause) => {
        this.#playing = false;
        for (const { request } of asked) request.reject(cause);
      },
    );
  }

  /** Results of every lane's passes. The k-th passes of all lanes are one forward, or several where their rows are too many for one. */
  async #play(asked: readonly { lane: Lane; request: Request }[]): Promise<PassResult[][]> {
    const { sampling, maskId } = (asked[0] as { request: Request }).request;
    const results = asked.map(({ request }) => new Array<PassResult>(request.passes.length));
    for (const submit of this.#submitsOf(asked)) {
      const before = { ...this.engine.counts };
      const came = await this.engine.run(submit.map(merge), sampling, maskId);
      const { submits, readbacks, bytesRead } = this.engine.counts;
      const all = came.reduce((sum, { answers }) => sum + answers.length, 0);
      for (const lane of new Set(submit.flatMap((shares) => shares.map((share) => share.lane)))) {
        lane.counts.submits += submits - before.submits;
        lane.counts.readbacks += readbacks - before.readbacks;
      }
      for (const [i, shares] of submit.entries()) {
        const result = came[i] as PassResult;
        const total = shares.reduce((sum, { pass }) => sum + pass.rows.length, 0);
        for (const share of shares) {
          const at = asked.findIndex(({ lane }) => lane === share.lane);
          const own = resultOf(share, result, share.pass.rows.length / total);
          share.lane.counts.bytesRead += Math.round(((bytesRead - before.bytesRead) * own.read) / Math.max(1, all));
          (results[at] as PassResult[])[share.index] = own.result;
        }
      }
    }
    return results;
  }

  /** Merged passes, submit by submit: as many as fit the arena, which holds two passes of all rows. */
  #submitsOf(asked: readonly { lane: Lane; request: Request }[]): Share[][][] {
    const steps = Math.max(...asked.map(({ request }) => request.passes.length));
    const merged: Share[][] = [];
    for (let index = 0; index < steps; index++) {
      let shares: Share[] = [];
      let rows = 0;
      for (const { lane, request } of asked) {
        const pass = request.passes[index];
        if (!pass) continue;
        ensure(!pass.allowed, "bad-option", "constraint: one bitmap of allowed ids is for one sequence; run it alone");
        ensure(!pass.guidance, "bad-option", "guidance: the passes of a batch have no twins; run it alone");
        if (rows + pass.rows.length > this.engine.maxRows && shares.length > 0) {
          merged.push(shares);
          [shares, rows] = [[], 0];
        }
        shares.push({ lane, index, pass });
        rows += pass.rows.length;
      }
      merged.push(shares);
    }
    const submits: Share[][][] = [];
    let rows = 0;
    for (const shares of merged) {
      const more = shares.reduce((sum, { pass }) => sum + pass.rows.length, 0);
      if (submits.length === 0 || rows + more > 2 * this.engine.maxRows) {
        submits.push([]);
        rows = 0;
      }
      submits.at(-1)?.push(shares);
      rows += more;
    }
    return submits;
  }
}

/** What a merged pass's result is to one of its lanes: its own answers at its own places, its part of the work; and how many answers came back for it. */
function resultOf(
  { lane, pass }: Share,
  { answers, dispatches, passNs, dispatchNs }: PassResult,
  part: number,
): { readonly result: PassResult; readonly read: number } {
  const own: Answer[] = [];
  let read = 0;
  for (const answer of answers) {
    const goal = answer.goal - lane.base;
    if (goal < 0 || goal >= lane.slots) continue;
    read++;
    if (pass.report === "revealed" && !answer.revealed) continue;
    own.push({ ...answer, goal });
  }
  lane.counts.dispatches += dispatches.length;
  const result = {
    answers: own,
    dispatches: dispatches.map((dispatch) => shareOf(dispatch, part)),
    ...(passNs === undefined ? {} : { passNs: passNs * part }),
    ...(dispatchNs ? { dispatchNs: dispatchNs.map((ns) => ns * part) } : {}),
  };
  return { result, read };
}
