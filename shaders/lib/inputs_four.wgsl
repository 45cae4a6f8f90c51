// Eight inputs of a row, from position `at` on, to every lane: four lanes load four neighbours at once. Any subgroup of at least four lanes.
struct Inputs {
  low: vec4f,
  high: vec4f,
}

fn inputs_of(at: u32, place: u32) -> Inputs {
  let own = at + place % 4u;
  return Inputs(spread(input[own]), spread(input[own + 4u]));
}
