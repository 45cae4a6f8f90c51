// Weights of a linear layer, 4 bits in blocks of 32 along the input: value = scale · q + minimum.
// weight_words u32[K/8][COLUMNS]: byte j of a word holds input 8w+j in its low nibble and 8w+4+j in its high nibble.
// weight_scales u32[K/32][COLUMNS]: f16 scale (low half), f16 minimum (high half).
const COLUMNS: u32 = 64; // output columns of the plane, padded
const WORDS: u32 = 64;   // of the plane: arrays of known length are checked for less
const SCALES: u32 = 64;  // of the plane

@group(0) @binding(0) var<storage, read> weight_words: array<u32, WORDS>;
@group(0) @binding(1) var<storage, read> weight_scales: array<u32, SCALES>;

struct Octet {
  low: vec4f,
  high: vec4f,
}

fn scale_of(block: u32, column: u32) -> vec2f {
  return unpack2x16float(weight_scales[block * COLUMNS + column]);
}

// Stored numbers are left where they are in the word, 2^8j too large: masking is cheaper than shifting, and the factor goes into the inputs.
const UNIT: vec4f = vec4f(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);

fn masked(word: u32) -> vec4f {
  return vec4f(vec4i(vec4u(word) & vec4u(0xfu, 0xf00u, 0xf0000u, 0xf000000u)));
}

// Eight stored numbers along the input, not yet scaled: number j is to be multiplied by UNIT[j % 4].
fn octet_of(octet: u32, column: u32) -> Octet {
  let word = weight_words[octet * COLUMNS + column];
  return Octet(masked(word), masked(word >> 4u));
}

fn scaled(octet: Octet, scale: vec2f) -> Octet {
  let unit = UNIT * scale.x;
  return Octet(fma(octet.low, unit, vec4f(scale.y)), fma(octet.high, unit, vec4f(scale.y)));
}

// The same eight numbers as signed bytes, in order, and the scale and minimum that belong to them.
fn bytes_of(octet: u32, column: u32) -> vec2u {
  let word = weight_words[octet * COLUMNS + column];
  return vec2u(word, word >> 4u) & vec2u(0x0f0f0f0fu);
}

fn byte_scale_of(block: u32, column: u32) -> vec2f {
  return scale_of(block, column);
}
