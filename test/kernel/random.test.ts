/** lib/random.wgsl: the generator's bits exactly, and Gumbel noise from given bits against float64, far into both tails. */
import { expect, test } from "vitest";
import randomPart from "../../shaders/lib/random.wgsl?raw";
import type { Kernel } from "../../src/kernels/dispatch";
import { plainRows, runKernel, untouched } from "../support/kernel";

const kernelOf = (body: string, outputs: number): Kernel => ({
  name: "random",
  variant: "test",
  wgsl: {
    source: `@group(0) @binding(0) var<storage, read> given: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> output: array<${outputs === 4 ? "vec4u" : "f32"}>;
@compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3u) { ${body} }`,
    parts: [randomPart],
  },
  bindings: ["read", "write"],
  grid: ({ rows }) => [rows, 1, 1],
  shape: () => ({}),
  work: () => ({ flops: 0, bytes: 0, loads: 0 }),
});

/** PCG4D in integers. */
function pcg4d(seed: number, draw: number, place: number, id: number): number[] {
  let [x, y, z, w] = [seed, draw, place, id].map((n) => (Math.imul(n, 1664525) + 1013904223) >>> 0) as [
    number,
    number,
    number,
    number,
  ];
  const round = () => {
    x = (x + Math.imul(y, w)) >>> 0;
    y = (y + Math.imul(z, x)) >>> 0;
    z = (z + Math.imul(x, y)) >>> 0;
    w = (w + Math.imul(y, z)) >>> 0;
  };
  round();
  [x, y, z, w] = [x, y, z, w].map((n) => (n ^ (n >>> 16)) >>> 0) as [number, number, number, number];
  round();
  return [x, y, z, w];
}

test("random_bits is PCG4D", async () => {
  const inputs: readonly (readonly [number, number, number, number])[] = [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [12345, 6, 789, 151935],
    [0x80000000, 1, 2047, 49151],
  ];
  const kernel = kernelOf("let g = given[id.x]; output[id.x] = random_bits(g.x, g.y, g.z, g.w);", 4);
  const bound = [Uint32Array.from(inputs.flat()), new Uint32Array(4 * inputs.length)];
  const [, output] = await runKernel({ kernel, bound, rows: plainRows(inputs.length) });
  expect([...output!]).toEqual(inputs.flatMap((input) => pcg4d(...input)));
});

test("Gumbel noise follows 64 bits of uniform into both tails", async () => {
  const high = [
    0,
    1,
    2,
    255,
    2 ** 20,
    0x3fffffff,
    0x7fffffff,
    0x80000000,
    0xc0000000,
    0xfff00000,
    0xfffffff0,
    0xfffffffe,
    0xffffffff,
  ];
  const low = [0, 1, 2 ** 16, 0x80000000, 0xffffffff];
  const inputs = high.flatMap((x) => low.map((y) => [x, y, 0, 0]));
  const kernel = kernelOf("output[id.x] = gumbel(given[id.x]);", 1);
  const bound = [Uint32Array.from(inputs.flat()), untouched(inputs.length)];
  const [, output] = await runKernel({ kernel, bound, rows: plainRows(inputs.length) });
  inputs.forEach(([x, y], i) => {
    // Below a half the second word is not read; above, the distance from 1 has all 64 bits.
    const tail = (2 ** 32 - 1 - x!) * 2 ** -32 + (y! + 0.5) * 2 ** -64;
    const exponential = x! < 2 ** 31 ? -Math.log((x! + 0.5) * 2 ** -32) : -Math.log1p(-tail);
    const want = -Math.log(exponential);
    // WGSL's log is good to 2^-21 where its argument is in [0.5, 2]: 5e-4 of an exponential of 1e-3, where the series takes over.
    expect(Math.abs(output![i]! - want), `bits ${x} ${y}`).toBeLessThan(2 ** -21 * (1000 + 8 * Math.abs(want)));
  });
  // The greatest of a vocabulary of 150,000 is about 12; a 24-bit uniform would end at 16.6.
  expect(Math.max(...output!.subarray(0, inputs.length))).toBeGreaterThan(40);
});
