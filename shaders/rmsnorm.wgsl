// Root-mean-square normalisation: output[t, k] = input[s, k] · gain[k] / √(mean_k input[s, k]² + EPS), s = t or the plan's source row.
// Dispatch: (1, T) workgroups of LANES invocations, one a row.
// Bindings: 0 input f32 [rows, STRIDE], 1 gain f32 [SIZE], 2 output f32 [T, STRIDE]; plan. f32 throughout (f16 squares overflow at 256).
// FLOPs 4·T·SIZE; bytes: input and output once. Zhang & Sennrich 2019.
const SIZE: u32 = 64;        // features
const STRIDE: u32 = 64;      // row length, SIZE padded to 32
const EPS: f32 = 1e-5;       // from the model's config
const GATHER: bool = false;  // read the plan's source rows (the head) instead of row t

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> gain: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  set_lane(lane);
  let row = group.y;
  var offset = row * STRIDE;
  if (GATHER) {
    offset = plan.row[row].source * STRIDE;
  }
  var squares = 0.0;
  for (var k = lane; k < SIZE; k += LANES) {
    let value = input[offset + k];
    squares = fma(value, value, squares);
  }
  let scale = inverseSqrt(lane_sum(squares) / f32(SIZE) + EPS);
  for (var k = lane; k < SIZE; k += LANES) {
    output[row * STRIDE + k] = input[offset + k] * scale * gain[k];
  }
}
