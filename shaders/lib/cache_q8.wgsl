// Keys and values in eight bits, as attention reads them: a word holds dimensions 2j, 2j + 1, 2j + E/2 and 2j + 1 + E/2, eight words share a scale.
// Keys: words [K, QUADS, SLOTS], behind them scales f32 [K, BLOCKS, SLOTS]; values: words [K, SLOTS, QUADS], then scales [K, SLOTS, BLOCKS].
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<u32>;

const BLOCKS: u32 = (QUADS + 7u) / 8u; // scales a head
const SCALES: u32 = KV_HEADS * QUADS * SLOTS;

fn key4(head: u32, j: u32, slot: u32) -> vec4f {
  let scale = bitcast<f32>(keys[SCALES + (head * BLOCKS + j / 8u) * SLOTS + slot]);
  return vec4f(unpack4xI8(keys[(head * QUADS + j) * SLOTS + slot])) * scale;
}

// Dimensions i and i + E/2 of a value.
fn value2(head: u32, i: u32, slot: u32) -> vec2f {
  let scale = bitcast<f32>(values[SCALES + (head * SLOTS + slot) * BLOCKS + i / 16u]);
  let four = vec4f(unpack4xI8(values[(head * SLOTS + slot) * QUADS + i / 2u]));
  return select(four.xz, four.yw, i % 2u == 1u) * scale;
}
