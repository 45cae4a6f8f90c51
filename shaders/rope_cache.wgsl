// Rotary position and cache write: splits qkv [T, (H + 2K)·E] into rotated queries, rotated keys (cache) and values (cache).
// Pairs are half-split: (x_i, x_{i+E/2}) turns by position · θ^(-2i/E), from a table of (cos, sin) made on the host in f64. K is cached after rotation.
// Dispatch: (H + 2K, T) workgroups of LANES invocations, one a head and row. Optional RMS norm of q and k over the head, before rotation (Qwen3).
// Bindings: 0 qkv f32, 1 turns vec2f [positions, E/2], 2 head_gain f32 [2, E] (q then k), 3 query f32 [K, PACKS, E, 4]: four (row, head) pairs of a
// key/value head side by side, 4 keys f32 [K, E, SLOTS], 5 values f32 [K, SLOTS, E]; plan (position, slot). Bytes: qkv read once, written once.
const HEADS: u32 = 2;         // query heads H
const KV_HEADS: u32 = 1;      // key/value heads K
const HEAD_DIM: u32 = 32;     // E
const QKV_STRIDE: u32 = 128;  // row length of qkv
const PACKS: u32 = 1;         // capacity of query in packs of four pairs
const SLOTS: u32 = 1;         // capacity of the cache in rows
const HEAD_NORM: bool = false;
const EPS: f32 = 1e-5;

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> turns: array<vec2f>;
@group(0) @binding(2) var<storage, read> head_gain: array<f32>;
@group(0) @binding(3) var<storage, read_write> query: array<f32>;
@group(0) @binding(4) var<storage, read_write> keys: array<f32>;
@group(0) @binding(5) var<storage, read_write> values: array<f32>;

const GROUP: u32 = HEADS / KV_HEADS;
const HALF: u32 = HEAD_DIM / 2u;

fn put(head: u32, row: u32, dim: u32, value: f32) {
  if (head < HEADS) {
    let pair = row * GROUP + head % GROUP;
    query[(((head / GROUP) * PACKS + pair / 4u) * HEAD_DIM + dim) * 4u + pair % 4u] = value;
  } else {
    keys[((head - HEADS) * HEAD_DIM + dim) * SLOTS + plan.row[row].slot] = value;
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  set_lane(lane);
  let head = group.x;
  let row = group.y;
  let offset = row * QKV_STRIDE + head * HEAD_DIM;
  if (head >= HEADS + KV_HEADS) {
    let to = ((head - HEADS - KV_HEADS) * SLOTS + plan.row[row].slot) * HEAD_DIM;
    for (var dim = lane; dim < HEAD_DIM; dim += LANES) {
      values[to + dim] = qkv[offset + dim];
    }
    return;
  }
  var scale = 1.0;
  if (HEAD_NORM) {
    var squares = 0.0;
    for (var dim = lane; dim < HEAD_DIM; dim += LANES) {
      let value = qkv[offset + dim];
      squares = fma(value, value, squares);
    }
    scale = inverseSqrt(lane_sum(squares) / f32(HEAD_DIM) + EPS);
  }
  let gains = select(HEAD_DIM, 0u, head < HEADS);
  for (var i = lane; i < HALF; i += LANES) {
    var a = qkv[offset + i];
    var b = qkv[offset + i + HALF];
    if (HEAD_NORM) {
      a *= scale * head_gain[gains + i];
      b *= scale * head_gain[gains + i + HALF];
    }
    let turn = turns[plan.row[row].position * HALF + i];
    put(head, row, i, a * turn.x - b * turn.y);
    put(head, row, i + HALF, b * turn.x + a * turn.y);
  }
}
