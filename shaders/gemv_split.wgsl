// Matrix-vector product with the sum split over a workgroup: output[t, n] = Σ_k input[t, k] · weight[n, k], for devices with many cores.
// Dispatch: (⌈OUT / WIDTH⌉, rows) workgroups of WIDTH × SPLIT invocations; x is the column, y takes every SPLIT-th block of 32 inputs.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT]; plan.
// Accumulates f32, in a fixed order. FLOPs 2·T·OUT·IN; bytes: weights once per row.
const IN: u32 = 64;    // input features, padded to 32
const WIDTH: u32 = 32; // columns a workgroup
const SPLIT: u32 = 8;  // invocations that share a column

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

var<workgroup> partial: array<f32, WIDTH * SPLIT>;

@compute @workgroup_size(WIDTH, SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = group.y;
  let column = group.x * WIDTH + local.x;
  var sum = 0.0;
  for (var block = local.y; block < IN / 32u; block += SPLIT) {
    var products = 0.0;
    var inputs = vec4f(0.0);
    for (var octet = block * 4u; octet < block * 4u + 4u; octet++) {
      let low = input[row * (IN / 4u) + octet * 2u];
      let high = input[row * (IN / 4u) + octet * 2u + 1u];
      inputs += low + high;
      let low_units = low * UNIT;
      let high_units = high * UNIT;
      let stored = octet_of(octet, column);
      products += dot(stored.low, low_units) + dot(stored.high, high_units);
    }
    let scale = scale_of(block, column);
    sum = fma(products, scale.x, fma(scale.y, inputs.x + inputs.y + inputs.z + inputs.w, sum));
  }
  partial[local.y * WIDTH + local.x] = sum;
  workgroupBarrier();
  if (local.y == 0u) {
    for (var i = 1u; i < SPLIT; i++) {
      sum += partial[i * WIDTH + local.x];
    }
    store(row, column, sum);
  }
}
