// Attention with a visible interval a row: output[t, h] = Σ_s softmax_s(query[t, h] · key[s] / √E) · value[s], s in [start_t, limit_t) without [hole_start_t, hole_limit_t).
// Causal, bidirectional, block-causal and every cache differ in the plan's intervals only: there is no mask.
// Dispatch: (⌈T·GROUP / P⌉, K, PARTS·TURNS) workgroups of LANES invocations; a workgroup owns P = 4 or 8 (row, head) pairs of one key/value head, so that
// K and V are read once for them, one of PARTS pieces of the keys that they see, and as many dimensions of the values as its lanes hold in registers.
// Scores: one key a lane, four keys each. Values: a lane's dimensions are i and i + E/2, in eight units LANES apart. Nothing is indexed by a variable that
// could be a register: CPU adapters would keep it in memory. Online softmax (Milakov & Gimelshein 2018), f32.
// Bindings: 0 query (lib/query_*), 1 keys and 2 values (lib/cache_*), 3 output or partial results (lib/attended_*); plan.
// FLOPs 4·E·H·Σ visible; bytes: visible K and V once, query and output once. An empty interval gives 0.
const HEADS: u32 = 2;         // query heads H
const KV_HEADS: u32 = 1;      // key/value heads K
const HEAD_DIM: u32 = 32;     // E, even
const PACKS: u32 = 1;         // capacity of query in packs of four pairs
const SLOTS: u32 = 1;         // capacity of the cache in rows
const WIDE: bool = false;     // eight pairs a workgroup: a near and a far pack of four
const PARTS: u32 = 1;         // pieces of the keys

const GROUP: u32 = HEADS / KV_HEADS;
const HALF: u32 = HEAD_DIM / 2u;
const QUADS: u32 = (HALF + 1u) / 2u; // dimensions 2j, 2j + 1 and those half a head behind them
const UNITS: u32 = (HALF + LANES - 1u) / LANES; // of which a lane holds eight at most
const OWN: u32 = min(UNITS, 8u);
const TURNS: u32 = (UNITS + 7u) / 8u;
const STEP: u32 = 4u * LANES; // keys at a time

// What becomes of four pairs: their sums are relative to the peak.
struct Place {
  head: u32,
  pack: u32,
  part: u32,
  peak: vec4f,
  total: vec4f,
}

// Four pairs' sums in dimensions i and i + E/2.
struct Sum {
  low: vec4f,
  high: vec4f,
}

fn added(sum: Sum, p: vec4f, value: vec2f) -> Sum {
  return Sum(fma(p, vec4f(value.x), sum.low), fma(p, vec4f(value.y), sum.high));
}

// The same for the far pack, where there is one.
fn too(sum: Sum, p: vec4f, value: vec2f) -> Sum {
  if (!WIDE) {
    return sum;
  }
  return added(sum, p, value);
}

fn faded(sum: Sum, fade: vec4f) -> Sum {
  return Sum(sum.low * fade, sum.high * fade);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  set_lane(lane);
  let head = group.y;
  let part = group.z / TURNS;
  let unit = group.z % TURNS * 8u * LANES + lane;
  let near_pack = select(group.x, 2u * group.x, WIDE);
  let far_pack = near_pack + 1u;
  let near_query = head * PACKS + near_pack;
  // Behind the last pack there is none: then its queries are those of the near one, and nothing of it is stored.
  let far_query = head * PACKS + min(far_pack, PACKS - 1u);
  let near = seen_by(near_pack);
  let far = seen_by(far_pack);
  var first = first_of(near);
  var end = end_of(near);
  if (WIDE) {
    first = min(first, first_of(far));
    end = max(end, end_of(far));
  }
  if (PARTS > 1u) {
    let steps = (max(end, first) - first + STEP - 1u) / STEP;
    let share = (steps + PARTS - 1u) / PARTS * STEP;
    first += part * share;
    end = min(end, first + share);
  }
  var near_peak = vec4f(NOTHING);
  var far_peak = vec4f(NOTHING);
  var near_total = vec4f(0.0);
  var far_total = vec4f(0.0);
  var near0 = Sum();  var far0 = Sum();
  var near1 = Sum();  var far1 = Sum();
  var near2 = Sum();  var far2 = Sum();
  var near3 = Sum();  var far3 = Sum();
  var near4 = Sum();  var far4 = Sum();
  var near5 = Sum();  var far5 = Sum();
  var near6 = Sum();  var far6 = Sum();
  var near7 = Sum();  var far7 = Sum();
  for (var base = first; base < end; base += STEP) {
    // Keys that no pair sees leave every sum as it is.
    if (SPARSE && unseen(near, base, base + STEP) && (!WIDE || unseen(far, base, base + STEP))) {
      continue;
    }
    let key = base + lane;
    var n0 = vec4f(0.0);
    var n1 = vec4f(0.0);
    var n2 = vec4f(0.0);
    var n3 = vec4f(0.0);
    var f0 = vec4f(0.0);
    var f1 = vec4f(0.0);
    var f2 = vec4f(0.0);
    var f3 = vec4f(0.0);
    for (var j = 0u; j < QUADS; j++) {
      let k0 = key4(head, j, key);
      let k1 = key4(head, j, key + LANES);
      let k2 = key4(head, j, key + 2u * LANES);
      let k3 = key4(head, j, key + 3u * LANES);
      let a = queries(near_query, j, lane);
      n0 = dot4(n0, a, k0);
      n1 = dot4(n1, a, k1);
      n2 = dot4(n2, a, k2);
      n3 = dot4(n3, a, k3);
      if (WIDE) {
        let b = queries(far_query, j, lane);
        f0 = dot4(f0, b, k0);
        f1 = dot4(f1, b, k1);
        f2 = dot4(f2, b, k2);
        f3 = dot4(f3, b, k3);
      }
    }
    n0 = visible(n0, key, near);
    n1 = visible(n1, key + LANES, near);
    n2 = visible(n2, key + 2u * LANES, near);
    n3 = visible(n3, key + 3u * LANES, near);
    let near_higher = max(near_peak, lane_max4(max(max(n0, n1), max(n2, n3))));
    let near_fade = exp2(near_peak - near_higher);
    near_peak = near_higher;
    n0 = weight_of(n0, near_peak);
    n1 = weight_of(n1, near_peak);
    n2 = weight_of(n2, near_peak);
    n3 = weight_of(n3, near_peak);
    near_total = fma(near_total, near_fade, n0 + n1 + n2 + n3);
    var far_fade = vec4f(0.0);
    if (WIDE) {
      f0 = visible(f0, key, far);
      f1 = visible(f1, key + LANES, far);
      f2 = visible(f2, key + 2u * LANES, far);
      f3 = visible(f3, key + 3u * LANES, far);
      let far_higher = max(far_peak, lane_max4(max(max(f0, f1), max(f2, f3))));
      far_fade = exp2(far_peak - far_higher);
      far_peak = far_higher;
      f0 = weight_of(f0, far_peak);
      f1 = weight_of(f1, far_peak);
      f2 = weight_of(f2, far_peak);
      f3 = weight_of(f3, far_peak);
      far_total = fma(far_total, far_fade, f0 + f1 + f2 + f3);
    }
    near0 = faded(near0, near_fade);  far0 = faded(far0, far_fade);
    near1 = faded(near1, near_fade);  far1 = faded(far1, far_fade);
    near2 = faded(near2, near_fade);  far2 = faded(far2, far_fade);
    near3 = faded(near3, near_fade);  far3 = faded(far3, far_fade);
    near4 = faded(near4, near_fade);  far4 = faded(far4, far_fade);
    near5 = faded(near5, near_fade);  far5 = faded(far5, far_fade);
    near6 = faded(near6, near_fade);  far6 = faded(far6, far_fade);
    near7 = faded(near7, near_fade);  far7 = faded(far7, far_fade);
    let near_weights = Shared(n0, n1, n2, n3);
    let far_weights = Shared(f0, f1, f2, f3);
    lane_share(near_weights, lane);
    if (WIDE) {
      lane_share_far(far_weights, lane);
    }
    // One loop over all keys: compilers that unroll would take seconds for one over lanes.
    for (var k = 0u; k < min(STEP, end - base); k++) {
      let slot = base + k;
      let p = lane_pick(near_weights, k);
      var q = vec4f(0.0);
      if (WIDE) {
        q = lane_pick_far(far_weights, k);
      }
      let v0 = value2(head, unit, slot);
      near0 = added(near0, p, v0);
      far0 = too(far0, q, v0);
      if (OWN > 1u) {
        let v = value2(head, unit + 1u * LANES, slot);
        near1 = added(near1, p, v);
        far1 = too(far1, q, v);
      }
      if (OWN > 2u) {
        let v = value2(head, unit + 2u * LANES, slot);
        near2 = added(near2, p, v);
        far2 = too(far2, q, v);
      }
      if (OWN > 3u) {
        let v = value2(head, unit + 3u * LANES, slot);
        near3 = added(near3, p, v);
        far3 = too(far3, q, v);
      }
      if (OWN > 4u) {
        let v = value2(head, unit + 4u * LANES, slot);
        near4 = added(near4, p, v);
        far4 = too(far4, q, v);
      }
      if (OWN > 5u) {
        let v = value2(head, unit + 5u * LANES, slot);
        near5 = added(near5, p, v);
        far5 = too(far5, q, v);
      }
      if (OWN > 6u) {
        let v = value2(head, unit + 6u * LANES, slot);
        near6 = added(near6, p, v);
        far6 = too(far6, q, v);
      }
      if (OWN > 7u) {
        let v = value2(head, unit + 7u * LANES, slot);
        near7 = added(near7, p, v);
        far7 = too(far7, q, v);
      }
    }
  }
  let near_place = Place(head, near_pack, part, near_peak, lane_sum4(near_total));
  var near_sums = array<Sum, 8>(near0, near1, near2, near3, near4, near5, near6, near7);
  for (var k = 0u; k < OWN; k++) {
    put(near_place, unit + k * LANES, near_sums[k]);
  }
  if (unit == 0u) {
    close(near_place);
  }
  if (!WIDE) {
    return;
  }
  let far_place = Place(head, far_pack, part, far_peak, lane_sum4(far_total));
  var far_sums = array<Sum, 8>(far0, far1, far2, far3, far4, far5, far6, far7);
  for (var k = 0u; k < OWN; k++) {
    put(far_place, unit + k * LANES, far_sums[k]);
  }
  if (unit == 0u) {
    close(far_place);
  }
}
