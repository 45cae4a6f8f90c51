// The gain of a normalised input (norm_scale), for kernels that read inputs one by one.
@group(0) @binding(5) var<storage, read> gain: array<f32>; // [IN]

fn gained(value: f32, k: u32) -> f32 {
  return value * gain[k];
}
