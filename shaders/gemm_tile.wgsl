// Matrix product over tiles in workgroup memory: output[t, n] = Σ_k input[t, k] · weight[n, k]. For GPUs, some dozens of rows.
// Dispatch: (⌈T / 32⌉, ⌈OUT / 64⌉) workgroups of 8 × 8 invocations; a workgroup owns a 32 × 64 tile, an invocation 4 × 8 of it: rows and columns 8 apart.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// A step covers one block of 32 inputs: weights are dequantised once a tile. Workgroup memory holds four inputs side by side, so that neither operand is
// transposed and neighbours read neighbours. Accumulates f32. FLOPs 2·T·OUT·IN; bytes: each operand once.
const IN: u32 = 64; // input features, padded to 32

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

var<workgroup> inputs: array<vec4f, 264>;  // [quad of k = 8][row = 32, and one for the banks]
var<workgroup> weights: array<vec4f, 512>; // [quad of k = 8][column = 64]

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) index: u32) {
  let last = plan.rows - 1u;
  let first_row = group.x * 32u;
  let first_column = group.y * 64u;
  var n0 = vec4f(0.0); var n1 = vec4f(0.0); var n2 = vec4f(0.0); var n3 = vec4f(0.0);
  var f0 = vec4f(0.0); var f1 = vec4f(0.0); var f2 = vec4f(0.0); var f3 = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    // 64 invocations load 32 rows × 8 quads, four each, and 64 columns × 4 octets, a column each.
    let quad = index % 8u;
    let r = index / 8u;
    let k = block * 8u + quad;
    let a0 = input[min(first_row + r, last) * (IN / 4u) + k];
    let a1 = input[min(first_row + r + 8u, last) * (IN / 4u) + k];
    let a2 = input[min(first_row + r + 16u, last) * (IN / 4u) + k];
    let a3 = input[min(first_row + r + 24u, last) * (IN / 4u) + k];
    let scale = scale_of(block, first_column + index);
    let o0 = scaled(octet_of(block * 4u, first_column + index), scale);
    let o1 = scaled(octet_of(block * 4u + 1u, first_column + index), scale);
    let o2 = scaled(octet_of(block * 4u + 2u, first_column + index), scale);
    let o3 = scaled(octet_of(block * 4u + 3u, first_column + index), scale);
    workgroupBarrier();
    inputs[quad * 33u + r] = a0;
    inputs[quad * 33u + r + 8u] = a1;
    inputs[quad * 33u + r + 16u] = a2;
    inputs[quad * 33u + r + 24u] = a3;
    weights[index] = o0.low;
    weights[64u + index] = o0.high;
    weights[128u + index] = o1.low;
    weights[192u + index] = o1.high;
    weights[256u + index] = o2.low;
    weights[320u + index] = o2.high;
    weights[384u + index] = o3.low;
    weights[448u + index] = o3.high;
    workgroupBarrier();
    for (var i = 0u; i < 8u; i++) {
      let w = i * 64u + local.x;
      let near = mat4x4f(weights[w], weights[w + 8u], weights[w + 16u], weights[w + 24u]);
      let far = mat4x4f(weights[w + 32u], weights[w + 40u], weights[w + 48u], weights[w + 56u]);
      let a = i * 33u + local.y;
      n0 += inputs[a] * near;
      f0 += inputs[a] * far;
      n1 += inputs[a + 8u] * near;
      f1 += inputs[a + 8u] * far;
      n2 += inputs[a + 16u] * near;
      f2 += inputs[a + 16u] * far;
      n3 += inputs[a + 24u] * near;
      f3 += inputs[a + 24u] * far;
    }
  }
  let row = first_row + local.y;
  let column = first_column + local.x;
  store8(row, column, n0, f0);
  store8(row + 8u, column, n1, f1);
  store8(row + 16u, column, n2, f2);
  store8(row + 24u, column, n3, f3);
}
