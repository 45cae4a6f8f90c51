// Writes keys f32 [K, E, SLOTS] and values f32 [K, SLOTS, E].
@group(0) @binding(4) var<storage, read_write> keys: array<f32>;
@group(0) @binding(5) var<storage, read_write> values: array<f32>;

fn store_key(kv_head: u32, slot: u32, source: Source, lane: u32) {
  for (var i = lane; i < HALF; i += LANES) {
    let pair = turned(source, i);
    keys[(kv_head * HEAD_DIM + i) * SLOTS + slot] = pair.x;
    keys[(kv_head * HEAD_DIM + i + HALF) * SLOTS + slot] = pair.y;
  }
}

fn store_value(kv_head: u32, slot: u32, source: Source, lane: u32) {
  for (var i = lane; i < HALF; i += LANES) {
    let pair = as_it_is(source, i);
    values[(kv_head * SLOTS + slot) * HEAD_DIM + i] = pair.x;
    values[(kv_head * SLOTS + slot) * HEAD_DIM + i + HALF] = pair.y;
  }
}
