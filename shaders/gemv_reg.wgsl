// Matrix-vector product in registers: output[t, n] = Σ_k input[t, k] · weight[n, k], one row t at a time.
// Dispatch: (⌈OUT / 4·WIDTH⌉, rows) workgroups of WIDTH invocations; an invocation owns 4 columns, WIDTH apart, so that neighbours read neighbours.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// Accumulates f32; scale and minimum are factored out of each block of 32: Σ (s·q + m)·x = s·Σ q·x + m·Σ x.
// FLOPs 2·T·OUT·IN; bytes: weights once per row.
const IN: u32 = 64;    // input features, padded to 32
const WIDTH: u32 = 8;  // invocations a workgroup

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

fn product(octet: Octet, low: vec4f, high: vec4f) -> f32 {
  return dot(octet.low, low) + dot(octet.high, high);
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let column = group.x * WIDTH * 4u + lane;
  var sum = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    var products = vec4f(0.0);
    var inputs = vec4f(0.0);
    for (var octet = block * 4u; octet < block * 4u + 4u; octet++) {
      let low = input[row * (IN / 4u) + octet * 2u];
      let high = input[row * (IN / 4u) + octet * 2u + 1u];
      inputs += low + high;
      let low_units = low * UNIT;
      let high_units = high * UNIT;
      products += vec4f(
        product(octet_of(octet, column), low_units, high_units),
        product(octet_of(octet, column + WIDTH), low_units, high_units),
        product(octet_of(octet, column + 2u * WIDTH), low_units, high_units),
        product(octet_of(octet, column + 3u * WIDTH), low_units, high_units),
      );
    }
    let total = inputs.x + inputs.y + inputs.z + inputs.w;
    let s0 = scale_of(block, column);
    let s1 = scale_of(block, column + WIDTH);
    let s2 = scale_of(block, column + 2u * WIDTH);
    let s3 = scale_of(block, column + 3u * WIDTH);
    sum = fma(products, vec4f(s0.x, s1.x, s2.x, s3.x), fma(vec4f(s0.y, s1.y, s2.y, s3.y), vec4f(total), sum));
  }
  store(row, column, sum.x);
  store(row, column + WIDTH, sum.y);
  store(row, column + 2u * WIDTH, sum.z);
  store(row, column + 3u * WIDTH, sum.w);
}
