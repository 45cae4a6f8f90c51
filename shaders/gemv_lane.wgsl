// Matrix-vector product in registers with inputs shared by a subgroup: output[t, n] = Σ_k input[t, k] · weight[n, k], one row t at a time.
// Dispatch: (⌈OUT / 8·WIDTH⌉, rows) workgroups of WIDTH invocations; an invocation owns 8 columns, WIDTH apart, so that neighbours read neighbours.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// Accumulates f32; scale and minimum are factored out of each block of 32: Σ (s·q + m)·x = s·Σ q·x + m·Σ x.
// FLOPs 2·T·OUT·IN; bytes: weights once per row. For CPU adapters with subgroups: loads bind there, and the inputs' are a quarter of gemv_reg's.
const IN: u32 = 64;   // input features, padded to 32
const WIDTH: u32 = 8; // invocations a workgroup

@group(0) @binding(2) var<storage, read> input: array<f32>;

fn product(octet: u32, column: u32, low: vec4f, high: vec4f) -> f32 {
  let stored = octet_of(octet, column);
  return dot(stored.low, low) + dot(stored.high, high);
}

fn scales_of(block: u32, column: u32) -> mat4x2f {
  return mat4x2f(
    scale_of(block, column),
    scale_of(block, column + WIDTH),
    scale_of(block, column + 2u * WIDTH),
    scale_of(block, column + 3u * WIDTH),
  );
}

// sum + scale · products + minimum · total, for four columns.
fn scale_sum(sum: vec4f, products: vec4f, total: f32, scales: mat4x2f) -> vec4f {
  let parts = transpose(scales);
  return fma(products, parts[0], fma(parts[1], vec4f(total), sum));
}

fn store4(row: u32, column: u32, sum: vec4f) {
  store(row, column, sum.x);
  store(row, column + WIDTH, sum.y);
  store(row, column + 2u * WIDTH, sum.z);
  store(row, column + 3u * WIDTH, sum.w);
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) place: u32) {
  let row = group.y;
  let column = group.x * WIDTH * 8u + lane;
  let beyond = column + 4u * WIDTH;
  var near = vec4f(0.0);
  var far = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    var near_products = vec4f(0.0);
    var far_products = vec4f(0.0);
    var inputs = 0.0;
    for (var octet = block * 4u; octet < block * 4u + 4u; octet++) {
      let at = row * IN + octet * 8u + place % 4u;
      let own_low = input[at];
      let own_high = input[at + 4u];
      inputs += own_low + own_high;
      let low = spread(own_low) * UNIT;
      let high = spread(own_high) * UNIT;
      near_products += vec4f(
        product(octet, column, low, high),
        product(octet, column + WIDTH, low, high),
        product(octet, column + 2u * WIDTH, low, high),
        product(octet, column + 3u * WIDTH, low, high),
      );
      far_products += vec4f(
        product(octet, beyond, low, high),
        product(octet, beyond + WIDTH, low, high),
        product(octet, beyond + 2u * WIDTH, low, high),
        product(octet, beyond + 3u * WIDTH, low, high),
      );
    }
    let total = dot(spread(inputs), vec4f(1.0));
    near = scale_sum(near, near_products, total, scales_of(block, column));
    far = scale_sum(far, far_products, total, scales_of(block, beyond));
  }
  store4(row, column, near);
  store4(row, beyond, far);
}
