// Matrix-vector products of few rows with the sum split over a workgroup: output[t, n] = Σ_k input[t, k] · weight[n, k], for devices with many cores.
// Dispatch: (⌈N / WIDTH⌉, ⌈T / ROWS⌉) workgroups of WIDTH × SPLIT invocations, N being the plane's columns; x is a column, y takes every SPLIT-th
// block of 32 inputs. Half of a workgroup's columns lie 32 beyond the others, so that it holds gates with their ups.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT], 5 gain (lib/norm_*); plan.
// Accumulates f32, in a fixed order; scale and minimum are factored out of each block of 32. FLOPs 2·T·OUT·IN; bytes: weights once per ROWS rows.
const IN: u32 = 64;    // input features, padded to 32
const WIDTH: u32 = 32; // columns a workgroup: 64 or a divisor of it
const SPLIT: u32 = 8;  // invocations that share a column
const ROWS: u32 = 1;   // rows that share what is read of the weights

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

var<workgroup> partial: array<f32, ROWS * SPLIT * WIDTH>;
var<workgroup> partial_squares: array<f32, ROWS * SPLIT>;

@compute @workgroup_size(WIDTH, SPLIT)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  const HALF = WIDTH / 2u;
  let row = group.y * ROWS;
  let first = pair_column(group.x * HALF + local.x % HALF);
  let column = first + local.x / HALF * 32u;
  var starts: array<u32, ROWS>;
  var sums: array<f32, ROWS>;
  var squares: array<f32, ROWS>;
  for (var r = 0u; r < ROWS; r++) {
    starts[r] = input_row(min(row + r, plan.rows - 1u)) * (IN / 4u);
  }
  for (var block = local.y; block < IN / 32u; block += SPLIT) {
    var products = array<f32, ROWS>();
    var inputs = array<vec4f, ROWS>();
    for (var octet = block * 4u; octet < block * 4u + 4u; octet++) {
      let stored = octet_of(octet, column);
      for (var r = 0u; r < ROWS; r++) {
        let raw_low = input[starts[r] + octet * 2u];
        let raw_high = input[starts[r] + octet * 2u + 1u];
        let low = gained4(raw_low, octet * 2u);
        let high = gained4(raw_high, octet * 2u + 1u);
        products[r] += dot(stored.low, low * UNIT) + dot(stored.high, high * UNIT);
        inputs[r] += low + high;
        squares[r] += dot(raw_low, raw_low) + dot(raw_high, raw_high);
      }
    }
    let scale = scale_of(block, column);
    for (var r = 0u; r < ROWS; r++) {
      sums[r] = fma(products[r], scale.x, fma(scale.y, dot(inputs[r], vec4f(1.0)), sums[r]));
    }
  }
  for (var r = 0u; r < ROWS; r++) {
    partial[(r * SPLIT + local.y) * WIDTH + local.x] = sums[r];
    if (local.x == 0u) {
      partial_squares[r * SPLIT + local.y] = squares[r];
    }
  }
  workgroupBarrier();
  // The first rows of invocations add up what the others have, a row of the output each.
  for (var r = local.y; r < ROWS; r += SPLIT) {
    if (local.x < HALF) {
      var near = 0.0;
      var far = 0.0;
      var square = 0.0;
      for (var i = 0u; i < SPLIT; i++) {
        near += partial[(r * SPLIT + i) * WIDTH + local.x];
        far += partial[(r * SPLIT + i) * WIDTH + local.x + HALF];
        square += partial_squares[r * SPLIT + i];
      }
      let scale = row_scale(square);
      store_pair(row + r, first, near * scale, far * scale);
    }
  }
}
