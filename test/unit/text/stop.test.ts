import fc from "fast-check";
import { expect, test } from "vitest";
import { RidgepointError } from "../../../src/errors";
import { StopMatcher } from "../../../src/text/stop";

function run(stops: string[], deltas: string[]): { texts: string[]; stop: string | null; position: number } {
  const matcher = new StopMatcher(stops);
  const texts = deltas.map((delta) => matcher.push(delta).text);
  texts.push(matcher.finish().text);
  return { texts, stop: matcher.stopped, position: matcher.position };
}

test.each<[string, string[], string[], string[], string | null]>([
  ["nothing to stop at", [], ["ab", "c"], ["ab", "c", ""], null],
  ["in one piece", ["</s>"], ["ab</s>cd", "ef"], ["ab", "", ""], "</s>"],
  ["across pieces", ["</s>"], ["ab<", "/", "s", ">cd"], ["ab", "", "", "", ""], "</s>"],
  ["a beginning that fails", ["</s>"], ["a</", "b>"], ["a", "</b>", ""], null],
  ["a beginning at the end", ["</s>"], ["a</"], ["a", "</"], null],
  ["a beginning within a beginning", ["aab"], ["aa", "ab", "x"], ["", "a", "", ""], "aab"],
  ["two at one place: the shorter", ["abc", "ab"], ["xabc"], ["x", ""], "ab"],
  ["a longer one that began earlier and fails", ["bc", "abcd"], ["abc", "x"], ["", "a", ""], "bc"],
  ["a longer one that began earlier and finishes", ["bc", "abcd"], ["abc", "d"], ["", "", ""], "abcd"],
  ["a longer one that began earlier when the text ends", ["bc", "abcd"], ["abc"], ["", "a"], "bc"],
])("%s", (_, stops, deltas, texts, stop) => {
  expect(run(stops, deltas)).toMatchObject({ texts, stop });
});

test("an empty stop string is refused", () => {
  expect(() => new StopMatcher(["a", ""])).toThrow(RidgepointError);
});

test("the split of the text does not matter; it ends at the first stop string", () => {
  const ab = (maxLength: number, minLength = 0) => fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength, maxLength });
  const stops = fc.array(ab(4, 1), { maxLength: 3 });
  const deltas = fc.array(ab(4), { maxLength: 10 });
  fc.assert(
    fc.property(stops, deltas, (all, pieces) => {
      const text = pieces.join("");
      const starts = all.map((stop) => text.indexOf(stop)).filter((start) => start >= 0);
      const end = starts.length > 0 ? Math.min(...starts) : text.length;
      const { texts, stop, position } = run(all, pieces);
      expect(texts.join("")).toBe(text.slice(0, end));
      expect(position).toBe(end);
      expect(stop === null).toBe(starts.length === 0);
      if (stop !== null) expect(text.startsWith(stop, end)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test("nothing is held back that cannot begin a stop string", () => {
  const matcher = new StopMatcher(["\n\n", "####"]);
  expect(matcher.push("12 pages.")).toEqual({ text: "12 pages.", stop: null });
  expect(matcher.push(" #")).toEqual({ text: " ", stop: null });
  expect(matcher.push("1")).toEqual({ text: "#1", stop: null });
});
