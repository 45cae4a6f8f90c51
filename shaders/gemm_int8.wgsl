// Matrix product of bytes over tiles in workgroup memory: output[t, n] = Σ_k input[t, k] · weight[n, k], weights q4 or q8. For GPUs with dot products of bytes.
// Dispatch: (⌈T / 32⌉, ⌈OUT / 64⌉) workgroups of 8 × 8 invocations; a workgroup owns a 32 × 64 tile, an invocation 4 × 8 of it: rows and columns 8 apart.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// Inputs are rounded to signed bytes as they are staged, each block of 32 with a scale of its own (its largest value / 127); a block's 32 products are
// summed exactly in i32, blocks in f32. The minimum of a block meets the sum of the rounded inputs, so that their error counts by the weight and not by
// the stored number. FLOPs 2·T·OUT·IN; bytes: each operand once.
// Source: onnxruntime's DP4A MatMulNBits, which quantises 128 at a time and in a kernel of its own.
const IN: u32 = 64; // input features, padded to 32

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

var<workgroup> inputs: array<u32, 264>;       // [four of k = 8][row = 32, and one for the banks]
var<workgroup> input_scales: array<vec2f, 32>; // of each row: scale, sum of the block's rounded inputs
var<workgroup> weights: array<u32, 512>;      // [four of k = 8][column = 64]
var<workgroup> scales: array<vec2f, 64>;      // of each column: scale, minimum

fn dots4(a: u32, w: vec4u) -> vec4i {
  return vec4i(dot4I8Packed(a, w.x), dot4I8Packed(a, w.y), dot4I8Packed(a, w.z), dot4I8Packed(a, w.w));
}

// sum + scale · input scale · products + minimum · inputs, for four columns.
fn scale_sum(sum: vec4f, products: vec4i, row: vec2f, columns: mat4x2f) -> vec4f {
  let parts = transpose(columns);
  return fma(vec4f(products) * row.x, parts[0], fma(parts[1], vec4f(row.y), sum));
}

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) index: u32) {
  let last = plan.rows - 1u;
  let first_row = group.x * 32u;
  let first_column = group.y * 64u;
  var n0 = vec4f(0.0); var n1 = vec4f(0.0); var n2 = vec4f(0.0); var n3 = vec4f(0.0);
  var f0 = vec4f(0.0); var f1 = vec4f(0.0); var f2 = vec4f(0.0); var f3 = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    // Two invocations a row: both see the whole block, for its largest value and its sum, and each keeps a half. A column each.
    let r = index % 32u;
    let at = min(first_row + r, last) * (IN / 4u) + block * 8u;
    var peak = vec4f(0.0);
    for (var i = 0u; i < 8u; i++) {
      peak = max(peak, abs(input[at + i]));
    }
    let most = max(max(peak.x, peak.y), max(peak.z, peak.w));
    let unit = select(0.0, 127.0 / most, most > 1e-30);
    let scale = byte_scale_of(block, first_column + index);
    let w0 = bytes_of(block * 4u, first_column + index);
    let w1 = bytes_of(block * 4u + 1u, first_column + index);
    let w2 = bytes_of(block * 4u + 2u, first_column + index);
    let w3 = bytes_of(block * 4u + 3u, first_column + index);
    workgroupBarrier();
    var total = vec4f(0.0);
    for (var i = 0u; i < 8u; i++) {
      let rounded = round(input[at + i] * unit);
      total += rounded;
      if (i / 4u == index / 32u) {
        inputs[i * 33u + r] = pack4xI8(vec4i(rounded));
      }
    }
    if (index < 32u) {
      input_scales[r] = vec2f(1.0, dot(total, vec4f(1.0))) * (most / 127.0);
    }
    scales[index] = scale;
    weights[index] = w0.x;
    weights[64u + index] = w0.y;
    weights[128u + index] = w1.x;
    weights[192u + index] = w1.y;
    weights[256u + index] = w2.x;
    weights[320u + index] = w2.y;
    weights[384u + index] = w3.x;
    weights[448u + index] = w3.y;
    workgroupBarrier();
    var p0 = vec4i(0); var p1 = vec4i(0); var p2 = vec4i(0); var p3 = vec4i(0);
    var q0 = vec4i(0); var q1 = vec4i(0); var q2 = vec4i(0); var q3 = vec4i(0);
    for (var i = 0u; i < 8u; i++) {
      let w = i * 64u + local.x;
      let near = vec4u(weights[w], weights[w + 8u], weights[w + 16u], weights[w + 24u]);
      let far = vec4u(weights[w + 32u], weights[w + 40u], weights[w + 48u], weights[w + 56u]);
      let a = i * 33u + local.y;
      p0 += dots4(inputs[a], near);
      q0 += dots4(inputs[a], far);
      p1 += dots4(inputs[a + 8u], near);
      q1 += dots4(inputs[a + 8u], far);
      p2 += dots4(inputs[a + 16u], near);
      q2 += dots4(inputs[a + 16u], far);
      p3 += dots4(inputs[a + 24u], near);
      q3 += dots4(inputs[a + 24u], far);
    }
    let c = local.x;
    let near = mat4x2f(scales[c], scales[c + 8u], scales[c + 16u], scales[c + 24u]);
    let far = mat4x2f(scales[c + 32u], scales[c + 40u], scales[c + 48u], scales[c + 56u]);
    n0 = scale_sum(n0, p0, input_scales[local.y], near);
    f0 = scale_sum(f0, q0, input_scales[local.y], far);
    n1 = scale_sum(n1, p1, input_scales[local.y + 8u], near);
    f1 = scale_sum(f1, q1, input_scales[local.y + 8u], far);
    n2 = scale_sum(n2, p2, input_scales[local.y + 16u], near);
    f2 = scale_sum(f2, q2, input_scales[local.y + 16u], far);
    n3 = scale_sum(n3, p3, input_scales[local.y + 24u], near);
    f3 = scale_sum(f3, q3, input_scales[local.y + 24u], far);
  }
  let row = first_row + local.y;
  let column = first_column + local.x;
  store8(row, column, n0, f0);
  store8(row + 8u, column, n1, f1);
  store8(row + 16u, column, n2, f2);
  store8(row + 24u, column, n3, f3);
}
