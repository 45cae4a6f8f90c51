// Keys f32 [K, E, SLOTS] and values f32 [K, SLOTS, E], as attention reads them.
@group(0) @binding(1) var<storage, read> keys: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;

// Dimensions 2j, 2j + 1, 2j + E/2 and 2j + 1 + E/2 of a key.
fn key4(head: u32, j: u32, slot: u32) -> vec4f {
  let near = (head * HEAD_DIM + 2u * j) * SLOTS + slot;
  let far = near + HALF * SLOTS;
  return vec4f(keys[near], keys[near + SLOTS], keys[far], keys[far + SLOTS]);
}

// Dimensions i and i + E/2 of a value.
fn value2(head: u32, i: u32, slot: u32) -> vec2f {
  let at = (head * SLOTS + slot) * HEAD_DIM + i;
  return vec2f(values[at], values[at + HALF]);
}
