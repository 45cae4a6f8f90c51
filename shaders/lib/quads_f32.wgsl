// Weights of a linear layer in f32, four neighbouring columns at a load; layout as lib/weight_f32.wgsl.
const COLUMNS: u32 = 64; // output columns of the plane, padded
const WORDS: u32 = 64;   // of the plane, in fours: arrays of known length are checked for less

@group(0) @binding(0) var<storage, read> weight_words: array<vec4f, WORDS>;
@group(0) @binding(1) var<storage, read> weight_scales: array<vec4u>; // not read

struct QuadScale {
  none: u32,
}

fn quad_scale(block: u32, quad: u32) -> QuadScale {
  return QuadScale(0u);
}

struct QuadWords {
  at: u32, // first of eight rows
}

fn quad_words(octet: u32, quad: u32) -> QuadWords {
  return QuadWords(octet * 8u * (COLUMNS / 4u) + quad);
}

fn rows4(at: u32) -> mat4x4f {
  return mat4x4f(weight_words[at], weight_words[at + COLUMNS / 4u], weight_words[at + COLUMNS / 2u], weight_words[at + COLUMNS / 4u * 3u]);
}

// Weights of inputs 0..3 and 4..7 of the octet: a column of the matrix is an input.
fn quad_low(words: QuadWords, scale: QuadScale) -> mat4x4f {
  return rows4(words.at);
}

fn quad_high(words: QuadWords, scale: QuadScale) -> mat4x4f {
  return rows4(words.at + COLUMNS);
}
