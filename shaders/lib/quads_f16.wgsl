// Weights of a linear layer, half precision storage, four neighbouring columns at a load; layout as lib/weight_f16.wgsl.
const COLUMNS: u32 = 64; // output columns of the plane, padded
const WORDS: u32 = 64;   // of the plane, in fours: arrays of known length are checked for less

@group(0) @binding(0) var<storage, read> weight_words: array<vec4u, WORDS>;
@group(0) @binding(1) var<storage, read> weight_scales: array<vec4u>; // not read

struct QuadScale {
  none: u32,
}

fn quad_scale(block: u32, quad: u32) -> QuadScale {
  return QuadScale(0u);
}

struct QuadWords {
  at: u32, // first of four rows
}

fn quad_words(octet: u32, quad: u32) -> QuadWords {
  return QuadWords(octet * COLUMNS + quad);
}

// Weights of four inputs, two a row: a column of the matrix is an input.
fn rows2(at: u32) -> mat4x4f {
  let first = weight_words[at];
  let second = weight_words[at + COLUMNS / 4u];
  let a = mat4x2f(unpack2x16float(first.x), unpack2x16float(first.y), unpack2x16float(first.z), unpack2x16float(first.w));
  let b = mat4x2f(unpack2x16float(second.x), unpack2x16float(second.y), unpack2x16float(second.z), unpack2x16float(second.w));
  let near = transpose(a);
  let far = transpose(b);
  return mat4x4f(near[0], near[1], far[0], far[1]);
}

fn quad_low(words: QuadWords, scale: QuadScale) -> mat4x4f {
  return rows2(words.at);
}

fn quad_high(words: QuadWords, scale: QuadScale) -> mat4x4f {
  return rows2(words.at + COLUMNS / 2u);
}
