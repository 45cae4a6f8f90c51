// One f32 a chain. Part of fma.wgsl.

alias Scalar = f32;
alias Value = f32;

fn spread(seed: f32) -> Value {
  return seed;
}

fn fold(x: Value) -> f32 {
  return x;
}
