// Lanes that work together are one subgroup: LANES is its size, which is fixed on this device.
const LANES: u32 = 4; // invocations of a workgroup, all in one subgroup

fn lane_sum(value: f32) -> f32 {
  return subgroupAdd(value);
}

fn lane_sum4(value: vec4f) -> vec4f {
  return subgroupAdd(value);
}

fn lane_max4(value: vec4f) -> vec4f {
  return subgroupMax(value);
}

// Makes `value` readable by lane_pick; here registers already are.
fn lane_share(value: vec4f, lane: u32) {}

fn lane_pick(value: vec4f, origin: u32) -> vec4f {
  return subgroupShuffle(value, origin);
}

fn set_lane(lane: u32) {}
