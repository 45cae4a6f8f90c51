// Weights of a linear layer in f32: weight_words f32[K][COLUMNS].
const COLUMNS: u32 = 64; // output columns of the plane, padded
const WORDS: u32 = 64;   // of the plane: arrays of known length are checked for less

@group(0) @binding(0) var<storage, read> weight_words: array<f32, WORDS>;
@group(0) @binding(1) var<storage, read> weight_scales: array<u32>; // not read

const UNIT: vec4f = vec4f(1.0); // stored numbers are what they are (lib/weight_q4.wgsl says what this is for)

struct Octet {
  low: vec4f,
  high: vec4f,
}

fn scale_of(block: u32, column: u32) -> vec2f {
  return vec2f(1.0, 0.0);
}

fn quad_of(at: u32) -> vec4f {
  return vec4f(weight_words[at], weight_words[at + COLUMNS], weight_words[at + 2u * COLUMNS], weight_words[at + 3u * COLUMNS]);
}

fn octet_of(octet: u32, column: u32) -> Octet {
  let at = octet * 8u * COLUMNS + column;
  return Octet(quad_of(at), quad_of(at + 4u * COLUMNS));
}

fn scaled(octet: Octet, scale: vec2f) -> Octet {
  return octet;
}
