// Matrix product in registers with inputs shared by a subgroup: output[t, n] = Σ_k input[t, k] · weight[n, k]. For CPU adapters with subgroups.
// Dispatch: (⌈T / 16⌉, ⌈OUT / 64⌉) workgroups of 8 invocations; an invocation owns 16 rows × 8 columns, which ones of 64 is lib/columns_*'s choice.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_* or lib/quads_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// As gemm_lane, each weight serving twice the rows: less to load and to dequantise, where registers or the compiler's patience allow it.
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
  let row = group.x * 16u;
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
  let r8 = min(row + 8u, last) * IN;
  let r9 = min(row + 9u, last) * IN;
  let r10 = min(row + 10u, last) * IN;
  let r11 = min(row + 11u, last) * IN;
  let r12 = min(row + 12u, last) * IN;
  let r13 = min(row + 13u, last) * IN;
  let r14 = min(row + 14u, last) * IN;
  let r15 = min(row + 15u, last) * IN;
  var n0 = vec4f(0.0); var n1 = vec4f(0.0); var n2 = vec4f(0.0); var n3 = vec4f(0.0);
  var n4 = vec4f(0.0); var n5 = vec4f(0.0); var n6 = vec4f(0.0); var n7 = vec4f(0.0);
  var n8 = vec4f(0.0); var n9 = vec4f(0.0); var n10 = vec4f(0.0); var n11 = vec4f(0.0);
  var n12 = vec4f(0.0); var n13 = vec4f(0.0); var n14 = vec4f(0.0); var n15 = vec4f(0.0);
  var f0 = vec4f(0.0); var f1 = vec4f(0.0); var f2 = vec4f(0.0); var f3 = vec4f(0.0);
  var f4 = vec4f(0.0); var f5 = vec4f(0.0); var f6 = vec4f(0.0); var f7 = vec4f(0.0);
  var f8 = vec4f(0.0); var f9 = vec4f(0.0); var f10 = vec4f(0.0); var f11 = vec4f(0.0);
  var f12 = vec4f(0.0); var f13 = vec4f(0.0); var f14 = vec4f(0.0); var f15 = vec4f(0.0);
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
      let a8 = inputs_of(r8 + k, place);
      n8 = add(add(n8, a8.low, low.near), a8.high, high.near);
      f8 = add(add(f8, a8.low, low.far), a8.high, high.far);
      let a9 = inputs_of(r9 + k, place);
      n9 = add(add(n9, a9.low, low.near), a9.high, high.near);
      f9 = add(add(f9, a9.low, low.far), a9.high, high.far);
      let a10 = inputs_of(r10 + k, place);
      n10 = add(add(n10, a10.low, low.near), a10.high, high.near);
      f10 = add(add(f10, a10.low, low.far), a10.high, high.far);
      let a11 = inputs_of(r11 + k, place);
      n11 = add(add(n11, a11.low, low.near), a11.high, high.near);
      f11 = add(add(f11, a11.low, low.far), a11.high, high.far);
      let a12 = inputs_of(r12 + k, place);
      n12 = add(add(n12, a12.low, low.near), a12.high, high.near);
      f12 = add(add(f12, a12.low, low.far), a12.high, high.far);
      let a13 = inputs_of(r13 + k, place);
      n13 = add(add(n13, a13.low, low.near), a13.high, high.near);
      f13 = add(add(f13, a13.low, low.far), a13.high, high.far);
      let a14 = inputs_of(r14 + k, place);
      n14 = add(add(n14, a14.low, low.near), a14.high, high.near);
      f14 = add(add(f14, a14.low, low.far), a14.high, high.far);
      let a15 = inputs_of(r15 + k, place);
      n15 = add(add(n15, a15.low, low.near), a15.high, high.near);
      f15 = add(add(f15, a15.low, low.far), a15.high, high.far);
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
  store8(row + 8u, column, n8, f8);
  store8(row + 9u, column, n9, f9);
  store8(row + 10u, column, n10, f10);
  store8(row + 11u, column, n11, f11);
  store8(row + 12u, column, n12, f12);
  store8(row + 13u, column, n13, f13);
  store8(row + 14u, column, n14, f14);
  store8(row + 15u, column, n15, f15);
}
