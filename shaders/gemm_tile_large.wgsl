// Matrix product over large tiles in workgroup memory: output[t, n] = Σ_k input[t, k] · weight[n, k]. For GPUs, hundreds of rows.
// Dispatch: (⌈T / 64⌉, ⌈OUT / 64⌉) workgroups of 8 × 8 invocations; a workgroup owns a 64 × 64 tile, an invocation 8 × 8 of it: rows and columns 8 apart.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// A step covers half a block, 16 inputs, which is what 16 KiB hold of both operands; 16 reads of workgroup memory serve 256 products.
// Layout as in gemm_tile. Accumulates f32. FLOPs 2·T·OUT·IN; bytes: each operand once.
const IN: u32 = 64; // input features, padded to 32

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

var<workgroup> inputs: array<vec4f, 260>;  // [quad of k = 4][row = 64, and one for the banks]
var<workgroup> weights: array<vec4f, 256>; // [quad of k = 4][column = 64]

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) index: u32) {
  let last = plan.rows - 1u;
  let first_row = group.x * 64u;
  let first_column = group.y * 64u;
  var n0 = vec4f(0.0); var n1 = vec4f(0.0); var n2 = vec4f(0.0); var n3 = vec4f(0.0);
  var n4 = vec4f(0.0); var n5 = vec4f(0.0); var n6 = vec4f(0.0); var n7 = vec4f(0.0);
  var f0 = vec4f(0.0); var f1 = vec4f(0.0); var f2 = vec4f(0.0); var f3 = vec4f(0.0);
  var f4 = vec4f(0.0); var f5 = vec4f(0.0); var f6 = vec4f(0.0); var f7 = vec4f(0.0);
  for (var step = 0u; step < IN / 16u; step++) {
    // 64 invocations load 64 rows × 4 quads, four each, and 64 columns × 2 octets, a column each.
    let quad = index % 4u;
    let r = index / 4u;
    let k = step * 4u + quad;
    let a0 = input[min(first_row + r, last) * (IN / 4u) + k];
    let a1 = input[min(first_row + r + 16u, last) * (IN / 4u) + k];
    let a2 = input[min(first_row + r + 32u, last) * (IN / 4u) + k];
    let a3 = input[min(first_row + r + 48u, last) * (IN / 4u) + k];
    let scale = scale_of(step / 2u, first_column + index);
    let o0 = scaled(octet_of(step * 2u, first_column + index), scale);
    let o1 = scaled(octet_of(step * 2u + 1u, first_column + index), scale);
    workgroupBarrier();
    inputs[quad * 65u + r] = a0;
    inputs[quad * 65u + r + 16u] = a1;
    inputs[quad * 65u + r + 32u] = a2;
    inputs[quad * 65u + r + 48u] = a3;
    weights[index] = o0.low;
    weights[64u + index] = o0.high;
    weights[128u + index] = o1.low;
    weights[192u + index] = o1.high;
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      let w = i * 64u + local.x;
      let near = mat4x4f(weights[w], weights[w + 8u], weights[w + 16u], weights[w + 24u]);
      let far = mat4x4f(weights[w + 32u], weights[w + 40u], weights[w + 48u], weights[w + 56u]);
      let a = i * 65u + local.y;
      n0 += inputs[a] * near;
      f0 += inputs[a] * far;
      n1 += inputs[a + 8u] * near;
      f1 += inputs[a + 8u] * far;
      n2 += inputs[a + 16u] * near;
      f2 += inputs[a + 16u] * far;
      n3 += inputs[a + 24u] * near;
      f3 += inputs[a + 24u] * far;
      n4 += inputs[a + 32u] * near;
      f4 += inputs[a + 32u] * far;
      n5 += inputs[a + 40u] * near;
      f5 += inputs[a + 40u] * far;
      n6 += inputs[a + 48u] * near;
      f6 += inputs[a + 48u] * far;
      n7 += inputs[a + 56u] * near;
      f7 += inputs[a + 56u] * far;
    }
  }
  let row = first_row + local.y;
  let column = first_column + local.x;
  store8(row, column, n0, f0);
  store8(row + 8u, column, n1, f1);
  store8(row + 16u, column, n2, f2);
  store8(row + 24u, column, n3, f3);
  store8(row + 32u, column, n4, f4);
  store8(row + 40u, column, n5, f5);
  store8(row + 48u, column, n6, f6);
  store8(row + 56u, column, n7, f7);
}
