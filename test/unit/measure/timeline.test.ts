/** Chrome traces: work adds up to the profile's, nothing overlaps on a track, unresolved times have no duration. */
import { describe, expect, test } from "vitest";
import { chromeTrace, type TimelineDispatch, type TimelineForward, type TraceEvent } from "../../../src/measure/timeline";

const dispatch = (role: string, ns: number | null, flops: number, bytes: number): TimelineDispatch => ({
  kernel: "gemm_tile",
  variant: "q8",
  role,
  layer: 0,
  shape: { T: 4 },
  flops,
  bytes,
  ns,
});

const FORWARDS: readonly TimelineForward[] = [
  {
    phase: "prefill",
    rows: 40,
    revealed: 1,
    passNs: 9000,
    dispatches: [dispatch("qkv_proj", 5000, 1000, 100), dispatch("attention", 2000, 300, 50)],
  },
  {
    phase: "decode",
    rows: 1,
    revealed: 1,
    passNs: null,
    dispatches: [dispatch("qkv_proj", 3000, 25, 90), dispatch("attention", null, 4, 8)],
  },
  { phase: "decode", rows: 1, revealed: 0, passNs: 1000, dispatches: [dispatch("qkv_proj", 3000, 25, 90)] },
];

const trace = chromeTrace([
  { name: "a", timeline: FORWARDS, bubbleNs: 4000 },
  { name: "b", timeline: FORWARDS.slice(1), bubbleNs: 0 },
]);
const complete = (pid: number, tid: number): TraceEvent[] =>
  trace.traceEvents.filter((event) => event.ph === "X" && event.pid === pid && event.tid === tid);
const sum = (events: readonly TraceEvent[], name: string): number =>
  events.reduce((total, { args }) => total + Number(args[name]), 0);

describe("a Chrome trace", () => {
  test("carries FLOP and bytes that add up, kernel by kernel and forward by forward", () => {
    for (const tid of [0, 1]) {
      expect(sum(complete(1, tid), "flops")).toBe(1354);
      expect(sum(complete(1, tid), "bytes")).toBe(338);
    }
    expect(complete(1, 1)[0]?.args).toMatchObject({ gflops: 0.2, gbps: 0.02, intensity: 10, kernel: "gemm_tile" });
    expect(complete(1, 0)[0]?.args).toMatchObject({ rows: 40, kernelsNs: 7000, passNs: 9000, gflops: 1300 / 9000 });
  });

  test("no two events of a track overlap, kernels lie in their forward, the bubble comes last", () => {
    for (const pid of [1, 2]) {
      for (const tid of [0, 1, 2]) {
        const events = complete(pid, tid);
        for (const [i, { ts = 0 }] of events.entries()) {
          const before = events[i - 1];
          if (before) expect(ts).toBeGreaterThanOrEqual((before.ts ?? 0) + (before.dur ?? 0) - 1e-9);
        }
      }
    }
    expect(complete(1, 0).map(({ ts, dur }) => [ts, dur])).toEqual([
      [0, 9],
      [9, 3],
      [12, 3],
    ]);
    expect(complete(1, 2)).toMatchObject([{ name: "bubble", ts: 15, dur: 4 }]);
    expect(complete(2, 2)).toEqual([]);
  });

  test("a time the clock could not resolve is null, not a rate", () => {
    const unresolved = complete(1, 1)[3];
    expect(unresolved).toMatchObject({ dur: 0, args: { ns: null } });
    expect(unresolved?.args).not.toHaveProperty("gflops");
  });

  test("is JSON with named processes and tracks", () => {
    expect(JSON.parse(JSON.stringify(trace))).toEqual(trace);
    const names = trace.traceEvents.filter(({ ph }) => ph === "M").map(({ name, pid, args }) => [name, pid, args.name]);
    expect(names).toContainEqual(["process_name", 2, "b"]);
    expect(names).toContainEqual(["thread_name", 1, "kernels"]);
  });
});
