// Eight columns of an invocation, four neighbours and the four 32 further: for adapters that pay by the load whatever its width (lavapipe).
// `near[k]` and `far[k]` are the weights of the first and the last four columns at input k. Weights are lib/quads_*.
struct Scales {
  near: QuadScale,
  far: QuadScale,
}

struct Words {
  near: QuadWords,
  far: QuadWords,
}

struct Four {
  near: mat4x4f,
  far: mat4x4f,
}

fn first_column(lane: u32) -> u32 {
  return lane * 4u;
}

fn scales_of(block: u32, column: u32) -> Scales {
  return Scales(quad_scale(block, column / 4u), quad_scale(block, column / 4u + 8u));
}

fn words_of(octet: u32, column: u32) -> Words {
  return Words(quad_words(octet, column / 4u), quad_words(octet, column / 4u + 8u));
}

fn low_of(w: Words, s: Scales) -> Four {
  return Four(quad_low(w.near, s.near), quad_low(w.far, s.far));
}

fn high_of(w: Words, s: Scales) -> Four {
  return Four(quad_high(w.near, s.near), quad_high(w.far, s.far));
}

fn store8(row: u32, column: u32, near: vec4f, far: vec4f) {
  store_pair(row, column, near.x, far.x);
  store_pair(row, column + 1u, near.y, far.y);
  store_pair(row, column + 2u, near.z, far.z);
  store_pair(row, column + 3u, near.w, far.w);
}
