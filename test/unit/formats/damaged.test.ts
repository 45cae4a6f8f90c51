/** Good files, damaged in many ways: each must be opened or refused with a typed error, whatever the damage. */
import { describe, expect, test } from "vitest";
import { RidgepointError } from "../../../src/errors";
import { bytesSource } from "../../../src/formats/byte-source";
import { openCheckpoint } from "../../../src/formats/checkpoint";
import { readConfig } from "../../../src/model/config";
import { locateWeights } from "../../../src/model/names";
import { goldenBytes, randomU32 } from "./files";

const MUTATIONS = 500;

/** Opens, configures and locates, as the loader does before it uploads. Returns false when the file was refused. */
async function survives(name: string, bytes: Uint8Array, config: Uint8Array | null): Promise<boolean> {
  const files = [bytesSource(name, bytes), ...(config ? [bytesSource("config.json", config)] : [])];
  try {
    const checkpoint = await openCheckpoint(files);
    locateWeights(checkpoint, readConfig(checkpoint));
    return true;
  } catch (error) {
    if (!(error instanceof RidgepointError)) throw error;
    expect(error.message.length).toBeLessThan(4000);
    return false;
  }
}

const FILES: [name: string, file: string, config: string | null][] = [
  ["safetensors", "llada/model.safetensors", "llada/config.json"],
  ["gguf", "gguf-q4_1/model.gguf", null],
];

describe.each(FILES)("%s", (format, file, configFile) => {
  const name = `model.${format}`;
  const good = goldenBytes(file);
  const config = configFile ? goldenBytes(configFile) : null;
  const headerBytes = format === "gguf" ? 7354 : 8 + Number(new DataView(good.buffer).getBigUint64(0, true));

  test("the file itself opens", async () => {
    expect(await survives(name, good, config)).toBe(true);
  });

  test("truncated at any length is refused", async () => {
    const lengths = new Set([0, 1, 7, 8, 9, headerBytes - 1, headerBytes, headerBytes + 1, good.length - 1]);
    const random = randomU32(7);
    while (lengths.size < 120) lengths.add(random() % (lengths.size % 2 ? headerBytes : good.length));
    for (const length of lengths) expect(await survives(name, good.subarray(0, length), config), `length ${length}`).toBe(false);
  });

  test(`${MUTATIONS} random mutations of the header never end in another error`, async () => {
    const random = randomU32(2024);
    let refused = 0;
    for (let n = 0; n < MUTATIONS; n++) {
      const bad = good.slice();
      for (let edits = 1 + (random() % 4); edits > 0; edits--) {
        const at = random() % headerBytes;
        const kind = random() % 4;
        if (kind === 0) bad[at] = random() & 255;
        else if (kind === 1) bad[at]! ^= 1 << (random() % 8);
        else if (kind === 2) bad.fill(255, at, at + 8);
        else bad.copyWithin(at, random() % headerBytes, at + 16);
      }
      if (!(await survives(name, bad, config))) refused++;
    }
    expect(refused).toBeGreaterThan(MUTATIONS / 10);
  });
});

test("random mutations of config.json never end in another error", async () => {
  const good = goldenBytes("fast-dllm-v2/config.json");
  const weights = goldenBytes("fast-dllm-v2/model.safetensors");
  const random = randomU32(99);
  let refused = 0;
  for (let n = 0; n < MUTATIONS; n++) {
    const bad = good.slice();
    for (let edits = 1 + (random() % 3); edits > 0; edits--)
      bad[random() % bad.length] = random() % 3 ? 32 + (random() % 95) : random() & 255;
    if (!(await survives("model.safetensors", weights, bad))) refused++;
  }
  expect(refused).toBeGreaterThan(MUTATIONS / 10);
});
