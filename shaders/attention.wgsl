// Attention with a visible interval a row: output[t, h] = Σ_s softmax_s(query[t, h] · key[s] / √E) · value[s], s in [start_t, limit_t) without [hole_start_t, hole_limit_t).
// Causal, bidirectional, block-causal and every cache differ in the plan's intervals only: there is no mask.
// Dispatch: (⌈T·GROUP / 4⌉, K) workgroups of LANES invocations; a workgroup owns four (row, head) pairs of one key/value head, so that K and V are
// read once for them. Scores: one key a lane, four keys each. Values: one dimension a lane. Online softmax (Milakov & Gimelshein 2018), f32.
// Bindings: 0 query f32 [K, PACKS, E, 4], 1 keys f32 [K, E, SLOTS], 2 values f32 [K, SLOTS, E], 3 output f32 [T, OUT_STRIDE]; plan.
// FLOPs 4·E·H·Σ visible; bytes: visible K and V once, query and output once. An empty interval gives 0.
const HEADS: u32 = 2;         // query heads H
const KV_HEADS: u32 = 1;      // key/value heads K
const HEAD_DIM: u32 = 32;     // E
const PACKS: u32 = 1;         // capacity of query in packs of four pairs
const SLOTS: u32 = 1;         // capacity of the cache in rows
const OUT_STRIDE: u32 = 64;   // row length of output
const SPARSE: bool = false;   // rows have holes, or see intervals that lie apart
const SCALE: f32 = 0.25503;   // log2(e) / √E: exp2 is cheaper than exp

@group(0) @binding(0) var<storage, read> query: array<vec4f>;
@group(0) @binding(1) var<storage, read> keys: array<f32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

const GROUP: u32 = HEADS / KV_HEADS;
const SHARE: u32 = (HEAD_DIM + LANES - 1u) / LANES; // dimensions a lane owns
const NOTHING: f32 = -1e30;

var<private> sums: array<vec4f, SHARE>; // four pairs × the lane's dimensions

// Adds Σ_j p_j · value[base + j] over the LANES keys from `base`, `p` being each lane's own key.
fn add_values(head: u32, base: u32, p: vec4f, lane: u32) {
  lane_share(p, lane);
  for (var j = 0u; j < LANES; j += 4u) {
    let p0 = lane_pick(p, j);
    let p1 = lane_pick(p, j + 1u);
    let p2 = lane_pick(p, j + 2u);
    let p3 = lane_pick(p, j + 3u);
    let offset = (head * SLOTS + base + j) * HEAD_DIM + lane;
    for (var i = 0u; i < SHARE; i++) {
      let at = offset + i * LANES;
      var sum = fma(p0, vec4f(values[at]), sums[i]);
      sum = fma(p1, vec4f(values[at + HEAD_DIM]), sum);
      sum = fma(p2, vec4f(values[at + 2u * HEAD_DIM]), sum);
      sums[i] = fma(p3, vec4f(values[at + 3u * HEAD_DIM]), sum);
    }
  }
}

fn visible(score: vec4f, key: u32, start: vec4u, limit: vec4u) -> vec4f {
  return select(vec4f(NOTHING), score * SCALE, (vec4u(key) >= start) & (vec4u(key) < limit));
}

fn beside(score: vec4f, key: u32, hole_start: vec4u, hole_limit: vec4u) -> vec4f {
  return select(score, vec4f(NOTHING), (vec4u(key) >= hole_start) & (vec4u(key) < hole_limit));
}

fn weight_of(score: vec4f, peak: vec4f) -> vec4f {
  return select(exp2(score - peak), vec4f(0.0), score == vec4f(NOTHING));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  set_lane(lane);
  let head = group.y;
  let pairs = vec4u(0u, 1u, 2u, 3u) + group.x * 4u;
  let rows = min(pairs / GROUP, vec4u(plan.rows - 1u));
  let start = vec4u(plan.row[rows.x].start, plan.row[rows.y].start, plan.row[rows.z].start, plan.row[rows.w].start);
  let limit = vec4u(plan.row[rows.x].limit, plan.row[rows.y].limit, plan.row[rows.z].limit, plan.row[rows.w].limit);
  var hole_start = vec4u(0u);
  var hole_limit = vec4u(0u);
  if (SPARSE) {
    hole_start = vec4u(plan.row[rows.x].hole_start, plan.row[rows.y].hole_start, plan.row[rows.z].hole_start, plan.row[rows.w].hole_start);
    hole_limit = vec4u(plan.row[rows.x].hole_limit, plan.row[rows.y].hole_limit, plan.row[rows.z].hole_limit, plan.row[rows.w].hole_limit);
  }
  let first = min(min(start.x, start.y), min(start.z, start.w));
  let end = max(max(limit.x, limit.y), max(limit.z, limit.w));
  var peak = vec4f(NOTHING);
  var total = vec4f(0.0);
  for (var base = first; base < end; base += 4u * LANES) {
    if (SPARSE) {
      // Keys that no pair sees leave every sum as it is.
      let beyond = vec4u(base + 4u * LANES);
      let outside = (start >= beyond) | (limit <= vec4u(base));
      if (all(outside | ((hole_start <= vec4u(base)) & (hole_limit >= beyond)))) {
        continue;
      }
    }
    let key = base + lane;
    var s0 = vec4f(0.0);
    var s1 = vec4f(0.0);
    var s2 = vec4f(0.0);
    var s3 = vec4f(0.0);
    for (var dim = 0u; dim < HEAD_DIM; dim++) {
      let q = query[(head * PACKS + group.x) * HEAD_DIM + dim];
      let at = (head * HEAD_DIM + dim) * SLOTS + key;
      s0 = fma(q, vec4f(keys[at]), s0);
      s1 = fma(q, vec4f(keys[at + LANES]), s1);
      s2 = fma(q, vec4f(keys[at + 2u * LANES]), s2);
      s3 = fma(q, vec4f(keys[at + 3u * LANES]), s3);
    }
    s0 = visible(s0, key, start, limit);
    s1 = visible(s1, key + LANES, start, limit);
    s2 = visible(s2, key + 2u * LANES, start, limit);
    s3 = visible(s3, key + 3u * LANES, start, limit);
    if (SPARSE) {
      s0 = beside(s0, key, hole_start, hole_limit);
      s1 = beside(s1, key + LANES, hole_start, hole_limit);
      s2 = beside(s2, key + 2u * LANES, hole_start, hole_limit);
      s3 = beside(s3, key + 3u * LANES, hole_start, hole_limit);
    }
    let higher = max(peak, lane_max4(max(max(s0, s1), max(s2, s3))));
    let fade = exp2(peak - higher);
    peak = higher;
    s0 = weight_of(s0, peak);
    s1 = weight_of(s1, peak);
    s2 = weight_of(s2, peak);
    s3 = weight_of(s3, peak);
    total = fma(total, fade, s0 + s1 + s2 + s3);
    for (var i = 0u; i < SHARE; i++) {
      sums[i] *= fade;
    }
    add_values(head, base, s0, lane);
    if (base + LANES < end) {
      add_values(head, base + LANES, s1, lane);
    }
    if (base + 2u * LANES < end) {
      add_values(head, base + 2u * LANES, s2, lane);
    }
    if (base + 3u * LANES < end) {
      add_values(head, base + 3u * LANES, s3, lane);
    }
  }
  let whole = lane_sum4(total);
  let norm = select(1.0 / whole, vec4f(0.0), whole == vec4f(0.0));
  for (var i = 0u; i < SHARE; i++) {
    let dim = i * LANES + lane;
    let sum = sums[i] * norm;
    for (var j = 0u; j < 4u; j++) {
      let row = pairs[j] / GROUP;
      if (row < plan.rows && dim < HEAD_DIM) {
        output[row * OUT_STRIDE + (head * GROUP + pairs[j] % GROUP) * HEAD_DIM + dim] = sum[j];
      }
    }
  }
}
