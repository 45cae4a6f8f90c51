// Adds what a list says to logits: logits[t, id] += bias. Dispatch: (⌈biased / WIDTH⌉, T) workgroups of WIDTH invocations.
// Bindings: 0 list (id, bits of bias), every id once, 1 logits f32 [T, VOCAB]; plan.
const VOCAB: u32 = 64;
const WIDTH: u32 = 16; // invocations a workgroup

@group(0) @binding(0) var<storage, read> list: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < plan.biased) {
    logits[id.y * VOCAB + list[id.x].x] += bitcast<f32>(list[id.x].y);
  }
}
