// Peak multiply-add rate: every invocation runs independent recurrences x ← x·x + c.
//
//   sums[i] = Σ over chains and lanes of x after steps × 16 multiply-adds, x₀ from the invocation's number
//
// Quadratic, because affine steps can be composed by a compiler; c and the seed come from a buffer, so that nothing folds; |x| < 1.
// Dispatch: one invocation per element of `sums`.
// Bindings: params; sums f32 [invocations].
// Parts: lane_*.wgsl (the type of x), chains_*.wgsl (how many x).
// Precision: that of x. FLOPs a step: 2 × 16 × chains × lanes an invocation; bytes: 4 an invocation.
// Source: the method of clpeak's and ERT's compute kernels; departs by verifying the result against a replay.

const WORKGROUP: u32 = 64; // invocations

struct Params {
  steps: u32,
  seed: f32,
  c: f32,
  unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let seed = params.seed + f32(id.x & 1023u) * 0.000244140625;
  sums[id.x] = fold(run(spread(seed), Value(Scalar(params.c)), params.steps));
}
