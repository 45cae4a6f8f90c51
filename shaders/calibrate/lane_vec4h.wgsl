// Four f16 a chain, 1/64 apart at the start. Part of fma.wgsl; needs shader-f16.

alias Scalar = f16;
alias Value = vec4<f16>;

fn spread(seed: f32) -> Value {
  return vec4<f16>(vec4<f32>(seed, seed + 0.015625, seed + 0.03125, seed + 0.046875));
}

fn fold(x: Value) -> f32 {
  let y = vec4<f32>(x);
  return (y.x + y.y) + (y.z + y.w);
}
