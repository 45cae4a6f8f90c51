// Weights of a linear layer, half precision storage: weight_words u32[K/2][COLUMNS], the low half is the even input. No feature needed.
const COLUMNS: u32 = 64; // output columns of the plane, padded
const WORDS: u32 = 64;   // of the plane: arrays of known length are checked for less

@group(0) @binding(0) var<storage, read> weight_words: array<u32, WORDS>;
@group(0) @binding(1) var<storage, read> weight_scales: array<u32>; // not read

const UNIT: vec4f = vec4f(1.0); // stored numbers are what they are (lib/weight_q4.wgsl says what this is for)

struct Octet {
  low: vec4f,
  high: vec4f,
}

fn scale_of(block: u32, column: u32) -> vec2f {
  return vec2f(1.0, 0.0);
}

fn octet_of(octet: u32, column: u32) -> Octet {
  let at = octet * 4u * COLUMNS + column;
  let low = vec4f(unpack2x16float(weight_words[at]), unpack2x16float(weight_words[at + COLUMNS]));
  let high = vec4f(unpack2x16float(weight_words[at + 2u * COLUMNS]), unpack2x16float(weight_words[at + 3u * COLUMNS]));
  return Octet(low, high);
}

fn scaled(octet: Octet, scale: vec2f) -> Octet {
  return octet;
}
