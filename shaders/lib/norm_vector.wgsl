// The gain of a normalised input (norm_scale), for kernels that read inputs four by four.
@group(0) @binding(5) var<storage, read> gain: array<vec4f>; // [IN / 4]

fn gained4(value: vec4f, quad: u32) -> vec4f {
  return value * gain[quad];
}
