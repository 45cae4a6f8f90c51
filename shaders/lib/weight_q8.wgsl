// Weights of a linear layer, 8 bits in blocks of 32 along the input: value = scale · q + minimum.
// weight_words u32[K/4][COLUMNS]: byte j of a word is the signed number of input 4w+j.
// weight_scales u32[K/32][COLUMNS]: f16 scale (low half), f16 minimum (high half).
const COLUMNS: u32 = 64; // output columns of the plane, padded

@group(0) @binding(0) var<storage, read> weight_words: array<u32>;
@group(0) @binding(1) var<storage, read> weight_scales: array<u32>;

struct Octet {
  low: vec4f,
  high: vec4f,
}

fn scale_of(block: u32, column: u32) -> vec2f {
  return unpack2x16float(weight_scales[block * COLUMNS + column]);
}

// Eight stored numbers along the input, not yet scaled.
fn octet_of(octet: u32, column: u32) -> Octet {
  let at = octet * 2u * COLUMNS + column;
  return Octet(vec4f(unpack4xI8(weight_words[at])), vec4f(unpack4xI8(weight_words[at + COLUMNS])));
}

fn scaled(octet: Octet, scale: vec2f) -> Octet {
  return Octet(fma(octet.low, vec4f(scale.x), vec4f(scale.y)), fma(octet.high, vec4f(scale.x), vec4f(scale.y)));
}
