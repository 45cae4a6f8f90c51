// Attention's sums are those of one of PARTS pieces: pieces f32 [K, T·GROUP, PARTS, E + 2] keeps them with their peak and total for attention_reduce.
@group(0) @binding(3) var<storage, read_write> pieces: array<f32>;

fn piece_at(place: Place, pair: u32) -> u32 {
  return ((place.head * plan.rows * GROUP + pair) * PARTS + place.part) * (HEAD_DIM + 2u);
}

// Dimensions i and i + E/2 of four pairs.
fn put(place: Place, i: u32, sum: Sum) {
  if (i >= HALF) {
    return;
  }
  for (var j = 0u; j < 4u; j++) {
    let pair = place.pack * 4u + j;
    if (pair < plan.rows * GROUP) {
      let at = piece_at(place, pair) + i;
      pieces[at] = sum.low[j];
      pieces[at + HALF] = sum.high[j];
    }
  }
}

fn close(place: Place) {
  for (var j = 0u; j < 4u; j++) {
    let pair = place.pack * 4u + j;
    if (pair < plan.rows * GROUP) {
      let at = piece_at(place, pair) + HEAD_DIM;
      pieces[at] = place.peak[j];
      pieces[at + 1u] = place.total[j];
    }
  }
}
