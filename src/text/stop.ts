/** Finds stop strings in text that arrives in pieces. It knows nothing of tokens. */

import { ensure } from "../errors";

/** What a push made certain. */
export interface StopResult {
  /** Text that may be shown: no part of it can belong to a stop string. */
  readonly text: string;
  /** The stop string that was found, or null. Its own text, and all after it, is not in `text`. */
  readonly stop: string | null;
}

/** Holds back text that may be the beginning of a stop string until it is certain that it is not. */
export class StopMatcher {
  private held = "";
  private found: string | null = null;
  private length = 0;

  /** @param stops stop strings; none may be empty (`bad-option`) */
  constructor(private readonly stops: readonly string[]) {
    ensure(
      stops.every((stop) => stop.length > 0),
      "bad-option",
      "stop: an empty stop string would stop before the first token; leave it out",
    );
  }

  /** The stop string that ended the text, or null so far. */
  get stopped(): string | null {
    return this.found;
  }

  /** Number of UTF-16 units given out so far; once stopped, where the stop string begins. */
  get position(): number {
    return this.length;
  }

  /**
   * Takes the next piece. The stop string that begins first ends the text (of two at one place, the shorter);
   * everything after it is dropped, in this push and in later ones.
   */
  push(delta: string): StopResult {
    if (this.found !== null) return { text: "", stop: this.found };
    const text = this.held + delta;
    const match = this.first(text);
    const open = this.earliestOpen(text);
    if (match && match.start <= open) {
      this.held = "";
      return this.give(text.slice(0, match.start), match.stop);
    }
    // Where a stop string began before the one that is complete, wait for it to fail or to finish.
    this.held = text.slice(open);
    return this.give(text.slice(0, open), null);
  }

  /** Ends the text: returns what was held back, in which a complete stop string still counts. */
  finish(): StopResult {
    if (this.found !== null) return { text: "", stop: this.found };
    const match = this.first(this.held);
    const text = match ? this.held.slice(0, match.start) : this.held;
    this.held = "";
    return this.give(text, match ? match.stop : null);
  }

  private give(text: string, stop: string | null): StopResult {
    this.length += text.length;
    this.found = stop;
    return { text, stop };
  }

  private first(text: string): { start: number; stop: string } | null {
    let best: { start: number; stop: string } | null = null;
    for (const stop of this.stops) {
      const start = text.indexOf(stop);
      if (start < 0) continue;
      if (!best || start < best.start || (start === best.start && stop.length < best.stop.length)) best = { start, stop };
    }
    return best;
  }

  /** Where the earliest unfinished beginning of a stop string starts, or the text's end. */
  private earliestOpen(text: string): number {
    let open = text.length;
    for (const stop of this.stops) {
      for (let start = Math.max(0, text.length - stop.length + 1); start < open; start++) {
        if (stop.startsWith(text.slice(start))) open = start;
      }
    }
    return open;
  }
}
