// Rotary position and cache write: splits qkv [T, (H + 2K)·E] into rotated queries, rotated keys (cache) and values (cache).
// Pairs are half-split: (x_i, x_{i+E/2}) turns by position · θ^(-2i/E), from a table of (cos, sin) made on the host in f64. K is cached after rotation.
// Dispatch: (H + 2K, T) workgroups of LANES invocations, one a head and row. Optional RMS norm of q and k over the head, before rotation (Qwen3).
// Bindings: 0 qkv f32, 1 turns vec2f [positions, E/2], 2 head_gain f32 [2, E] (q then k), 3 query f32 [K, PACKS, E, 4]: four (row, head) pairs of a
// key/value head side by side, 4 keys and 5 values as lib/cache_write_* stores them; plan (position, slot). Bytes: qkv read once, written once.
const HEADS: u32 = 2;         // query heads H
const KV_HEADS: u32 = 1;      // key/value heads K
const HEAD_DIM: u32 = 32;     // E, even
const QKV_STRIDE: u32 = 128;  // row length of qkv
const PACKS: u32 = 1;         // capacity of query in packs of four pairs
const SLOTS: u32 = 1;         // capacity of the cache in rows
const HEAD_NORM: bool = false;
const EPS: f32 = 1e-5;

@group(0) @binding(0) var<storage, read> qkv: array<f32>;
@group(0) @binding(1) var<storage, read> turns: array<vec2f>;
@group(0) @binding(2) var<storage, read> head_gain: array<f32>;
@group(0) @binding(3) var<storage, read_write> query: array<f32>;

const GROUP: u32 = HEADS / KV_HEADS;
const HALF: u32 = HEAD_DIM / 2u;
const QUADS: u32 = (HALF + 1u) / 2u; // dimensions 2j, 2j + 1 and those half a head behind them

// One head of one row of qkv.
struct Source {
  offset: u32,   // of its first number
  position: u32,
  gains: u32,    // offset of its gains
  scale: f32,    // of the norm
}

// Dimensions i and i + E/2.
fn as_it_is(source: Source, i: u32) -> vec2f {
  return vec2f(qkv[source.offset + i], qkv[source.offset + i + HALF]);
}

// The same, normed and rotated.
fn turned(source: Source, i: u32) -> vec2f {
  var pair = as_it_is(source, i);
  if (HEAD_NORM) {
    pair *= source.scale * vec2f(head_gain[source.gains + i], head_gain[source.gains + i + HALF]);
  }
  let turn = turns[source.position * HALF + i];
  return vec2f(pair.x * turn.x - pair.y * turn.y, pair.y * turn.x + pair.x * turn.y);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  set_lane(lane);
  let head = group.x;
  let row = group.y;
  let slot = plan.row[row].slot;
  var source = Source(row * QKV_STRIDE + head * HEAD_DIM, plan.row[row].position, select(HEAD_DIM, 0u, head < HEADS), 1.0);
  if (head >= HEADS + KV_HEADS) {
    store_value(head - HEADS - KV_HEADS, slot, source, lane);
    return;
  }
  if (HEAD_NORM) {
    var squares = 0.0;
    for (var dim = lane; dim < HEAD_DIM; dim += LANES) {
      let value = qkv[source.offset + dim];
      squares = fma(value, value, squares);
    }
    source.scale = inverseSqrt(lane_sum(squares) / f32(HEAD_DIM) + EPS);
  }
  if (head >= HEADS) {
    store_key(head - HEADS, slot, source, lane);
    return;
  }
  let pair = row * GROUP + head % GROUP;
  let pack = ((head / GROUP) * PACKS + pair / 4u) * HEAD_DIM;
  for (var i = lane; i < HALF; i += LANES) {
    let both = turned(source, i);
    query[(pack + i) * 4u + pair % 4u] = both.x;
    query[(pack + i + HALF) * 4u + pair % 4u] = both.y;
  }
}
