// Matrix product in registers with inputs shared by a subgroup: output[t, n] = Σ_k input[t, k] · weight[n, k]. For CPU adapters with subgroups.
// Dispatch: (⌈T / 8⌉, ⌈OUT / 64⌉) workgroups of 8 invocations; an invocation owns 8 rows × 8 columns, which ones of 64 is lib/columns_*'s choice.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_* or lib/quads_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// Four or eight lanes load inputs of a row at once and broadcast them (lib/inputs_*): inputs cost a quarter or an eighth of the loads, which bind there.
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
  let row = group.x * 8u;
  let last = plan.rows - 1u;
  // Rows past the end repeat the last one: they are computed and not stored.
  let r0 = min(row + 0u, last) * IN;
  let r1 = min(row + 1u, last) * IN;
  let r2 = min(row + 2u, last) * IN;
  let r3 = min(row + 3u, last) * IN;
  let r4 = min(row + 4u, last) * IN;
  let r5 = min(row + 5u, last) * IN;
  let r6 = min(row + 6u, last) * IN;
  let r7 = min(row + 7u, last) * IN;
  var n0 = vec4f(0.0); var n1 = vec4f(0.0); var n2 = vec4f(0.0); var n3 = vec4f(0.0);
  var n4 = vec4f(0.0); var n5 = vec4f(0.0); var n6 = vec4f(0.0); var n7 = vec4f(0.0);
  var f0 = vec4f(0.0); var f1 = vec4f(0.0); var f2 = vec4f(0.0); var f3 = vec4f(0.0);
  var f4 = vec4f(0.0); var f5 = vec4f(0.0); var f6 = vec4f(0.0); var f7 = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    let scales = scales_of(block, column);
    for (var octet = block * 4u; octet < block * 4u + 4u; octet++) {
      let k = octet * 8u;
      let words = words_of(octet, column);
      let low = low_of(words, scales);
      let high = high_of(words, scales);
      let a0 = inputs_of(r0 + k, place);
      n0 = add(add(n0, a0.low, low.near), a0.high, high.near);
      f0 = add(add(f0, a0.low, low.far), a0.high, high.far);
      let a1 = inputs_of(r1 + k, place);
      n1 = add(add(n1, a1.low, low.near), a1.high, high.near);
      f1 = add(add(f1, a1.low, low.far), a1.high, high.far);
      let a2 = inputs_of(r2 + k, place);
      n2 = add(add(n2, a2.low, low.near), a2.high, high.near);
      f2 = add(add(f2, a2.low, low.far), a2.high, high.far);
      let a3 = inputs_of(r3 + k, place);
      n3 = add(add(n3, a3.low, low.near), a3.high, high.near);
      f3 = add(add(f3, a3.low, low.far), a3.high, high.far);
      let a4 = inputs_of(r4 + k, place);
      n4 = add(add(n4, a4.low, low.near), a4.high, high.near);
      f4 = add(add(f4, a4.low, low.far), a4.high, high.far);
      let a5 = inputs_of(r5 + k, place);
      n5 = add(add(n5, a5.low, low.near), a5.high, high.near);
      f5 = add(add(f5, a5.low, low.far), a5.high, high.far);
      let a6 = inputs_of(r6 + k, place);
      n6 = add(add(n6, a6.low, low.near), a6.high, high.near);
      f6 = add(add(f6, a6.low, low.far), a6.high, high.far);
      let a7 = inputs_of(r7 + k, place);
      n7 = add(add(n7, a7.low, low.near), a7.high, high.near);
      f7 = add(add(f7, a7.low, low.far), a7.high, high.far);
    }
  }
  store8(row + 0u, column, n0, f0);
  store8(row + 1u, column, n1, f1);
  store8(row + 2u, column, n2, f2);
  store8(row + 3u, column, n3, f3);
  store8(row + 4u, column, n4, f4);
  store8(row + 5u, column, n5, f5);
  store8(row + 6u, column, n6, f6);
  store8(row + 7u, column, n7, f7);
}
