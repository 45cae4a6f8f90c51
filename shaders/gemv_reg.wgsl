// Matrix-vector products of few rows in registers: output[t, n] = Σ_k input[t, k] · weight[n, k]. For CPU adapters without subgroups.
// Dispatch: (⌈N / 4·WIDTH⌉, ⌈T / ROWS⌉) workgroups of WIDTH invocations, N being the plane's columns; an invocation owns two columns, WIDTH apart so
// that neighbours read neighbours, and those 32 beyond.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT], 5 gain (lib/norm_*); plan.
// Accumulates f32; scale and minimum are factored out of each block of 32: Σ (s·q + m)·x = s·Σ q·x + m·Σ x.
// FLOPs 2·T·OUT·IN; bytes: weights once per ROWS rows.
const IN: u32 = 64;    // input features, padded to 32
const WIDTH: u32 = 8;  // invocations a workgroup
const ROWS: u32 = 1;   // rows that share what is read of the weights: 1 or 2

@group(0) @binding(2) var<storage, read> input: array<vec4f>;

struct Columns {
  a: Octet,
  b: Octet,
  c: Octet,
  d: Octet,
}

// What a row has added up.
struct Sums {
  products: vec4f,
  inputs: vec4f,
  squares: vec4f,
}

fn add(sums: Sums, weights: Columns, start: u32, octet: u32) -> Sums {
  let raw_low = input[start + octet * 2u];
  let raw_high = input[start + octet * 2u + 1u];
  let plain_low = gained4(raw_low, octet * 2u);
  let plain_high = gained4(raw_high, octet * 2u + 1u);
  let low = plain_low * UNIT;
  let high = plain_high * UNIT;
  let products = vec4f(
    dot(weights.a.low, low) + dot(weights.a.high, high),
    dot(weights.b.low, low) + dot(weights.b.high, high),
    dot(weights.c.low, low) + dot(weights.c.high, high),
    dot(weights.d.low, low) + dot(weights.d.high, high),
  );
  let squares = fma(raw_low, raw_low, fma(raw_high, raw_high, sums.squares));
  return Sums(sums.products + products, sums.inputs + plain_low + plain_high, squares);
}

fn store4(row: u32, c0: u32, c1: u32, sum: vec4f, squares: vec4f) {
  let scaled_sum = sum * row_scale(dot(squares, vec4f(1.0)));
  store_pair(row, c0, scaled_sum.x, scaled_sum.z);
  store_pair(row, c1, scaled_sum.y, scaled_sum.w);
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * ROWS;
  let last = plan.rows - 1u;
  let c0 = pair_column(group.x * WIDTH * 2u + lane);
  let c1 = pair_column(group.x * WIDTH * 2u + WIDTH + lane);
  let start0 = input_row(row) * (IN / 4u);
  let start1 = input_row(min(row + 1u, last)) * (IN / 4u);
  var sum0 = vec4f(0.0);
  var sum1 = vec4f(0.0);
  var squares0 = vec4f(0.0);
  var squares1 = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    var sums0 = Sums(vec4f(0.0), vec4f(0.0), squares0);
    var sums1 = Sums(vec4f(0.0), vec4f(0.0), squares1);
    for (var octet = block * 4u; octet < block * 4u + 4u; octet++) {
      let weights = Columns(octet_of(octet, c0), octet_of(octet, c1), octet_of(octet, c0 + 32u), octet_of(octet, c1 + 32u));
      sums0 = add(sums0, weights, start0, octet);
      if (ROWS > 1u) {
        sums1 = add(sums1, weights, start1, octet);
      }
    }
    let s0 = scale_of(block, c0);
    let s1 = scale_of(block, c1);
    let s2 = scale_of(block, c0 + 32u);
    let s3 = scale_of(block, c1 + 32u);
    let scales = vec4f(s0.x, s1.x, s2.x, s3.x);
    let minima = vec4f(s0.y, s1.y, s2.y, s3.y);
    sum0 = fma(sums0.products, scales, fma(minima, vec4f(dot(sums0.inputs, vec4f(1.0))), sum0));
    sum1 = fma(sums1.products, scales, fma(minima, vec4f(dot(sums1.inputs, vec4f(1.0))), sum1));
    squares0 = sums0.squares;
    squares1 = sums1.squares;
  }
  store4(row, c0, c1, sum0, squares0);
  if (ROWS > 1u) {
    store4(row + 1u, c0, c1, sum1, squares1);
  }
}
