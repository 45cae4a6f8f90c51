// Keys f16 [K, E/2, SLOTS] and values f16 [K, SLOTS, E/2], as attention reads them: a word holds dimensions i and i + E/2, which turn together.
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<u32>;

// Dimensions 2j, 2j + 1, 2j + E/2 and 2j + 1 + E/2 of a key.
fn key4(head: u32, j: u32, slot: u32) -> vec4f {
  let at = (head * HALF + 2u * j) * SLOTS + slot;
  let even = unpack2x16float(keys[at]);
  let odd = unpack2x16float(keys[at + SLOTS]);
  return vec4f(even.x, odd.x, even.y, odd.y);
}

// Dimensions i and i + E/2 of a value.
fn value2(head: u32, i: u32, slot: u32) -> vec2f {
  return unpack2x16float(values[(head * SLOTS + slot) * HALF + i]);
}
