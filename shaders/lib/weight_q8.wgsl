// Weights of a linear layer, 8 bits in blocks of 32 along the input: value = scale · q + minimum.
// weight_words u32[K/4][COLUMNS]: byte j of a word is the signed number of input 4w+j.
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

// Stored numbers are read as unsigned, 128 too large, and left where they are in the word, 2^8j too large: masking is cheaper than shifting and sign
// extension. The first goes into the minimum, the second into the inputs.
const UNIT: vec4f = vec4f(1.0, 0.00390625, 0.0000152587890625, 0.0000152587890625);

fn scale_of(block: u32, column: u32) -> vec2f {
  let scale = unpack2x16float(weight_scales[block * COLUMNS + column]);
  return vec2f(scale.x, fma(-128.0, scale.x, scale.y));
}

fn masked(word: u32) -> vec4f {
  let flipped = word ^ 0x80808080u;
  return vec4f(vec4i(vec4u(flipped, flipped, flipped, flipped >> 8u) & vec4u(0xffu, 0xff00u, 0xff0000u, 0xff0000u)));
}

// Eight stored numbers along the input, not yet scaled: number j is to be multiplied by UNIT[j % 4].
fn octet_of(octet: u32, column: u32) -> Octet {
  let at = octet * 2u * COLUMNS + column;
  return Octet(masked(weight_words[at]), masked(weight_words[at + COLUMNS]));
}

fn scaled(octet: Octet, scale: vec2f) -> Octet {
  let unit = UNIT * scale.x;
  return Octet(fma(octet.low, unit, vec4f(scale.y)), fma(octet.high, unit, vec4f(scale.y)));
}

// The same eight numbers as signed bytes, in order, and the scale and minimum that belong to them.
fn bytes_of(octet: u32, column: u32) -> vec2u {
  let at = octet * 2u * COLUMNS + column;
  return vec2u(weight_words[at], weight_words[at + COLUMNS]);
}

fn byte_scale_of(block: u32, column: u32) -> vec2f {
  return unpack2x16float(weight_scales[block * COLUMNS + column]);
}
