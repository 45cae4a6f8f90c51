// Eight columns of an invocation, 8 apart, so that neighbours read neighbours: for adapters whose loads are fast where lanes are in sequence (SwiftShader).
// `near[k]` and `far[k]` are the weights of the first and the last four columns at input k. Weights are lib/weight_*.
struct Scales {
  s0: vec2f, s1: vec2f, s2: vec2f, s3: vec2f,
  s4: vec2f, s5: vec2f, s6: vec2f, s7: vec2f,
}

struct Words {
  o0: Octet, o1: Octet, o2: Octet, o3: Octet,
  o4: Octet, o5: Octet, o6: Octet, o7: Octet,
}

struct Four {
  near: mat4x4f,
  far: mat4x4f,
}

fn first_column(lane: u32) -> u32 {
  return lane;
}

fn scales_of(block: u32, column: u32) -> Scales {
  return Scales(
    scale_of(block, column), scale_of(block, column + 8u), scale_of(block, column + 16u), scale_of(block, column + 24u),
    scale_of(block, column + 32u), scale_of(block, column + 40u), scale_of(block, column + 48u), scale_of(block, column + 56u),
  );
}

fn words_of(octet: u32, column: u32) -> Words {
  return Words(
    octet_of(octet, column), octet_of(octet, column + 8u), octet_of(octet, column + 16u), octet_of(octet, column + 24u),
    octet_of(octet, column + 32u), octet_of(octet, column + 40u), octet_of(octet, column + 48u), octet_of(octet, column + 56u),
  );
}

fn low_of(w: Words, s: Scales) -> Four {
  let near = mat4x4f(scaled(w.o0, s.s0).low, scaled(w.o1, s.s1).low, scaled(w.o2, s.s2).low, scaled(w.o3, s.s3).low);
  let far = mat4x4f(scaled(w.o4, s.s4).low, scaled(w.o5, s.s5).low, scaled(w.o6, s.s6).low, scaled(w.o7, s.s7).low);
  return Four(transpose(near), transpose(far));
}

fn high_of(w: Words, s: Scales) -> Four {
  let near = mat4x4f(scaled(w.o0, s.s0).high, scaled(w.o1, s.s1).high, scaled(w.o2, s.s2).high, scaled(w.o3, s.s3).high);
  let far = mat4x4f(scaled(w.o4, s.s4).high, scaled(w.o5, s.s5).high, scaled(w.o6, s.s6).high, scaled(w.o7, s.s7).high);
  return Four(transpose(near), transpose(far));
}

fn store8(row: u32, column: u32, near: vec4f, far: vec4f) {
  store_pair(row, column, near.x, far.x);
  store_pair(row, column + 8u, near.y, far.y);
  store_pair(row, column + 16u, near.z, far.z);
  store_pair(row, column + 24u, near.w, far.w);
}
