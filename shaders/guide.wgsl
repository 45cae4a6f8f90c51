// Classifier-free guidance: logits[t] = u[t] + (1 + scale) · (logits[t] - u[t]), u being the rows of the unconditional half. Ho & Salimans 2022.
// Dispatch: (⌈VOCAB / WIDTH⌉, T) workgroups of WIDTH invocations; logits hold T conditional rows, then T unconditional ones.
// Bindings: 0 logits f32 [2·T, VOCAB]; plan. FLOPs 3·T·VOCAB; bytes: both halves read, one written.
const VOCAB: u32 = 64;
const WIDTH: u32 = 16; // invocations a workgroup

@group(0) @binding(0) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= VOCAB) {
    return;
  }
  let at = id.y * VOCAB + id.x;
  let free = logits[at + (plan.rows / 2u) * VOCAB];
  logits[at] = free + (1.0 + plan.guidance) * (logits[at] - free);
}
