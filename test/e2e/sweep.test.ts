/** `sweep` and `report` on models of random weights: resumption, shards, points that fail, what is refused. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SweepDocument } from "../../src/index";
import { document, GOLDENS, run, start, temporaryFolder } from "./cli";
import { countsOf, linesOf } from "./points";

const MODELS = ["llama-tied", "llada", "fast-dllm-v2"].map((name) => join(GOLDENS, name)).join(",");
const LENGTH = [
  ...[
    "sweep",
    "length",
    "--models",
    MODELS.split(",").slice(0, 2).join(","),
    "--values",
    "8,16,4096",
    "--prompt-lengths",
    "6",
    "--block-length",
    "4",
  ],
  ...["--repetitions", "1", "--adapter", "swiftshader"],
];

describe("sweep", () => {
  test("killed half-way it goes on without repeating, and its shards merge to the same points", {
    timeout: 900_000,
  }, async () => {
    const folder = temporaryFolder();
    const whole = [...LENGTH, "--out", join(folder, "whole")];
    const points = join(folder, "whole", "length.jsonl");

    const { child, ended } = start(whole);
    await expect.poll(() => linesOf(points).length, { timeout: 300_000, interval: 20 }).toBeGreaterThanOrEqual(3);
    child.kill("SIGTERM");
    await ended;
    const before = linesOf(points);
    const planned = (JSON.parse(before[0] as string) as SweepDocument).planned;
    expect(before.length - 1).toBeLessThan(planned);

    const refused = await run(whole);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/error \[bad-option\]: .*length\.jsonl exists; give --resume/);
    const other = await run([...whole, "--resume", "--values", "8"]);
    expect(other.stderr).toMatch(/error \[bad-option\]: --resume: .*settings differs/);
    expect(linesOf(points)).toEqual(before);

    const resumed: SweepDocument = await document([...whole, "--resume"]);
    expect(linesOf(points).slice(0, before.length)).toEqual(before);
    expect(linesOf(points)).toHaveLength(planned + 1);
    expect(new Set(resumed.points.map(({ key }) => key)).size).toBe(planned);

    const parts = [1, 2].map((index) => join(folder, "parts", `length.${index}-of-2.json`));
    for (const index of [1, 2]) {
      await document([...LENGTH, "--shard", `${index}/2`, "--out", join(folder, "parts")]);
    }
    const { sweeps } = await document(["report", ...parts, "--out", join(folder, "report")]);
    expect(sweeps).toHaveLength(1);
    expect((sweeps[0] as SweepDocument).points.map(countsOf)).toEqual(resumed.points.map(countsOf));

    const long = resumed.points.filter(({ axis }) => axis === 4096);
    expect(new Set(long.map(({ status }) => status))).toEqual(new Set(["does-not-fit"]));
    for (const point of resumed.points) {
      if (point.axis === 4096) continue;
      expect(point.status, point.key).toBe("ok");
      expect(point.result?.tokens).toBe(point.axis);
      expect(point.result?.tokensPerSecond.median).toBeGreaterThan(0);
    }
    const page = readFileSync(join(folder, "report", "index.html"), "utf8");
    expect(page).toContain("Length");
    expect(readFileSync(join(folder, "report", "points.csv"), "utf8").split("\r\n")).toHaveLength(planned + 2);
    for (const name of ["latency", "throughput", "intensity", "predicted", "roofline"]) {
      expect(readFileSync(join(folder, "whole", `length-${name}.svg`), "utf8")).toMatch(/^<svg .*<\/svg>$/s);
    }
  });

  test("batch: every sequence makes its tokens, in as many forwards as alone", { timeout: 600_000 }, async () => {
    const folder = temporaryFolder();
    const options = [
      "--values",
      "1,3",
      "--prompt-lengths",
      "6",
      "--gen-length",
      "8",
      "--block-length",
      "4",
      "--repetitions",
      "1",
    ];
    const { points }: SweepDocument = await document([
      ...["sweep", "batch", "--models", MODELS, ...options, "--adapter", "swiftshader", "--out", folder],
    ]);
    for (const point of points) {
      expect(point.status, point.message).toBe("ok");
      expect(point.result?.tokens).toBe(8 * point.batch);
    }
    for (const alone of points.filter(({ batch, decoding }) => batch === 1 && !decoding.includes("threshold"))) {
      const three = points.find(
        ({ batch, model, decoding }) => batch === 3 && model === alone.model && decoding === alone.decoding,
      );
      expect(three?.result?.forwards).toBe(3 * (alone.result?.forwards ?? 0));
    }
  });

  test("steps: fewer forwards, and the share of problems solved with its interval", { timeout: 600_000 }, async () => {
    const folder = temporaryFolder();
    const args = ["--models", "builtin:mdlm", "--values", "4,16", "--limit", "2", "--cache", "dual", "--adapter", "swiftshader"];
    const { points }: SweepDocument = await document(["sweep", "steps", ...args, "--out", folder]);
    expect(points.map(({ axis }) => axis)).toEqual([16, 4]);
    for (const { result } of points) {
      expect(result?.problems).toBe(2);
      expect(result?.confidence95?.low).toBeLessThanOrEqual(result?.accuracy ?? -1);
    }
    expect(points[1]?.result?.tokensPerForward).toBeGreaterThan(points[0]?.result?.tokensPerForward ?? 0);
    expect(readFileSync(join(folder, "steps-trade-off.svg"), "utf8")).toContain("AUP");
  });

  test.each([
    [["sweep", "width"], 2, /error \[usage\]/],
    [["sweep", "length", "--shard", "3/2"], 1, /--shard: expected i\/n/],
    [["sweep", "length", "--values", "8,x"], 1, /--values: expected a number/],
    [["sweep", "length", "--values", "0"], 1, /--values: expected whole numbers/],
    [["sweep", "threshold", "--values", "1.5"], 1, /--values: expected shares/],
    [["sweep", "length", "--gen-length", "8"], 1, /the option genLength has no effect here/],
    [["sweep", "steps", "--prompt-lengths", "8"], 1, /the option promptLengths has no effect here/],
    [["sweep", "length", "--cache", "none", "--models", "no-such-model"], 1, /error \[not-found\]/],
    [["report", "no-such.json"], 1, /error \[not-found\]/],
    [["report", join(GOLDENS, "llada", "config.json")], 1, /error \[bad-file\]: .*expected a document of/],
    [["report"], 2, /error \[usage\]/],
  ] as const)("%j is refused before a browser starts", async (args, status, message) => {
    const folder = temporaryFolder();
    const ended = await run([...args, ...(args[0] === "sweep" ? ["--out", folder] : [])]);
    expect(ended.status).toBe(status);
    expect(ended.stderr).toMatch(message);
    expect(ended.stdout).toBe("");
  });
});
