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

// Four values a lane.
struct Shared {
  v0: vec4f,
  v1: vec4f,
  v2: vec4f,
  v3: vec4f,
}

// Makes values readable by lane_pick; here registers already are.
fn lane_share(values: Shared, lane: u32) {}

// The k-th of all lanes' first values, then of their second ones, and so on.
fn lane_pick(values: Shared, k: u32) -> vec4f {
  let turn = k / LANES;
  let value = select(select(values.v3, values.v2, turn == 2u), select(values.v1, values.v0, turn == 0u), turn < 2u);
  return subgroupShuffle(value, k % LANES);
}

// The same for a second set of values beside the first.
fn lane_share_far(values: Shared, lane: u32) {}

fn lane_pick_far(values: Shared, k: u32) -> vec4f {
  return lane_pick(values, k);
}

fn set_lane(lane: u32) {}
