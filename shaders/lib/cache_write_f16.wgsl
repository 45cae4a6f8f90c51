// Writes keys f16 [K, E/2, SLOTS] and values f16 [K, SLOTS, E/2]: a word holds dimensions i and i + E/2, rounded to nearest.
@group(0) @binding(4) var<storage, read_write> keys: array<u32>;
@group(0) @binding(5) var<storage, read_write> values: array<u32>;

// Beyond the range of f16 `pack2x16float` may give anything.
fn packed(pair: vec2f) -> u32 {
  return pack2x16float(clamp(pair, vec2f(-65504.0), vec2f(65504.0)));
}

fn store_key(kv_head: u32, slot: u32, source: Source, lane: u32) {
  for (var i = lane; i < HALF; i += LANES) {
    keys[(kv_head * HALF + i) * SLOTS + slot] = packed(turned(source, i));
  }
}

fn store_value(kv_head: u32, slot: u32, source: Source, lane: u32) {
  for (var i = lane; i < HALF; i += LANES) {
    values[(kv_head * SLOTS + slot) * HALF + i] = packed(as_it_is(source, i));
  }
}
