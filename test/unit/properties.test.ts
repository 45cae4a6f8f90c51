/** The table of properties: every one of J1 to J31 is there, and the test that it names exists. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const rows = readFileSync(join(root, "decode/README.md"), "utf8")
  .split("\n")
  .map((line) => /^\| (J\d+) \| .+ \| (\S+\.test\.ts) \| (.+) \|$/.exec(line))
  .filter((match) => match !== null)
  .map(([, property = "", file = "", words = ""]) => ({ property, file, words }));

test("J1 to J31 are all there", () => {
  const named = new Set(rows.map(({ property }) => property));
  expect([...named].sort()).toEqual(Array.from({ length: 31 }, (_, i) => `J${i + 1}`).sort());
});

test.each(rows)("$property is in $file", ({ file, words }) => {
  expect(readFileSync(join(root, file), "utf8")).toContain(words);
});
