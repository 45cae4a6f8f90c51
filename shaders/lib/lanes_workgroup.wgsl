// Lanes that work together exchange through workgroup memory: for devices without subgroups, or whose subgroup size is not fixed.
const LANES: u32 = 32; // invocations of a workgroup

var<workgroup> exchange: array<vec4f, LANES>;

fn lane_exchange(value: vec4f, lane: u32) {
  workgroupBarrier();
  exchange[lane] = value;
  workgroupBarrier();
}

// Four values a lane.
struct Shared {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
}

var<workgroup> exchange4: array<vec4f, 4u * LANES>;
var<workgroup> exchange4_far: array<vec4f, 4u * LANES>;

// Makes values readable by lane_pick.
fn lane_share(values: Shared, lane: u32) {
  workgroupBarrier();
  exchange4[lane] = values.v0;
  exchange4[lane + LANES] = values.v1;
  exchange4[lane + 2u * LANES] = values.v2;
  exchange4[lane + 3u * LANES] = values.v3;
  workgroupBarrier();
}

// The k-th of all lanes' first values, then of their second ones, and so on.
fn lane_pick(values: Shared, k: u32) -> vec4f {
  return exchange4[k];
}

// The same for a second set of values beside the first.
fn lane_share_far(values: Shared, lane: u32) {
  workgroupBarrier();
  exchange4_far[lane] = values.v0;
  exchange4_far[lane + LANES] = values.v1;
  exchange4_far[lane + 2u * LANES] = values.v2;
  exchange4_far[lane + 3u * LANES] = values.v3;
  workgroupBarrier();
}

fn lane_pick_far(values: Shared, k: u32) -> vec4f {
  return exchange4_far[k];
}

var<private> own_lane: u32;

fn set_lane(lane: u32) {
  own_lane = lane;
}

fn lane_sum4(value: vec4f) -> vec4f {
  lane_exchange(value, own_lane);
  var sum = exchange[0];
  for (var i = 1u; i < LANES; i++) {
    sum += exchange[i];
  }
  return sum;
}

fn lane_sum(value: f32) -> f32 {
  return lane_sum4(vec4f(value)).x;
}

fn lane_max4(value: vec4f) -> vec4f {
  lane_exchange(value, own_lane);
  var peak = exchange[0];
  for (var i = 1u; i < LANES; i++) {
    peak = max(peak, exchange[i]);
  }
  return peak;
}
