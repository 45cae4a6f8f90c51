// Counter-based random numbers: the same (seed, draw, place, id) gives the same bits on every device and in every order.
// PCG4D, Jarzynski & Olano 2020, "Hash Functions for GPU Rendering".
fn random_bits(seed: u32, draw: u32, place: u32, id: u32) -> vec4u {
  var v = vec4u(seed, draw, place, id) * 1664525u + 1013904223u;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v = v ^ (v >> vec4u(16u));
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  return v;
}

// Standard Gumbel noise -ln(-ln u) from 64 bits. Near u = 1 the exponential -ln u is taken from 1 - u, whose low bits a single f32 uniform would
// lose: a truncated tail silently lowers the temperature (arXiv 2409.02908).
fn gumbel(bits: vec4u) -> f32 {
  var exponential: f32;
  if (bits.x < 0x80000000u) {
    exponential = -log((f32(bits.x) + 0.5) * 2.3283064365386963e-10);
  } else {
    let w = f32(~bits.x) * 2.3283064365386963e-10 + (f32(bits.y) + 0.5) * 5.421010862427522e-20;
    exponential = select(-log(1.0 - w), w * (1.0 + 0.5 * w * (1.0 + 0.6666667 * w)), w < 0.001);
  }
  return -log(exponential);
}
