// Penalties on tokens that are there already, before anything else is made of the logits. Of every known token of a row's sequence: a positive logit is
// divided by `repetition`, a negative one multiplied (Keskar et al. 2019, arXiv 1909.05858); of those of the answer, `presence` and `frequency` times
// the number of them are taken off. Dispatch: (1, T) workgroups of WIDTH invocations, one a row.
// Bindings: 0 canvas u32, 1 logits f32 [T, VOCAB]; plan (past_start, past_answer, past_limit of each row). Places that hold the mask are skipped.
const VOCAB: u32 = 64;
const WIDTH: u32 = 16; // invocations a workgroup

@group(0) @binding(0) var<storage, read> canvas: array<u32>;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(WIDTH)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = plan.row[group.y];
  for (var place = row.past_start + lane; place < row.past_limit; place += WIDTH) {
    let id = canvas[place];
    if (id >= VOCAB || id == plan.mask_id) {
      continue;
    }
    // The first place of a token counts all of them, so that no two invocations write one logit.
    var first = true;
    var count = 0u;
    for (var other = row.past_start; other < row.past_limit; other++) {
      if (canvas[other] == id) {
        first = first && other >= place;
        count += select(0u, 1u, other >= row.past_answer);
      }
    }
    if (!first) {
      continue;
    }
    let at = group.y * VOCAB + id;
    var value = logits[at];
    value = select(value * plan.repetition, value / plan.repetition, value > 0.0);
    if (count > 0u) {
      value -= plan.presence + f32(count) * plan.frequency;
    }
    logits[at] = value;
  }
}
