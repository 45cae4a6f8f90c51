// Weights of a linear layer, 4 bits in blocks of 32 along the input, four neighbouring columns at a load; layout as lib/weight_q4.wgsl.
const COLUMNS: u32 = 64; // output columns of the plane, padded
const WORDS: u32 = 64;   // of the plane, in fours: arrays of known length are checked for less
const SCALES: u32 = 64;  // of the plane, in fours

@group(0) @binding(0) var<storage, read> weight_words: array<vec4u, WORDS>;
@group(0) @binding(1) var<storage, read> weight_scales: array<vec4u, SCALES>;

// Scales of four columns, for numbers that are left where they are in the word: 2^8j too large.
struct QuadScale {
  units: mat4x4f, // scale · 2^-8j
  minimum: vec4f,
}

fn quad_scale(block: u32, quad: u32) -> QuadScale {
  let stored = weight_scales[block * (COLUMNS / 4u) + quad];
  let parts = transpose(mat4x2f(unpack2x16float(stored.x), unpack2x16float(stored.y), unpack2x16float(stored.z), unpack2x16float(stored.w)));
  let scale = parts[0];
  let units = mat4x4f(scale, scale * 0.00390625, scale * 0.0000152587890625, scale * 0.000000059604644775390625);
  return QuadScale(units, parts[1]);
}

struct QuadWords {
  word: vec4u,
}

fn quad_words(octet: u32, quad: u32) -> QuadWords {
  return QuadWords(weight_words[octet * (COLUMNS / 4u) + quad]);
}

// Low nibbles of four words: a column of the matrix is an input.
fn nibbles(word: vec4u, scale: QuadScale) -> mat4x4f {
  return mat4x4f(
    fma(vec4f(vec4i(word & vec4u(0xfu))), scale.units[0], scale.minimum),
    fma(vec4f(vec4i(word & vec4u(0xf00u))), scale.units[1], scale.minimum),
    fma(vec4f(vec4i(word & vec4u(0xf0000u))), scale.units[2], scale.minimum),
    fma(vec4f(vec4i(word & vec4u(0xf000000u))), scale.units[3], scale.minimum),
  );
}

fn quad_low(words: QuadWords, scale: QuadScale) -> mat4x4f {
  return nibbles(words.word, scale);
}

fn quad_high(words: QuadWords, scale: QuadScale) -> mat4x4f {
  return nibbles(words.word >> vec4u(4u), scale);
}
