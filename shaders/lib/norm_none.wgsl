// The input of a linear layer as it is. Its siblings normalise it on the way: norm_scalar, norm_vector.
fn input_row(row: u32) -> u32 {
  return row;
}

fn gained(value: f32, k: u32) -> f32 {
  return value;
}

fn gained4(value: vec4f, quad: u32) -> vec4f {
  return value;
}

fn row_scale(squares: f32) -> f32 {
  return 1.0;
}
