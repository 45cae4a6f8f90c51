/** Two models at work on one answer: whether they can, and waiting for both. Knows neither decoders nor engines. */
import { ensure } from "../errors";
import type { ModelConfig } from "../model/config";
import type { Tokenizer } from "../text/tokenizer";

/** As much of a model as its vocabulary is. */
export interface Speaker {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer | null;
}

/**
 * Ids of one model must mean the same to the other.
 * @throws `bad-option` naming the first id that differs
 */
export function ensureSameVocabulary(model: Speaker, other: Speaker): void {
  const [mine, theirs] = [model.tokenizer, other.tokenizer];
  const same =
    mine && theirs ? mine.vocabSize === theirs.vocabSize : !mine && !theirs && model.config.vocabSize === other.config.vocabSize;
  ensure(
    same,
    "bad-option",
    () =>
      `speculate: model: expected a model of the same tokenizer, with ${sizeOf(model)} ids, came one with ${sizeOf(other)}; give a model of the same family of tokenizers`,
  );
  if (!mine || !theirs) return;
  for (let id = 0; id < mine.vocabSize; id++) {
    const [piece, other] = [mine.piece(id), theirs.piece(id)];
    ensure(
      piece === other,
      "bad-option",
      () => `speculate: model: expected a model of the same tokenizer, id ${id} is "${piece}" in one and "${other}" in the other`,
    );
  }
}

const sizeOf = ({ config, tokenizer }: Speaker): string =>
  tokenizer ? String(tokenizer.vocabSize) : `${config.vocabSize} (and no tokenizer)`;

/** A queue's end: what has to be over before the next may begin. */
export interface Turns {
  last: Promise<unknown>;
}

/**
 * Takes the next turn in every queue at once, so that two callers never wait for each other, and waits for what runs before.
 * @returns what gives the turns back
 */
export async function takeTurns(queues: readonly Turns[]): Promise<() => void> {
  let release = (): void => {};
  const turn = new Promise<void>((resolve) => {
    release = resolve;
  });
  const before = queues.map(({ last }) => last.catch(() => {}));
  for (const queue of queues) queue.last = turn;
  await Promise.all(before);
  return release;
}
