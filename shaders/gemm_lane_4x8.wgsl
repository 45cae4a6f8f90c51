// Matrix product in registers with inputs shared by a subgroup: output[t, n] = Σ_k input[t, k] · weight[n, k]. For CPU adapters with subgroups.
// Dispatch: (⌈T / 4⌉, ⌈OUT / 64⌉) workgroups of 8 invocations; an invocation owns 4 rows × 8 columns, which ones of 64 is lib/columns_*'s choice.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_* or lib/quads_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// As gemm_lane with half the rows: 32 sums stay in registers where a lane is eight or sixteen wide. Weights are unpacked four inputs at a time.
// Accumulates f32. FLOPs 2·T·OUT·IN; bytes: each operand once. No workgroup memory, no barrier.
const IN: u32 = 64; // input features, padded to 32

@group(0) @binding(2) var<storage, read> input: array<f32>;

// sum + Σ_k a[k] · w[k], w[k] being four columns at input k.
fn add(sum: vec4f, a: vec4f, w: mat4x4f) -> vec4f {
  return fma(vec4f(a.w), w[3], fma(vec4f(a.z), w[2], fma(vec4f(a.y), w[1], fma(vec4f(a.x), w[0], sum))));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) place: u32) {
  let column = group.y * 64u + first_column(lane);
  let row = group.x * 4u;
  let last = plan.rows - 1u;
  // Rows past the end repeat the last one: they are computed and not stored.
  let r0 = min(row + 0u, last) * IN;
  let r1 = min(row + 1u, last) * IN;
  let r2 = min(row + 2u, last) * IN;
  let r3 = min(row + 3u, last) * IN;
  var n0 = vec4f(0.0); var n1 = vec4f(0.0); var n2 = vec4f(0.0); var n3 = vec4f(0.0);
  var f0 = vec4f(0.0); var f1 = vec4f(0.0); var f2 = vec4f(0.0); var f3 = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    let scales = scales_of(block, column);
    for (var octet = block * 4u; octet < block * 4u + 4u; octet++) {
      let k = octet * 8u;
      let words = words_of(octet, column);
      let a0 = inputs_of(r0 + k, place);
      let a1 = inputs_of(r1 + k, place);
      let a2 = inputs_of(r2 + k, place);
      let a3 = inputs_of(r3 + k, place);
      let low = low_of(words, scales);
      n0 = add(n0, a0.low, low.near);
      f0 = add(f0, a0.low, low.far);
      n1 = add(n1, a1.low, low.near);
      f1 = add(f1, a1.low, low.far);
      n2 = add(n2, a2.low, low.near);
      f2 = add(f2, a2.low, low.far);
      n3 = add(n3, a3.low, low.near);
      f3 = add(f3, a3.low, low.far);
      let high = high_of(words, scales);
      n0 = add(n0, a0.high, high.near);
      f0 = add(f0, a0.high, high.far);
      n1 = add(n1, a1.high, high.near);
      f1 = add(f1, a1.high, high.far);
      n2 = add(n2, a2.high, high.near);
      f2 = add(f2, a2.high, high.far);
      n3 = add(n3, a3.high, high.near);
      f3 = add(f3, a3.high, high.far);
    }
  }
  store8(row + 0u, column, n0, f0);
  store8(row + 1u, column, n1, f1);
  store8(row + 2u, column, n2, f2);
  store8(row + 3u, column, n3, f3);
}
