// Weights of a linear layer, 4 bits in blocks of 32 along the input: value = scale · q + minimum.
// weight_words u32[K/8][COLUMNS]: byte j of a word holds input 8w+j in its low nibble and 8w+4+j in its high nibble.
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
  let word = weight_words[octet * COLUMNS + column];
  return Octet(vec4f(unpack4xU8(word & 0x0f0f0f0fu)), vec4f(unpack4xU8((word >> 4u) & 0x0f0f0f0fu)));
}

fn scaled(octet: Octet, scale: vec2f) -> Octet {
  return Octet(fma(octet.low, vec4f(scale.x), vec4f(scale.y)), fma(octet.high, vec4f(scale.x), vec4f(scale.y)));
}
