/** The device's copy of a canvas, kept equal to the host's: what passes reveal it follows by itself, everything else is written here. */
import { ensure } from "../errors";
import type { Player } from "../model/engine";
import type { Canvas } from "./canvas";
import type { PlannedPass, Write } from "./decoder";

export class CanvasCopy {
  readonly #engine: Pick<Player, "writeCanvas">;
  readonly #canvas: Canvas;
  /** Where the canvas without its prompt lies, 0 without guidance. */
  readonly #twin: number;
  /** Places that hold something. */
  #length: number;
  /** Places whose device copy holds a draft. */
  #drafted: number[] = [];

  /** Writes the whole canvas; with guidance its twin without the prompt behind it. */
  constructor(engine: Pick<Player, "writeCanvas">, canvas: Canvas, guided: boolean) {
    this.#engine = engine;
    this.#canvas = canvas;
    this.#twin = guided ? canvas.length : 0;
    this.#length = canvas.length + this.#twin;
    engine.writeCanvas(0, guided ? [...canvas.tokens, ...canvas.withoutPrompt()] : canvas.tokens);
  }

  /** Makes the device ready for a pass: drafts of the pass before are undone, new places masked, its writes and drafts carried out. */
  prepare({ rows, write = [], draft = [] }: PlannedPass): void {
    const { tokens, maskId, promptLength } = this.#canvas;
    this.#send(this.#drafted.map((place) => ({ place, id: tokens[place] ?? maskId })));
    this.#drafted = [];
    for (const { place } of write)
      ensure(place >= promptLength, "bad-option", () => `write: places from ${promptLength} on are the answer's, came ${place}`);
    for (const { place, id } of write) {
      this.#canvas.extend(place + 1);
      tokens[place] = id;
    }
    let needed = 0;
    for (const { place } of [...write, ...draft]) needed = Math.max(needed, place + 1);
    for (const { place, goal } of rows) needed = Math.max(needed, place + 1, (goal ?? 0) + 1);
    if (needed > this.#length) {
      this.#engine.writeCanvas(this.#length, new Array<number>(needed - this.#length).fill(maskId));
      this.#length = needed;
    }
    this.#send(write);
    this.#send(draft);
    this.#drafted = draft.map(({ place }) => place);
  }

  /** Neighbouring places go in one write. */
  #send(writes: readonly Pick<Write, "place" | "id">[]): void {
    const ids = new Map(writes.map(({ place, id }) => [place, id]));
    const places = [...ids.keys()].sort((a, b) => a - b);
    for (let from = 0; from < places.length; ) {
      const first = places[from] as number;
      let to = from + 1;
      while (places[to] === first + to - from) to++;
      const run = places.slice(from, to).map((place) => ids.get(place) as number);
      this.#engine.writeCanvas(first, run);
      if (this.#twin > 0 && first < this.#twin) this.#engine.writeCanvas(first + this.#twin, run.slice(0, this.#twin - first));
      from = to;
    }
  }
}
