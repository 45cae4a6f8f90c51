// Gated activation: output[t, f] = silu(gate[t, f]) · up[t, f], gate and up side by side in a row of the input. Shazeer 2020.
// Dispatch: (⌈SIZE / WIDTH⌉, T) workgroups of WIDTH invocations, one an element.
// Bindings: 0 input f32 [T, IN_STRIDE] (gate at 0, up at SIZE), 1 output f32 [T, OUT_STRIDE]. f32; FLOPs 5·T·SIZE; bytes: input and output once.
const SIZE: u32 = 64;        // intermediate size F
const IN_STRIDE: u32 = 128;
const OUT_STRIDE: u32 = 64;
const WIDTH: u32 = 16;       // invocations a workgroup

@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= SIZE) {
    return;
  }
  let gate = input[id.y * IN_STRIDE + id.x];
  let up = input[id.y * IN_STRIDE + SIZE + id.x];
  output[id.y * OUT_STRIDE + id.x] = gate / (1.0 + exp(-max(gate, -80.0))) * up;
}
