// Four inputs that four neighbouring lanes hold, to every lane: a quarter of the loads. Any subgroup of at least four lanes.
fn spread(value: f32) -> vec4f {
  return vec4f(subgroupBroadcast(value, 0u), subgroupBroadcast(value, 1u), subgroupBroadcast(value, 2u), subgroupBroadcast(value, 3u));
}
