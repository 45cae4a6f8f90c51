// Writes keys and values in eight bits, laid out as lib/cache_q8.wgsl says: 32 numbers share the scale that makes their largest ±127.
// A lane quantizes whole blocks: the numbers are computed twice, once for the scale.
@group(0) @binding(4) var<storage, read_write> keys: array<u32>;
@group(0) @binding(5) var<storage, read_write> values: array<u32>;

const BLOCKS: u32 = (QUADS + 7u) / 8u; // scales a head
const SCALES: u32 = KV_HEADS * QUADS * SLOTS;

// 127 over the largest of 32 numbers; 0 where all are so small that it would overflow.
fn inverse_of(peak: f32) -> f32 {
  return select(127.0 / peak, 0.0, peak < 1e-30);
}

// Dimensions 2j, 2j + 1, 2j + E/2, 2j + 1 + E/2; the last word of an odd E/2 has but two.
fn quantized(j: u32, even: vec2f, odd: vec2f, inverse: f32) -> u32 {
  let second = select(vec2f(0.0), odd, 2u * j + 1u < HALF);
  return pack4xI8(vec4i(round(vec4f(even.x, second.x, even.y, second.y) * inverse)));
}

fn largest(peak: f32, pair: vec2f) -> f32 {
  return max(peak, max(abs(pair.x), abs(pair.y)));
}

fn store_key(kv_head: u32, slot: u32, source: Source, lane: u32) {
  for (var block = lane; block < BLOCKS; block += LANES) {
    let end = min(8u * block + 8u, QUADS);
    var peak = 0.0;
    for (var i = 16u * block; i < min(2u * end, HALF); i++) {
      peak = largest(peak, turned(source, i));
    }
    let inverse = inverse_of(peak);
    for (var j = 8u * block; j < end; j++) {
      keys[(kv_head * QUADS + j) * SLOTS + slot] = quantized(j, turned(source, 2u * j), turned(source, 2u * j + 1u), inverse);
    }
    keys[SCALES + (kv_head * BLOCKS + block) * SLOTS + slot] = bitcast<u32>(peak / 127.0);
  }
}

fn store_value(kv_head: u32, slot: u32, source: Source, lane: u32) {
  for (var block = lane; block < BLOCKS; block += LANES) {
    let end = min(8u * block + 8u, QUADS);
    var peak = 0.0;
    for (var i = 16u * block; i < min(2u * end, HALF); i++) {
      peak = largest(peak, as_it_is(source, i));
    }
    let inverse = inverse_of(peak);
    for (var j = 8u * block; j < end; j++) {
      values[(kv_head * SLOTS + slot) * QUADS + j] = quantized(j, as_it_is(source, 2u * j), as_it_is(source, 2u * j + 1u), inverse);
    }
    values[SCALES + (kv_head * SLOTS + slot) * BLOCKS + block] = bitcast<u32>(peak / 127.0);
  }
}
