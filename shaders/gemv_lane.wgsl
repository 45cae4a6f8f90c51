// Matrix-vector products of few rows in registers with inputs shared by a subgroup: output[t, n] = Σ_k input[t, k] · weight[n, k]. For CPU adapters.
// Dispatch: (⌈N / 8·WIDTH⌉, ⌈T / ROWS⌉) workgroups of WIDTH invocations, N being the plane's columns; an invocation owns four columns, WIDTH apart so
// that neighbours read neighbours, and those 32 beyond.
// Bindings: 0 weight_words, 1 weight_scales (lib/weight_*), 2 input f32 [T, IN], 3 output f32 [T, OUT_STRIDE], 4 bias f32 [OUT], 5 gain (lib/norm_*); plan.
// Accumulates f32; scale and minimum are factored out of each block of 32: Σ (s·q + m)·x = s·Σ q·x + m·Σ x.
// FLOPs 2·T·OUT·IN; bytes: weights once per ROWS rows. Loads bind there, and the inputs' are a quarter of gemv_reg's. Any subgroup of at least four lanes.
const IN: u32 = 64;   // input features, padded to 32
const WIDTH: u32 = 8; // invocations a workgroup
const ROWS: u32 = 1;  // rows that share what is read of the weights: 1, 2 or 4

@group(0) @binding(2) var<storage, read> input: array<f32>;

struct Columns {
  a: Octet,
  b: Octet,
  c: Octet,
  d: Octet,
}

// What a row has added up: products with the stored numbers of eight columns, and this lane's quarter of the inputs and of their squares.
struct Sums {
  near: vec4f,
  far: vec4f,
  inputs: f32,
  squares: f32,
}

// Scale and minimum of four columns.
struct Scales {
  scale: vec4f,
  minimum: vec4f,
}

fn columns_at(octet: u32, at: vec4u) -> Columns {
  return Columns(octet_of(octet, at.x), octet_of(octet, at.y), octet_of(octet, at.z), octet_of(octet, at.w));
}

fn scales_at(block: u32, at: vec4u) -> Scales {
  let parts = transpose(mat4x2f(scale_of(block, at.x), scale_of(block, at.y), scale_of(block, at.z), scale_of(block, at.w)));
  return Scales(parts[0], parts[1]);
}

fn product(weights: Octet, low: vec4f, high: vec4f) -> f32 {
  return dot(weights.low, low) + dot(weights.high, high);
}

fn products(weights: Columns, low: vec4f, high: vec4f) -> vec4f {
  return vec4f(
    product(weights.a, low, high),
    product(weights.b, low, high),
    product(weights.c, low, high),
    product(weights.d, low, high),
  );
}

fn add(sums: Sums, near: Columns, far: Columns, start: u32, k: u32) -> Sums {
  let raw_low = input[start + k];
  let raw_high = input[start + k + 4u];
  let own_low = gained(raw_low, k);
  let own_high = gained(raw_high, k + 4u);
  let low = spread(own_low) * UNIT;
  let high = spread(own_high) * UNIT;
  return Sums(
    sums.near + products(near, low, high),
    sums.far + products(far, low, high),
    sums.inputs + own_low + own_high,
    fma(raw_low, raw_low, fma(raw_high, raw_high, sums.squares)),
  );
}

// One block's share: scale · products + minimum · inputs.
fn block_sum(sum: vec4f, stored: vec4f, inputs: f32, scales: Scales) -> vec4f {
  return fma(stored, scales.scale, fma(scales.minimum, vec4f(dot(spread(inputs), vec4f(1.0))), sum));
}

fn store_row(row: u32, at: vec4u, near: vec4f, far: vec4f, squares: f32) {
  let scale = row_scale(dot(spread(squares), vec4f(1.0)));
  store_pair(row, at.x, near.x * scale, far.x * scale);
  store_pair(row, at.y, near.y * scale, far.y * scale);
  store_pair(row, at.z, near.z * scale, far.z * scale);
  store_pair(row, at.w, near.w * scale, far.w * scale);
}

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) place: u32) {
  let first = group.x * WIDTH * 4u + lane;
  let at = vec4u(pair_column(first), pair_column(first + WIDTH), pair_column(first + 2u * WIDTH), pair_column(first + 3u * WIDTH));
  let beyond = at + vec4u(32u);
  let row = group.y * ROWS;
  let last = plan.rows - 1u;
  // Rows past the end repeat the last one: they are computed and not stored.
  let start0 = input_row(row) * IN;
  let start1 = input_row(min(row + 1u, last)) * IN;
  let start2 = input_row(min(row + 2u, last)) * IN;
  let start3 = input_row(min(row + 3u, last)) * IN;
  var near0 = vec4f(0.0);
  var near1 = vec4f(0.0);
  var near2 = vec4f(0.0);
  var near3 = vec4f(0.0);
  var far0 = vec4f(0.0);
  var far1 = vec4f(0.0);
  var far2 = vec4f(0.0);
  var far3 = vec4f(0.0);
  var squares = vec4f(0.0);
  for (var block = 0u; block < IN / 32u; block++) {
    var sums0 = Sums(vec4f(0.0), vec4f(0.0), 0.0, squares.x);
    var sums1 = Sums(vec4f(0.0), vec4f(0.0), 0.0, squares.y);
    var sums2 = Sums(vec4f(0.0), vec4f(0.0), 0.0, squares.z);
    var sums3 = Sums(vec4f(0.0), vec4f(0.0), 0.0, squares.w);
    for (var octet = block * 4u; octet < block * 4u + 4u; octet++) {
      let near = columns_at(octet, at);
      let far = columns_at(octet, beyond);
      let k = octet * 8u + place % 4u;
      sums0 = add(sums0, near, far, start0, k);
      if (ROWS > 1u) {
        sums1 = add(sums1, near, far, start1, k);
      }
      if (ROWS > 2u) {
        sums2 = add(sums2, near, far, start2, k);
        sums3 = add(sums3, near, far, start3, k);
      }
    }
    let near_scales = scales_at(block, at);
    let far_scales = scales_at(block, beyond);
    near0 = block_sum(near0, sums0.near, sums0.inputs, near_scales);
    far0 = block_sum(far0, sums0.far, sums0.inputs, far_scales);
    if (ROWS > 1u) {
      near1 = block_sum(near1, sums1.near, sums1.inputs, near_scales);
      far1 = block_sum(far1, sums1.far, sums1.inputs, far_scales);
    }
    if (ROWS > 2u) {
      near2 = block_sum(near2, sums2.near, sums2.inputs, near_scales);
      far2 = block_sum(far2, sums2.far, sums2.inputs, far_scales);
      near3 = block_sum(near3, sums3.near, sums3.inputs, near_scales);
      far3 = block_sum(far3, sums3.far, sums3.inputs, far_scales);
    }
    squares = vec4f(sums0.squares, sums1.squares, sums2.squares, sums3.squares);
  }
  store_row(row, at, near0, far0, squares.x);
  if (ROWS > 1u) {
    store_row(row + 1u, at, near1, far1, squares.y);
  }
  if (ROWS > 2u) {
    store_row(row + 2u, at, near2, far2, squares.z);
    store_row(row + 3u, at, near3, far3, squares.w);
  }
}
