// Weights of a linear layer, 8 bits in blocks of 32 along the input, four neighbouring columns at a load; layout as lib/weight_q8.wgsl.
const COLUMNS: u32 = 64; // output columns of the plane, padded
const WORDS: u32 = 64;   // of the plane, in fours: arrays of known length are checked for less
const SCALES: u32 = 64;  // of the plane, in fours

@group(0) @binding(0) var<storage, read> weight_words: array<vec4u, WORDS>;
@group(0) @binding(1) var<storage, read> weight_scales: array<vec4u, SCALES>;

// Scales of four columns, for numbers that are left where they are in the word: 2^8j too large, and 128.
struct QuadScale {
  units: mat4x4f, // scale · 2^-8j, j = 0..3 (bytes: the last as the third)
  minimum: vec4f,
}

fn quad_scale(block: u32, quad: u32) -> QuadScale {
  let stored = weight_scales[block * (COLUMNS / 4u) + quad];
  let parts = transpose(mat4x2f(unpack2x16float(stored.x), unpack2x16float(stored.y), unpack2x16float(stored.z), unpack2x16float(stored.w)));
  let scale = parts[0];
  let units = mat4x4f(scale, scale * 0.00390625, scale * 0.0000152587890625, scale * 0.0000152587890625);
  return QuadScale(units, fma(vec4f(-128.0), scale, parts[1]));
}

struct QuadWords {
  low: vec4u,
  high: vec4u,
}

fn quad_words(octet: u32, quad: u32) -> QuadWords {
  let at = octet * (COLUMNS / 2u) + quad;
  return QuadWords(weight_words[at], weight_words[at + COLUMNS / 4u]);
}

// Bytes of four words: a column of the matrix is an input. The last one is moved down a byte, out of the sign's place.
fn bytes4(word: vec4u, scale: QuadScale) -> mat4x4f {
  let flipped = word ^ vec4u(0x80808080u);
  return mat4x4f(
    fma(vec4f(vec4i(flipped & vec4u(0xffu))), scale.units[0], scale.minimum),
    fma(vec4f(vec4i(flipped & vec4u(0xff00u))), scale.units[1], scale.minimum),
    fma(vec4f(vec4i(flipped & vec4u(0xff0000u))), scale.units[2], scale.minimum),
    fma(vec4f(vec4i((flipped >> vec4u(8u)) & vec4u(0xff0000u))), scale.units[3], scale.minimum),
  );
}

fn quad_low(words: QuadWords, scale: QuadScale) -> mat4x4f {
  return bytes4(words.low, scale);
}

fn quad_high(words: QuadWords, scale: QuadScale) -> mat4x4f {
  return bytes4(words.high, scale);
}
