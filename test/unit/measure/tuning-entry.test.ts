/** What a tuning is kept under and read from: every part of the key changes it, and a document is taken only where and while it holds. */
import { describe, expect, test } from "vitest";
import type { DeviceProfile } from "../../../src/gpu/profile";
import { attentionKey } from "../../../src/kernels/attention-variants";
import { linearKey } from "../../../src/kernels/tuning";
import { browserOf, candidatesHash, deviceKey } from "../../../src/measure/tuning/device-key";
import {
  isExpired,
  readTuning,
  TUNING_DAYS,
  TUNING_SCHEMA,
  type TuningEntry,
  tuningOf,
} from "../../../src/measure/tuning/tuning-entry";
import { openTuningStore } from "../../../src/measure/tuning/tuning-store";
import { PROFILES } from "../../support/profiles";

const CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.7700.12 Safari/537.36";

const PROFILE: DeviceProfile = {
  ...PROFILES.nvidia,
  architecture: "ada",
  description: "a card",
  features: ["subgroups", "timestamp-query"],
  userAgent: CHROME,
};

describe("the key of a device", () => {
  test.each<Partial<DeviceProfile>>([
    { vendor: "amd" },
    { architecture: "blackwell" },
    { description: "another card" },
    { subgroupMinSize: 16 },
    { subgroupMaxSize: 64 },
    { features: ["subgroups"] },
    { features: ["subgroups", "timestamp-query", "shader-f16"] },
    { userAgent: CHROME.replace("Chrome/156", "Chrome/157") },
  ])("changes with %j", (changed) => {
    expect(deviceKey({ ...PROFILE, ...changed })).not.toBe(deviceKey(PROFILE));
  });

  test.each<Partial<DeviceProfile>>([
    { userAgent: CHROME.replace("156.0.7700.12", "156.0.7800.99") },
    { features: ["timestamp-query", "subgroups"] },
    { timestampQuantumNs: 65536 },
  ])("does not change with %j", (changed) => {
    expect(deviceKey({ ...PROFILE, ...changed })).toBe(deviceKey(PROFILE));
  });

  test("parts do not run into each other", () => {
    const [a, b] = [
      { vendor: "a b", architecture: "c" },
      { vendor: "a", architecture: "b c" },
    ];
    expect(deviceKey({ ...PROFILE, ...a })).not.toBe(deviceKey({ ...PROFILE, ...b }));
  });

  test("browsers by name and major version", () => {
    expect(browserOf(CHROME)).toBe("Chrome 156");
    expect(browserOf(`${CHROME} Edg/156.0.1`)).toBe("Edg 156");
    expect(browserOf("Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0")).toBe("Firefox 141");
    expect(browserOf("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15")).toBe(
      "Version 26",
    );
    expect(browserOf("something else")).toBe("something else");
  });
});

describe("the hash of candidates", () => {
  const candidates = [
    { id: "a", code: "fn main() {}" },
    { id: "b", code: "fn main() { x(); }" },
  ];

  test("is that of ids and code, whatever their order", async () => {
    const hash = await candidatesHash(candidates);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await candidatesHash([...candidates].reverse())).toBe(hash);
  });

  test.each([
    ["code", [candidates[0]!, { id: "b", code: "fn main() { y(); }" }]],
    ["a name", [candidates[0]!, { ...candidates[1]!, id: "c" }]],
    ["one more", [...candidates, { id: "c", code: "" }]],
    ["one fewer", [candidates[0]!]],
  ])("changes with %s", async (_, changed) => {
    expect(await candidatesHash(changed)).not.toBe(await candidatesHash(candidates));
  });
});

const NOW = 1_800_000_000_000;
const DAY = 24 * 3600 * 1000;
const entry = (changed: Partial<TuningEntry> = {}): TuningEntry => ({
  key: "linear q4 1",
  variant: "gemv_lane",
  before: "gemv_reg",
  reason: "faster",
  speedup: 1.5,
  rounds: [],
  rejected: [],
  untried: [],
  clock: "gpu",
  candidates: "00",
  at: NOW,
  ...changed,
});

describe("a document", () => {
  const device = deviceKey(PROFILE);
  const document = (changed: object = {}) => ({ schema: TUNING_SCHEMA, device, entries: [entry()], ...changed });

  test("becomes the choices in it", () => {
    expect(readTuning(document(), { device, now: NOW })).toEqual({ "linear q4 1": "gemv_lane" });
    expect(readTuning(JSON.parse(JSON.stringify(document())), { device, now: NOW })).toEqual(tuningOf([entry()]));
  });

  test.each([
    linearKey({ format: "q8", rows: 40 }),
    linearKey({ format: "f32", rows: 1, inFeatures: 576, outFeatures: 1536 }),
    attentionKey({ rows: 1, keys: 300, shape: { numAttentionHeads: 9, numKeyValueHeads: 3, headDim: 64, slots: 512, packs: 1 } }),
    attentionKey({
      rows: 9,
      keys: 3,
      sparse: true,
      shape: { numAttentionHeads: 4, numKeyValueHeads: 4, headDim: 32, slots: 9, packs: 9, cache: "q8" },
    }),
  ])("knows the class %s", (key) => {
    expect(readTuning({ [key]: "any" }, { device, now: NOW })).toEqual({ [key]: "any" });
  });

  test("a plain table is one too, on any device", () => {
    expect(readTuning({ "linear q8 32": "gemm_reg" }, { device, now: NOW })).toEqual({ "linear q8 32": "gemm_reg" });
    expect(readTuning({}, { device, now: NOW })).toEqual({});
  });

  test.each([
    ["another schema", document({ schema: "ridgepoint/1" }), /expected schema ridgepoint\/tuning-1, came ridgepoint\/1/],
    ["another device", document({ device: "elsewhere" }), /made on elsewhere/],
    ["no entries", document({ entries: undefined }), /not those of a tuning/],
    ["an entry that is none", document({ entries: [{ key: "linear q4 1" }] }), /not those of a tuning/],
    ["an old entry", document({ entries: [entry({ at: NOW - 31 * DAY })] }), /"linear q4 1" is more than 30 days old/],
    ["a table of numbers", { "linear q4 1": 7 }, /expected the name of a variant for "linear q4 1", came 7/],
    ["a class that nothing looks up", { "linear q5 1": "gemv_lane" }, /expected classes such as .* came "linear q5 1"/],
    ["a list", [], /came object/],
    ["text", "tuning", /came string/],
    ["null", null, /came object/],
  ])("with %s is refused", (_, value, message) => {
    expect(() => readTuning(value, { device, now: NOW })).toThrow(message);
    expect(() => readTuning(value, { device, now: NOW })).toThrow(expect.objectContaining({ code: "bad-option" }));
  });

  test("an entry holds for 30 days, and not before its time", () => {
    expect(isExpired(entry(), NOW + TUNING_DAYS * DAY)).toBe(false);
    expect(isExpired(entry(), NOW + TUNING_DAYS * DAY + 1)).toBe(true);
    expect(isExpired(entry({ at: NOW + 2 * DAY }), NOW)).toBe(true);
    expect(isExpired(entry({ at: Number.NaN }), NOW)).toBe(true);
  });
});

describe("without IndexedDB", () => {
  test("the store tells so, and keeps nothing", async () => {
    const store = await openTuningStore(undefined);
    expect(store.fault).toBe("this page has no IndexedDB");
    await store.put("device", [entry()]);
    expect(await store.get("device", "linear q4 1", "00")).toBeNull();
    expect(await store.all("device")).toEqual([]);
    await store.clear("device");
    store.close();
  });

  test("a browser that refuses to open it is told as it says it", async () => {
    const refusing = {
      open() {
        const request = { error: new Error("a private window"), onerror: null as (() => void) | null };
        queueMicrotask(() => request.onerror?.());
        return request;
      },
    };
    const store = await openTuningStore(refusing as unknown as IDBFactory);
    expect(store.fault).toBe("IndexedDB does not open: a private window");
    const throwing = {
      open() {
        throw new Error("SecurityError");
      },
    };
    expect((await openTuningStore(throwing as unknown as IDBFactory)).fault).toMatch("SecurityError");
  });
});
