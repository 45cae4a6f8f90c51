// Attention's sums are whole: output f32 [T, OUT_STRIDE] is their share of the total.
const OUT_STRIDE: u32 = 64; // row length of output

@group(0) @binding(3) var<storage, read_write> output: array<f32>;

// Dimensions i and i + E/2 of four pairs.
fn put(place: Place, i: u32, sum: Sum) {
  if (i >= HALF) {
    return;
  }
  let norm = select(1.0 / place.total, vec4f(0.0), place.total == vec4f(0.0));
  let low = sum.low * norm;
  let high = sum.high * norm;
  for (var j = 0u; j < 4u; j++) {
    let pair = place.pack * 4u + j;
    let row = pair / GROUP;
    if (row < plan.rows) {
      let at = row * OUT_STRIDE + (place.head * GROUP + pair % GROUP) * HEAD_DIM + i;
      output[at] = low[j];
      output[at + HALF] = high[j];
    }
  }
}

fn close(place: Place) {}
