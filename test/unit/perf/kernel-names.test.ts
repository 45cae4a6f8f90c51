/** Kernels are found by the names that people have for them, and a name that there is not says which there are. */
import { expect, test } from "vitest";
import { findKernels } from "../../../perf/kernel-names";
import { KERNELS } from "./profiles";

const rolesOf = (name: string, phase?: string): string[] =>
  findKernels(KERNELS, name, phase).map((kernel) => `${kernel.role} ${kernel.phase}`);

test.each([
  ["gemm_lane", ["qkv_proj prefill"]],
  ["gemm", ["qkv_proj prefill"]],
  ["gemm_lane_q4_16x8", ["qkv_proj prefill"]],
  ["gemv_lane_q8", ["lm_head decode"]],
  ["qkv_proj", ["qkv_proj prefill", "qkv_proj decode"]],
  ["matmul", ["qkv_proj prefill", "qkv_proj decode", "lm_head decode"]],
  ["matmul_q4", ["qkv_proj prefill", "qkv_proj decode"]],
  ["attention", ["attention prefill"]],
] as const)("%s", (name, found) => expect(rolesOf(name)).toEqual(found));

test("of one phase", () => expect(rolesOf("matmul_q4", "decode")).toEqual(["qkv_proj decode"]));

test.each(["gem", "gemm_tile", "lane", "q4", "matmul_f16", "matmul_q", "", "GEMM"])('"%s" is no kernel\'s name', (name) => {
  expect(() => findKernels(KERNELS, name)).toThrow(/gemm_lane \(q4-16x8\).*a role: attention, final_norm, lm_head, qkv_proj/);
  expect(() => findKernels(KERNELS, name)).toThrow(expect.objectContaining({ code: "bad-option" }));
});

test("a phase that did not run", () =>
  expect(() => findKernels(KERNELS, "matmul", "denoise")).toThrow(
    /expected a phase of this run, prefill, decode; came "denoise"/,
  ));
