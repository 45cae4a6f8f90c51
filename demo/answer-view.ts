/** Steps of a generation into the page: running text for autoregressive models, a canvas of places that fill up for diffusion. */
import type { Revealed, Step } from "../src/index";

/** Turns ids into text; a model without a tokenizer shows the ids. */
export type Decode = (ids: readonly number[]) => string;

export interface AnswerView {
  show(step: Step): void;
}

/** Text grows at its end, each step's gain in the colour of its confidence. */
export function streamView(root: HTMLElement, decode: Decode | null): AnswerView {
  root.replaceChildren();
  return {
    show({ delta, revealed }) {
      const text = decode ? delta : revealed.map(({ id }) => ` ${id}`).join("");
      if (text === "") return;
      const confidence = Math.min(...revealed.map((one) => one.confidence));
      root.append(cell(text, Number.isFinite(confidence) ? confidence : 1));
    },
  };
}

/**
 * The places after the prompt: a block where the model has not decided, its token where it has. `length` places to begin with; a canvas
 * that grows beyond gets more.
 */
export function canvasView(root: HTMLElement, length: number, maskTokenId: number | null, decode: Decode | null): AnswerView {
  const places: HTMLElement[] = [];
  const growTo = (count: number): void => {
    while (places.length < count) {
      const mask = document.createElement("span");
      mask.className = "cell mask";
      places.push(mask);
      root.append(mask);
    }
  };
  const reveal = (place: number, { id, confidence }: Revealed): void => {
    // A special token has no text: a dot stands for it.
    const shown = cell(decode ? decode([id]) || "·" : ` ${id}`, confidence);
    shown.title = `place ${place}, confidence ${confidence.toFixed(3)}`;
    growTo(place + 1);
    places[place]!.replaceWith(shown);
    places[place] = shown;
  };
  root.replaceChildren();
  growTo(length);
  let start: number | null = null;
  return {
    show({ canvas, revealed }) {
      // Whatever follows the prompt is masked or was revealed in this very step.
      const masked = maskTokenId === null ? -1 : canvas.indexOf(maskTokenId);
      start ??= Math.min(...revealed.map(({ position }) => position), masked < 0 ? Number.POSITIVE_INFINITY : masked);
      for (const one of revealed) reveal(one.position - start, one);
    },
  };
}

/** Fades what comes after the answer's end: places a diffusion model filled behind its stop token. */
export function fadeAfter(root: HTMLElement, answerTokens: number): void {
  [...root.children].slice(answerTokens).forEach((place) => {
    place.classList.add("after");
  });
}

function cell(text: string, confidence: number): HTMLElement {
  const span = document.createElement("span");
  span.className = "cell";
  span.textContent = text;
  span.style.setProperty("--confidence", String(Math.min(1, Math.max(0, confidence))));
  return span;
}
