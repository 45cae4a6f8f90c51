// Eight inputs of a row, from position `at` on, to every lane: eight lanes load eight neighbours at once. Any subgroup of at least eight lanes.
struct Inputs {
  low: vec4f,
  high: vec4f,
}

fn inputs_of(at: u32, place: u32) -> Inputs {
  let own = input[at + place % 8u];
  return Inputs(
    vec4f(subgroupBroadcast(own, 0u), subgroupBroadcast(own, 1u), subgroupBroadcast(own, 2u), subgroupBroadcast(own, 3u)),
    vec4f(subgroupBroadcast(own, 4u), subgroupBroadcast(own, 5u), subgroupBroadcast(own, 6u), subgroupBroadcast(own, 7u)),
  );
}
