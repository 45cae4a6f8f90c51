// Four f32 a chain, 1/64 apart at the start. Part of fma.wgsl.

alias Scalar = f32;
alias Value = vec4<f32>;

fn spread(seed: f32) -> Value {
  return vec4<f32>(seed, seed + 0.015625, seed + 0.03125, seed + 0.046875);
}

fn fold(x: Value) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}
