// Matrix product over tiles in workgroup memory: output[t, n] = Σ_k input[t, k] · weight[n, k]. For GPUs.
// Dispatch: (⌈OUT / 32⌉, ⌈T / 32⌉) workgroups of 8 × 8 invocations; a workgroup owns a 32 × 32 tile, an invocation 4 × 4 of it.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// A step covers one block of 32 inputs: weights are dequantised once a tile. Accumulates f32. FLOPs 2·T·OUT·IN; bytes: each operand once.
const IN: u32 = 64; // input features, padded to 32

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

var<workgroup> inputs: array<vec4f, 256>;  // [k = 32][row / 4 = 8]: four rows side by side
var<workgroup> weights: array<f32, 1024>;  // [k = 32][column = 32]; scalars, for a write to one component may touch its neighbours

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) index: u32) {
  let last = plan.rows - 1u;
  let row = group.y * 32u;
  let column = group.x * 32u;
  var s0 = vec4f(0.0);
  var s1 = vec4f(0.0);
  var s2 = vec4f(0.0);
  var s3 = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    // 64 invocations load 32 rows × 8 quads, four quads each, and 32 columns × 4 octets, two octets each.
    let quad = index % 8u;
    let r = (index / 8u) * 4u;
    let k = block * 8u + quad;
    let rows = transpose(mat4x4f(
      input[min(row + r, last) * (IN / 4u) + k],
      input[min(row + r + 1u, last) * (IN / 4u) + k],
      input[min(row + r + 2u, last) * (IN / 4u) + k],
      input[min(row + r + 3u, last) * (IN / 4u) + k],
    ));
    let c = index % 32u;
    let scale = scale_of(block, column + c);
    let first = (index / 32u) * 2u;
    let near = scaled(octet_of(block * 4u + first, column + c), scale);
    let far = scaled(octet_of(block * 4u + first + 1u, column + c), scale);
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      inputs[(quad * 4u + i) * 8u + r / 4u] = rows[i];
      weights[(first * 8u + i) * 32u + c] = near.low[i];
      weights[(first * 8u + 4u + i) * 32u + c] = near.high[i];
      weights[(first * 8u + 8u + i) * 32u + c] = far.low[i];
      weights[(first * 8u + 12u + i) * 32u + c] = far.high[i];
    }
    workgroupBarrier();
    for (var i = 0u; i < 32u; i++) {
      let a = inputs[i * 8u + local.y];
      let at = i * 32u + local.x * 4u;
      let w = vec4f(weights[at], weights[at + 1u], weights[at + 2u], weights[at + 3u]);
      s0 = fma(vec4f(a.x), w, s0);
      s1 = fma(vec4f(a.y), w, s1);
      s2 = fma(vec4f(a.z), w, s2);
      s3 = fma(vec4f(a.w), w, s3);
    }
  }
  for (var i = 0u; i < 4u; i++) {
    store(row + local.y * 4u, column + local.x * 4u + i, s0[i]);
    store(row + local.y * 4u + 1u, column + local.x * 4u + i, s1[i]);
    store(row + local.y * 4u + 2u, column + local.x * 4u + i, s2[i]);
    store(row + local.y * 4u + 3u, column + local.x * 4u + i, s3[i]);
  }
}
