// Lanes that work together exchange through workgroup memory: for devices without subgroups, or whose subgroup size is not fixed.
const LANES: u32 = 32; // invocations of a workgroup

var<workgroup> exchange: array<vec4f, LANES>;

fn lane_share(value: vec4f, lane: u32) {
  workgroupBarrier();
  exchange[lane] = value;
  workgroupBarrier();
}

fn lane_pick(value: vec4f, origin: u32) -> vec4f {
  return exchange[origin];
}

var<private> own_lane: u32;

fn set_lane(lane: u32) {
  own_lane = lane;
}

fn lane_sum4(value: vec4f) -> vec4f {
  lane_share(value, own_lane);
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
  lane_share(value, own_lane);
  var peak = exchange[0];
  for (var i = 1u; i < LANES; i++) {
    peak = max(peak, exchange[i]);
  }
  return peak;
}
