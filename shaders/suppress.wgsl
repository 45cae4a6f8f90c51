// Takes ids out of the distribution: logits[t, id] = -1e30 for each id in the list (mask id, unused rows of a padded vocabulary).
// Dispatch: (⌈suppressed / WIDTH⌉, T) workgroups of WIDTH invocations. Bindings: 0 list u32, 1 logits f32 [T, VOCAB]; plan.
const VOCAB: u32 = 64;
const WIDTH: u32 = 16; // invocations a workgroup

@group(0) @binding(0) var<storage, read> list: array<u32>;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < plan.suppressed) {
    logits[id.y * VOCAB + list[id.x]] = -1e30;
  }
}
