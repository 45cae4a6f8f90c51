// Matrix product in registers, no workgroup memory and no barrier: output[t, n] = Σ_k input[t, k] · weight[n, k]. For CPU adapters.
// Dispatch: (⌈T / 8⌉, ⌈OUT / 8·WIDTH⌉) workgroups of WIDTH invocations; an invocation owns 8 rows × 8 columns, the columns WIDTH apart.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// Accumulates f32. `input · mat4x4(w0, w1, w2, w3)` is four dot products, one a column. FLOPs 2·T·OUT·IN; bytes: each operand once.
const IN: u32 = 64;   // input features, padded to 32
const WIDTH: u32 = 8; // invocations a workgroup

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = group.y * WIDTH * 8u + lane;
  let row = group.x * 8u;
  let last = plan.rows - 1u;
  // Rows past the end repeat the last one: they are computed and not stored.
  let r0 = min(row, last) * (IN / 4u);
  let r1 = min(row + 1u, last) * (IN / 4u);
  let r2 = min(row + 2u, last) * (IN / 4u);
  let r3 = min(row + 3u, last) * (IN / 4u);
  let r4 = min(row + 4u, last) * (IN / 4u);
  let r5 = min(row + 5u, last) * (IN / 4u);
  let r6 = min(row + 6u, last) * (IN / 4u);
  let r7 = min(row + 7u, last) * (IN / 4u);
  var n0 = vec4f(0.0); var n1 = vec4f(0.0); var n2 = vec4f(0.0); var n3 = vec4f(0.0);
  var n4 = vec4f(0.0); var n5 = vec4f(0.0); var n6 = vec4f(0.0); var n7 = vec4f(0.0);
  var f0 = vec4f(0.0); var f1 = vec4f(0.0); var f2 = vec4f(0.0); var f3 = vec4f(0.0);
  var f4 = vec4f(0.0); var f5 = vec4f(0.0); var f6 = vec4f(0.0); var f7 = vec4f(0.0);
  for (var octet = 0u; octet < IN / 8u; octet++) {
    let block = octet / 4u;
    let w0 = weights_of(octet, block, column);
    let w1 = weights_of(octet, block, column + WIDTH);
    let w2 = weights_of(octet, block, column + 2u * WIDTH);
    let w3 = weights_of(octet, block, column + 3u * WIDTH);
    let w4 = weights_of(octet, block, column + 4u * WIDTH);
    let w5 = weights_of(octet, block, column + 5u * WIDTH);
    let w6 = weights_of(octet, block, column + 6u * WIDTH);
    let w7 = weights_of(octet, block, column + 7u * WIDTH);
    let near_low = mat4x4f(w0.low, w1.low, w2.low, w3.low);
    let near_high = mat4x4f(w0.high, w1.high, w2.high, w3.high);
    let far_low = mat4x4f(w4.low, w5.low, w6.low, w7.low);
    let far_high = mat4x4f(w4.high, w5.high, w6.high, w7.high);
    let k = octet * 2u;
    let a0 = input[r0 + k]; let b0 = input[r0 + k + 1u];
    n0 += a0 * near_low + b0 * near_high; f0 += a0 * far_low + b0 * far_high;
    let a1 = input[r1 + k]; let b1 = input[r1 + k + 1u];
    n1 += a1 * near_low + b1 * near_high; f1 += a1 * far_low + b1 * far_high;
    let a2 = input[r2 + k]; let b2 = input[r2 + k + 1u];
    n2 += a2 * near_low + b2 * near_high; f2 += a2 * far_low + b2 * far_high;
    let a3 = input[r3 + k]; let b3 = input[r3 + k + 1u];
    n3 += a3 * near_low + b3 * near_high; f3 += a3 * far_low + b3 * far_high;
    let a4 = input[r4 + k]; let b4 = input[r4 + k + 1u];
    n4 += a4 * near_low + b4 * near_high; f4 += a4 * far_low + b4 * far_high;
    let a5 = input[r5 + k]; let b5 = input[r5 + k + 1u];
    n5 += a5 * near_low + b5 * near_high; f5 += a5 * far_low + b5 * far_high;
    let a6 = input[r6 + k]; let b6 = input[r6 + k + 1u];
    n6 += a6 * near_low + b6 * near_high; f6 += a6 * far_low + b6 * far_high;
    let a7 = input[r7 + k]; let b7 = input[r7 + k + 1u];
    n7 += a7 * near_low + b7 * near_high; f7 += a7 * far_low + b7 * far_high;
  }
  store8(row, column, n0, f0);
  store8(row + 1u, column, n1, f1);
  store8(row + 2u, column, n2, f2);
  store8(row + 3u, column, n3, f3);
  store8(row + 4u, column, n4, f4);
  store8(row + 5u, column, n5, f5);
  store8(row + 6u, column, n6, f6);
  store8(row + 7u, column, n7, f7);
}
