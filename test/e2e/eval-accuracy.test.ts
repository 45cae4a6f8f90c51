/** `accuracy`: tables, figures and model cards from a few answers, gone on with, and what it refuses before any work. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { document, run, temporaryFolder } from "./cli";

const LONG_MS = 600_000;
const MODELS = fileURLToPath(new URL("../../models", import.meta.url));

/** A folder with copies of the models, and the options that keep everything inside it. */
function workplace() {
  const folder = temporaryFolder();
  const models = join(folder, "models");
  cpSync(MODELS, models, { recursive: true });
  const places = ["--records", join(folder, "records"), "--docs", join(folder, "docs"), "--cards", models];
  const read = (path: string) => readFileSync(join(folder, path), "utf8");
  return { folder, models, places, read };
}

test(
  "chosen settings are answered, written as tables, figures and cards, and gone on with",
  async () => {
    const { folder, models, places, read } = workplace();
    const args = ["accuracy", ...places, "--weights", `copy=${models}`, "--stories", "1"];
    const first = await document([...args, "--n", "1", "--only", "block_q8_0_problems_threshold-0.9"]);
    expect(first).toMatchObject({ schema: "ridgepoint/1", command: "accuracy" });
    const keys = ["block_q8_0_problems_threshold-0.9", "block_q8_0_problems_threshold-0.95"];
    expect(first.settings.map(({ key }: { key: string }) => key).toSorted()).toEqual(keys);
    for (const { n, model, options, tokensPerForward } of first.settings) {
      expect({ n, model }).toEqual({ n: 1, model: "block" });
      expect(options).toMatchObject({ genLength: 64, blockLength: 16 });
      expect(tokensPerForward).toBeGreaterThan(0);
    }
    expect(first.files).toEqual([
      ...["docs/accuracy.md", "docs/accuracy.svg", "docs/stories.svg"].map((path) => join(folder, path)),
      ...["ar", "mdlm", "block"].map((name) => join(models, name, "README.md")),
    ]);
    expect(read("docs/accuracy.md")).toMatch(/## Three families[\s\S]*\| threshold 0\.9 \|/);
    expect(read("docs/accuracy.svg")).toContain("block diffusion, thresholds");
    expect(read("models/block/README.md")).toMatch(/<!-- accuracy -->\nMeasured in this engine by `ridgepoint accuracy /);
    expect(read("models/block/README.md")).toContain("## Limits");
    expect(read("models/ar/README.md")).toContain("Not evaluated.");

    // More of the same, and other weights: what is there is kept, and still in the tables.
    const records = readdirSync(join(folder, "records"));
    const file = join("records", records.find((name) => name.startsWith(`${keys[0]}_`))!);
    const before = read(file);
    const second = await document([...args, "--n", "2", "--only", "ar_copy_"]);
    expect(read(file)).toBe(before);
    const counts = Object.fromEntries(second.settings.map(({ key, n }: { key: string; n: number }) => [key, n]));
    expect(counts).toEqual({ [keys[0]!]: 1, [keys[1]!]: 1, ar_copy_problems: 2 });
    expect(read("docs/accuracy.md")).toMatch(/## Weights[\s\S]*\| ar \| copy \| greedy \|/);
    await document([...args, "--n", "2", "--only", keys[0]!]);
    expect(read(file).startsWith(before)).toBe(true);
    expect(read(file).trimEnd().split("\n")).toHaveLength(2);
  },
  LONG_MS,
);

test("what cannot be run or written is refused before any work", async () => {
  const { models, places } = workplace();
  const expectError = async (args: readonly string[], code: string, what: RegExp) => {
    const { status, stdout, stderr } = await run(["accuracy", ...places, ...args]);
    expect(stderr).toMatch(new RegExp(`^error \\[${code}\\]: \\S[^\n]*\n$`));
    expect(stderr).toMatch(what);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  };
  await expectError(["--n", "0"], "bad-option", /--n/);
  await expectError(["--weights", "q4_0"], "bad-option", /NAME=FOLDER/);
  await expectError(["--weights", `q8_0=${models}`], "bad-option", /other than q8_0/);
  await expectError(["--weights", "q4_0=no-such-folder"], "not-found", /no-such-folder/);
  await expectError(["--only", "qwerty"], "bad-option", /qwerty/);
  await expectError(["--cards", "no-such-folder"], "not-found", /--no-cards/);
  writeFileSync(join(models, "mdlm/README.md"), "# a card without tables\n");
  await expectError([], "bad-file", /card of mdlm.*<!-- accuracy -->/);
});
