/** The command line's decoding policies: a name, numbers after a colon, and what is refused. */
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { decodingOptions, parsePolicy, withDecodingOptions } from "../../../cli/options";
import { RidgepointError } from "../../../src/errors";

const optionsOf = (...args: readonly string[]) => {
  const command = withDecodingOptions(new Command()).exitOverride().parse(args, { from: "user" });
  return decodingOptions(command.opts());
};

describe("--policy", () => {
  test.each([
    ["p2", { name: "p2" }],
    ["hierarchical:threshold=0.9,low=0.3", { name: "hierarchical", threshold: 0.9, low: 0.3 }],
    ["p2: steps=8 , eta=1e3", { name: "p2", steps: 8, eta: 1000 }],
  ])("%s", (text, policy) => {
    expect(parsePolicy(text)).toEqual(policy);
    expect(optionsOf("--policy", text)).toEqual({ policy });
  });

  test.each(["p2:", "p2:steps", "p2:steps=", "p2:steps=many", "p2:steps=8:eta=1", "p2:=8", "p2:name=8", "p2:steps=8=9"])(
    "%s is refused",
    (text) => {
      expect(() => parsePolicy(text)).toThrow(RidgepointError);
    },
  );
});

test("grid, commits, caches and early stop", () => {
  expect(optionsOf()).toEqual({});
  expect(optionsOf("--no-early-stop", "--fused-commit", "--commit-last")).toEqual({
    earlyStop: false,
    fusedCommit: true,
    commitLast: true,
  });
  expect(optionsOf("--grid-offset", "prompt")).toEqual({ gridOffset: "prompt" });
  expect(optionsOf("--grid-offset", "3", "--refresh-interval", "4", "--cache-window", "8")).toEqual({
    gridOffset: 3,
    refreshInterval: 4,
    cacheWindow: 8,
  });
  expect(optionsOf("--suffix-window", "16", "--suffix-density", "0.5", "--cache-warmup", "2")).toEqual({
    suffixWindow: 16,
    suffixDensity: 0.5,
    cacheWarmup: 2,
  });
  expect(() => optionsOf("--grid-offset", "start")).toThrow(RidgepointError);
});
