/** Whole decoding trajectories against an independent implementation: kinds, rows, revealed places and tokens, values, NFE. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ReplayCase, replay } from "../../src/decode/replay";
import type { LoadedEngine } from "../../src/model/load";
import { fetchJson, loadGolden } from "../support/goldens";

const paths = Object.keys(import.meta.glob("/test/goldens/trajectories/*/*-p*.json"));
const models = [...new Set(paths.map((path) => path.split("/")[4] as string))];

describe.each(models)("%s", (model) => {
  let loaded: LoadedEngine;
  beforeAll(async () => {
    loaded = await loadGolden(`trajectories/${model}`);
  }, 120_000);
  afterAll(() => loaded.engine.dispose());

  const cases = paths.filter((path) => path.includes(`/${model}/`)).map((path) => path.split("/")[5] as string);
  test.each(cases)("%s", async (file) => {
    const golden = await fetchJson<ReplayCase>(`trajectories/${model}/${file}`);
    const result = await replay(loaded.engine, golden);
    expect(result.firstDifference).toBeUndefined();
    expect(result.equal).toBe(true);
  });

  test(`the same without the expected fields: ${cases[0]}`, async () => {
    const { passes, final, output, nfe, ...bare } = await fetchJson<ReplayCase>(`trajectories/${model}/${cases[0]}`);
    const result = await replay(loaded.engine, bare);
    expect(result).not.toHaveProperty("equal");
    expect(result.passes.map(({ kind, rows }) => ({ kind, rows }))).toEqual(passes?.map(({ kind, rows }) => ({ kind, rows })));
    expect([result.final, result.output, result.nfe]).toEqual([final, output, nfe]);
  });
});
