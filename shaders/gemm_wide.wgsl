// Matrix product of few rows: output[t, n] = Σ_k input[t, k] · weight[n, k]. For GPUs, 8 to 24 rows, where the weights' bytes bind.
// Dispatch: (⌈T / 16⌉, ⌈OUT / 128⌉) workgroups of 64 invocations; a workgroup owns 16 rows × 128 columns, an invocation all 16 rows of columns c and c + 32.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// Inputs go through workgroup memory, a block of 32 at a time; weights go straight to registers, each read and dequantised once for 16 rows.
// Accumulates f32. FLOPs 2·T·OUT·IN; bytes: each operand once. The scheme of onnxruntime's wide tile, with two columns an invocation.
const IN: u32 = 64; // input features, padded to 32

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

var<workgroup> inputs: array<vec4f, 128>; // [row = 16][quad of k = 8]

// sum + what eight inputs of a row add to the two columns.
fn add(sum: vec2f, at: u32, first: Octet, second: Octet) -> vec2f {
  let low = inputs[at];
  let high = inputs[at + 1u];
  return sum + vec2f(dot(low, first.low) + dot(high, first.high), dot(low, second.low) + dot(high, second.high));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
  let last = plan.rows - 1u;
  let row = group.x * 16u;
  let column = group.y * 128u + index / 32u * 64u + index % 32u;
  // The plane is padded to 64 columns, the grid to 128.
  let plane_column = min(column, COLUMNS - 64u + index % 32u);
  var s0 = vec2f(0.0); var s1 = vec2f(0.0); var s2 = vec2f(0.0); var s3 = vec2f(0.0);
  var s4 = vec2f(0.0); var s5 = vec2f(0.0); var s6 = vec2f(0.0); var s7 = vec2f(0.0);
  var s8 = vec2f(0.0); var s9 = vec2f(0.0); var s10 = vec2f(0.0); var s11 = vec2f(0.0);
  var s12 = vec2f(0.0); var s13 = vec2f(0.0); var s14 = vec2f(0.0); var s15 = vec2f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    let k = block * 8u + index % 8u;
    let near = input[min(row + index / 8u, last) * (IN / 4u) + k];
    let far = input[min(row + 8u + index / 8u, last) * (IN / 4u) + k];
    let first_scale = scale_of(block, plane_column);
    let second_scale = scale_of(block, plane_column + 32u);
    workgroupBarrier();
    inputs[index] = near;
    inputs[64u + index] = far;
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      let first = scaled(octet_of(block * 4u + i, plane_column), first_scale);
      let second = scaled(octet_of(block * 4u + i, plane_column + 32u), second_scale);
      let at = i * 2u;
      s0 = add(s0, at, first, second);
      s1 = add(s1, at + 8u, first, second);
      s2 = add(s2, at + 16u, first, second);
      s3 = add(s3, at + 24u, first, second);
      s4 = add(s4, at + 32u, first, second);
      s5 = add(s5, at + 40u, first, second);
      s6 = add(s6, at + 48u, first, second);
      s7 = add(s7, at + 56u, first, second);
      s8 = add(s8, at + 64u, first, second);
      s9 = add(s9, at + 72u, first, second);
      s10 = add(s10, at + 80u, first, second);
      s11 = add(s11, at + 88u, first, second);
      s12 = add(s12, at + 96u, first, second);
      s13 = add(s13, at + 104u, first, second);
      s14 = add(s14, at + 112u, first, second);
      s15 = add(s15, at + 120u, first, second);
    }
  }
  store_pair(row, column, s0.x, s0.y);
  store_pair(row + 1u, column, s1.x, s1.y);
  store_pair(row + 2u, column, s2.x, s2.y);
  store_pair(row + 3u, column, s3.x, s3.y);
  store_pair(row + 4u, column, s4.x, s4.y);
  store_pair(row + 5u, column, s5.x, s5.y);
  store_pair(row + 6u, column, s6.x, s6.y);
  store_pair(row + 7u, column, s7.x, s7.y);
  store_pair(row + 8u, column, s8.x, s8.y);
  store_pair(row + 9u, column, s9.x, s9.y);
  store_pair(row + 10u, column, s10.x, s10.y);
  store_pair(row + 11u, column, s11.x, s11.y);
  store_pair(row + 12u, column, s12.x, s12.y);
  store_pair(row + 13u, column, s13.x, s13.y);
  store_pair(row + 14u, column, s14.x, s14.y);
  store_pair(row + 15u, column, s15.x, s15.y);
}
