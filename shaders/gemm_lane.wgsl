// Matrix product in registers with inputs shared by a subgroup: output[t, n] = Σ_k input[t, k] · weight[n, k]. For CPU adapters with subgroups.
// Dispatch: (⌈OUT / 8·WIDTH⌉, ⌈T / 8⌉) workgroups of WIDTH invocations; an invocation owns 8 rows × 8 columns, the columns WIDTH apart.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// Four lanes load four inputs of a row at once and broadcast them: a quarter of gemm_reg's input loads, which is what binds there.
// Accumulates f32. FLOPs 2·T·OUT·IN; bytes: each operand once. Any subgroup of at least four lanes.
const IN: u32 = 64;   // input features, padded to 32
const WIDTH: u32 = 8; // invocations a workgroup

@group(0) @binding(2) var<storage, read> input: array<f32>;

// sum + Σ_k a[k] · w[k], w[k] being four columns at input k.
fn add(sum: vec4f, a: vec4f, w: mat4x4f) -> vec4f {
  return fma(vec4f(a.w), w[3], fma(vec4f(a.z), w[2], fma(vec4f(a.y), w[1], fma(vec4f(a.x), w[0], sum))));
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) place: u32) {
  let column = group.x * WIDTH * 8u + lane;
  let row = group.y * 8u;
  let last = plan.rows - 1u;
  // Rows past the end repeat the last one: they are computed and not stored.
  let r0 = min(row + 0u, last) * IN + place % 4u;
  let r1 = min(row + 1u, last) * IN + place % 4u;
  let r2 = min(row + 2u, last) * IN + place % 4u;
  let r3 = min(row + 3u, last) * IN + place % 4u;
  let r4 = min(row + 4u, last) * IN + place % 4u;
  let r5 = min(row + 5u, last) * IN + place % 4u;
  let r6 = min(row + 6u, last) * IN + place % 4u;
  let r7 = min(row + 7u, last) * IN + place % 4u;
  var n0 = vec4f(0.0);  var n1 = vec4f(0.0);  var n2 = vec4f(0.0);  var n3 = vec4f(0.0);
  var n4 = vec4f(0.0);  var n5 = vec4f(0.0);  var n6 = vec4f(0.0);  var n7 = vec4f(0.0);
  var f0 = vec4f(0.0);  var f1 = vec4f(0.0);  var f2 = vec4f(0.0);  var f3 = vec4f(0.0);
  var f4 = vec4f(0.0);  var f5 = vec4f(0.0);  var f6 = vec4f(0.0);  var f7 = vec4f(0.0);
  for (var octet = 0u; octet < IN / 8u; octet++) {
    let block = octet / 4u;
    let w0 = weights_of(octet, block, column + 0u * WIDTH);
    let w1 = weights_of(octet, block, column + 1u * WIDTH);
    let w2 = weights_of(octet, block, column + 2u * WIDTH);
    let w3 = weights_of(octet, block, column + 3u * WIDTH);
    let w4 = weights_of(octet, block, column + 4u * WIDTH);
    let w5 = weights_of(octet, block, column + 5u * WIDTH);
    let w6 = weights_of(octet, block, column + 6u * WIDTH);
    let w7 = weights_of(octet, block, column + 7u * WIDTH);
    let near_low = transpose(mat4x4f(w0.low, w1.low, w2.low, w3.low));
    let near_high = transpose(mat4x4f(w0.high, w1.high, w2.high, w3.high));
    let far_low = transpose(mat4x4f(w4.low, w5.low, w6.low, w7.low));
    let far_high = transpose(mat4x4f(w4.high, w5.high, w6.high, w7.high));
    let k = octet * 8u;
    let a0 = spread(input[r0 + k]);
    let b0 = spread(input[r0 + k + 4u]);
    n0 = add(add(n0, a0, near_low), b0, near_high);
    f0 = add(add(f0, a0, far_low), b0, far_high);
    let a1 = spread(input[r1 + k]);
    let b1 = spread(input[r1 + k + 4u]);
    n1 = add(add(n1, a1, near_low), b1, near_high);
    f1 = add(add(f1, a1, far_low), b1, far_high);
    let a2 = spread(input[r2 + k]);
    let b2 = spread(input[r2 + k + 4u]);
    n2 = add(add(n2, a2, near_low), b2, near_high);
    f2 = add(add(f2, a2, far_low), b2, far_high);
    let a3 = spread(input[r3 + k]);
    let b3 = spread(input[r3 + k + 4u]);
    n3 = add(add(n3, a3, near_low), b3, near_high);
    f3 = add(add(f3, a3, far_low), b3, far_high);
    let a4 = spread(input[r4 + k]);
    let b4 = spread(input[r4 + k + 4u]);
    n4 = add(add(n4, a4, near_low), b4, near_high);
    f4 = add(add(f4, a4, far_low), b4, far_high);
    let a5 = spread(input[r5 + k]);
    let b5 = spread(input[r5 + k + 4u]);
    n5 = add(add(n5, a5, near_low), b5, near_high);
    f5 = add(add(f5, a5, far_low), b5, far_high);
    let a6 = spread(input[r6 + k]);
    let b6 = spread(input[r6 + k + 4u]);
    n6 = add(add(n6, a6, near_low), b6, near_high);
    f6 = add(add(f6, a6, far_low), b6, far_high);
    let a7 = spread(input[r7 + k]);
    let b7 = spread(input[r7 + k + 4u]);
    n7 = add(add(n7, a7, near_low), b7, near_high);
    f7 = add(add(f7, a7, far_low), b7, far_high);
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
