/** The command line's options that change logits or restrict them: numbers, lists, files; what is refused. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, describe, expect, test } from "vitest";
import { decodingOptions, parseLogitBias, withDecodingOptions } from "../../../cli/options";
import { RidgepointError } from "../../../src/errors";

const optionsOf = (...args: readonly string[]) => {
  const command = withDecodingOptions(new Command()).exitOverride().parse(args, { from: "user" });
  return decodingOptions(command.opts());
};
const folder = mkdtempSync(join(tmpdir(), "ridgepoint-flags-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (text: string): string => {
  const path = join(folder, "given.txt");
  writeFileSync(path, text);
  return path;
};

test("penalties", () => {
  expect(optionsOf("--repetition-penalty", "1.2", "--presence-penalty", "-0.5", "--frequency-penalty", "2")).toEqual({
    repetitionPenalty: 1.2,
    presencePenalty: -0.5,
    frequencyPenalty: 2,
  });
});

describe("--logit-bias", () => {
  test("ids and numbers", () => {
    expect(parseLogitBias("5=-100, 17 = 2.5")).toEqual({ 5: -100, 17: 2.5 });
    expect(optionsOf("--logit-bias", "0=1")).toEqual({ logitBias: { 0: 1 } });
  });

  test.each(["", "5", "5=", "=3", "a=3", "5=x", "5=1=2", "5=1,", "-1=2", "5=1,5=2"])('"%s" is refused', (text) => {
    expect(() => parseLogitBias(text)).toThrow(RidgepointError);
  });
});

describe("constraints", () => {
  test("a file for schemas and grammars, a text for expressions", () => {
    expect(optionsOf("--json-schema", file('{"type":"object"}'))).toEqual({ constraint: { jsonSchema: '{"type":"object"}' } });
    expect(optionsOf("--grammar", file('root ::= "a"'))).toEqual({ constraint: { grammar: 'root ::= "a"' } });
    expect(optionsOf("--regex", "a+")).toEqual({ constraint: { regex: "a+" } });
  });

  test("one of them, and a file that is there", () => {
    expect(() => optionsOf("--regex", "a", "--grammar", file("root"))).toThrow(/one of --json-schema, --regex, --grammar/);
    expect(() => optionsOf("--json-schema", join(folder, "none.json"))).toThrow(/--json-schema: .*no such file/);
  });
});
