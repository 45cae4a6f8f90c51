// Takes out of the distribution what a bitmap does not allow: logits[t, id] = -1e30 where bit id of the bitmap is 0. One bitmap for all rows.
// Dispatch: (⌈VOCAB / WIDTH⌉, T) workgroups of WIDTH invocations, one an id. Bindings: 0 bitmap u32 [⌈VOCAB / 32⌉], the lowest bit first, 1 logits f32
// [T, VOCAB]. Bytes: the bitmap once a row; the logits that are taken out, at most all.
const VOCAB: u32 = 64;
const WIDTH: u32 = 16; // invocations a workgroup

@group(0) @binding(0) var<storage, read> bitmap: array<u32>;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < VOCAB && (bitmap[id.x >> 5u] & (1u << (id.x & 31u))) == 0u) {
    logits[id.y * VOCAB + id.x] = -1e30;
  }
}
